//! Databases: what stands between, and what a role may.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use seaworthy_tests::{Lab, Run, postgres::server};

use super::{check, states};

/// PgBouncer from Debian, before the shared server; it ends with this.
struct Pooler {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pooler {
    fn start(mode: &str, size: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let behind = server();
        let (users, ini) = (folder.path().join("users"), folder.path().join("ini"));
        fs::write(&users, "\"postgres\" \"\"\n").unwrap();
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = {mode}\ndefault_pool_size = {size}\n",
            behind.folder().display(),
            behind.port,
            users.display()
        );
        fs::write(&ini, text).unwrap();
        let mut command = Command::new("/usr/sbin/pgbouncer");
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let mut child = command
            .arg(&ini)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("apt-get install pgbouncer");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("process up")), "pgbouncer does not start");
        // What it says later must go somewhere, or it would wait.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port, _folder: folder }
    }
}

/// What the doctor says of the database behind `url`.
fn examine(url: &str, code: i32) -> Run {
    let lab = Lab::new().with_job(
        "[backup.nightly.sources.db]\ntype = \"postgres\"\nurl = { env = \"DATABASE_URL\" }\n",
    );
    let arguments = ["--json", "doctor"];
    let mut command = lab.command(&arguments);
    command.env("DATABASE_URL", url).env("HOME", Path::new("/nonexistent"));
    Run::of(command.output().unwrap(), &arguments).expect_code(code)
}

const DB: &str = "backup nightly: db";

#[test]
fn a_pooler_between_is_recognised_by_what_it_does() {
    let name = server().database("pooled", "CREATE TABLE t (id int);");
    let run = examine(&server().url(&name), 0);
    assert_eq!(states(&run, DB), ["pooler ok", "connect ok", "pg_dump ok", "rights ok"]);
    let url = |pooler: &Pooler| {
        format!("postgresql://postgres@127.0.0.1:{}/{name}?sslmode=disable", pooler.port)
    };
    let transaction = Pooler::start("transaction", 10);
    let run = examine(&url(&transaction), 1);
    let found = check(&run, DB, "pooler");
    assert_eq!(found["state"], "failed");
    assert!(found["message"].as_str().unwrap().contains("each transaction"), "{found}");
    assert!(found["remedy"].as_str().unwrap().contains("past the pooler"), "{found}");
    let session = Pooler::start("session", 10);
    let run = examine(&url(&session), 0);
    assert_eq!(check(&run, DB, "pooler")["state"], "ok");
    let small = Pooler::start("session", 2);
    let found = check(&examine(&url(&small), 1), DB, "pooler");
    assert!(found["message"].as_str().unwrap().contains("no session left"), "{found}");
}

#[test]
fn tables_that_a_role_cannot_read_are_named() {
    let role = seaworthy_tests::postgres::unique("reader");
    let name = server().database(
        "rights",
        format!(
            "CREATE TABLE open (id serial); CREATE TABLE closed (id int);
             CREATE TABLE rows (id int); ALTER TABLE rows ENABLE ROW LEVEL SECURITY;
             CREATE ROLE {role} LOGIN; GRANT SELECT ON open, rows, open_id_seq TO {role};"
        ),
    );
    let url = server().url(&name).replace("user=postgres", &format!("user={role}"));
    let found = check(&examine(&url, 1), DB, "rights");
    assert_eq!(found["state"], "failed");
    assert!(
        found["message"].as_str().unwrap().starts_with("public.closed, public.rows "),
        "{found}"
    );
    assert!(found["remedy"].as_str().unwrap().contains(&format!("pg_read_all_data TO \"{role}\"")));
    server().sql(&name, format!("GRANT pg_read_all_data TO {role}; ALTER ROLE {role} BYPASSRLS"));
    examine(&url, 0);
    let nobody = examine(&server().url("no_such_database"), 1);
    assert_eq!(check(&nobody, DB, "connect")["state"], "failed");
}
