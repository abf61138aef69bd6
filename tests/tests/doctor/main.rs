//! The doctor: what works is said to, what does not is named with what to do, and nothing is left.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use seaworthy_tests::{
    Lab, Run,
    postgres::server,
    s3::{B2, B2Key, FilesServer, KEY_ID, Moto, SECRET},
    tree,
};
use serde_json::Value;

const JOB: &str = "[backup.nightly]\nsinks = [\"off\"]\nlimit = { temp = \".\" }\n\
                   sources.data = { type = \"files\", paths = [\"data\"] }\n";

/// What the checks of `part` came to: `name state`, sorted.
fn states(run: &Run, part: &str) -> Vec<String> {
    let document = run.json();
    let checks = document["result"]["checks"].as_array().unwrap();
    let own = checks.iter().filter(|check| check["part"] == part);
    let words = |check: &Value| {
        format!("{} {}", check["name"].as_str().unwrap(), check["state"].as_str().unwrap())
    };
    own.map(words).collect()
}

/// The check `name` of `part`.
fn check(run: &Run, part: &str, name: &str) -> Value {
    let document = run.json();
    let checks = document["result"]["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["part"] == part && check["name"] == name);
    found.unwrap_or_else(|| panic!("no {part}: {name} in {document:#}")).clone()
}

#[test]
fn a_healthy_machine_is_well_and_left_as_it_was() {
    let lab = Lab::new();
    lab.write("data/a", "x");
    lab.ok(&["backup"]);
    // Without the folder itself, whose time shows that something came and went.
    let stored = || tree(&lab.path("sink")).split_off(1);
    let before = stored();
    let run = lab.ok(&["--json", "doctor"]);
    assert_eq!(
        states(&run, "sink local"),
        [
            "open ok",
            "list ok",
            "write ok",
            "clock ok",
            "read ok",
            "read a range ok",
            "versions ok",
            "delete ok"
        ]
    );
    assert_eq!(check(&run, "own files", "state")["state"], "ok");
    let document = run.json();
    assert_eq!((&document["schema"], &document["outcome"]), (&1.into(), &"done".into()));
    assert!(stored() == before, "something was left or changed");
    let text = lab.ok(&["doctor"]).stdout;
    assert!(text.contains("sink local\n  ok       open: "), "{text}");
    assert!(text.contains(" checks, 0 failed, "), "{text}");
}

#[test]
fn folders_that_were_not_there_are_not_there_afterwards() {
    let lab = Lab::new();
    lab.write("data/a", "x");
    let before = tree(&lab.path("."));
    lab.ok(&["doctor"]);
    assert_eq!(tree(&lab.path(".")).split_off(1), before[1..]);
}

#[test]
fn what_others_can_read_and_what_cannot_be_run_is_named() {
    let lab = Lab::new().with_job(
        "sources.data = { type = \"command\", command = [\"no-such-program\"] }\n\
         [notify.ops]\ntype = \"slack\"\nurl = { file = \"url\" }\n",
    );
    fs::create_dir(lab.path("state")).unwrap();
    for (name, mode) in [("state", 0o755), ("url", 0o644)] {
        if name == "url" {
            lab.write(name, "https://hooks.example/hunter2");
        }
        fs::set_permissions(lab.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let run = lab.run(&["--json", "doctor"]).expect_code(1);
    let missing = check(&run, "backup nightly", "programs");
    assert_eq!(missing["state"], "failed");
    assert!(missing["remedy"].as_str().unwrap().contains("install no-such-program"), "{missing}");
    let document = run.stdout;
    let state = lab.path("state");
    assert!(document.contains(&format!("chmod 700 {}", state.display())), "{document}");
    assert!(document.contains(&format!("chmod 640 {}", lab.path("url").display())), "{document}");
    assert!(!document.contains("hunter2"));
    fs::remove_file(lab.path("url")).unwrap();
    let run = lab.run(&["--json", "doctor"]).expect_code(1);
    assert_eq!(check(&run, "notify ops", "open")["state"], "failed");
}

#[test]
fn a_test_message_is_sent_when_it_is_asked_for() {
    let lab = Lab::new();
    let told = lab.path("told");
    let lab = lab.with_job(&format!(
        "sources.data = {{ type = \"files\", paths = [\"data\"] }}\n[notify.ops]\n\
         type = \"command\"\ncommand = [\"sh\", \"-c\", \"cat > {}\"]\n",
        told.display()
    ));
    assert_eq!(
        states(&lab.ok(&["--json", "doctor"]), "notify ops").last().unwrap(),
        "send skipped"
    );
    assert!(!told.exists());
    let run = lab.ok(&["--json", "doctor", "--notify"]);
    assert_eq!(states(&run, "notify ops"), ["programs ok", "send ok"]);
    let text = lab.ok(&["doctor"]).stdout;
    assert_eq!(text.matches("notify ops\n").count(), 1, "a part stands together: {text}");
    lab.ok(&["doctor", "--notify"]);
    let notice: Value = serde_json::from_slice(&fs::read(told).unwrap()).unwrap();
    assert_eq!(notice["occasion"], "test");
}

#[test]
fn a_bucket_is_tried_in_parts_and_emptied_again() {
    let server = FilesServer::start();
    let lab = Lab::new();
    lab.write("id", KEY_ID);
    lab.write("secret", SECRET);
    let lab = lab.with_config(&format!(
        "state = \"state\"\n[sink.off]\ntype = \"s3\"\nbucket = \"backups\"\nprefix = \"prod\"\n\
         endpoint = {:?}\nallow_http = true\naccess_key_id = {{ file = \"id\" }}\n\
         secret_access_key = {{ file = \"secret\" }}\n{JOB}",
        server.url()
    ));
    let run = lab.ok(&["--json", "doctor"]);
    let parts = check(&run, "sink off", "write in parts");
    assert_eq!(
        (&parts["state"], &check(&run, "sink off", "delete")["state"]),
        (&"ok".into(), &"ok".into())
    );
    // The folder is this server's: a bucket has none.
    let files = |line: &String| line.contains("/probe ") || line.contains("/parts ");
    let left: Vec<_> = tree(&server.bucket()).into_iter().filter(files).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(server.unfinished(), 0);
    lab.write("secret", "wrong");
    let run = lab.run(&["--json", "doctor"]).expect_code(1);
    let list = check(&run, "sink off", "list");
    assert!(list["remedy"].as_str().unwrap().contains("the secret does not fit"), "{list}");
}

const ALL: &[&str] = &["listFiles", "readFiles", "writeFiles", "deleteFiles"];

fn b2_lab(server: &B2, who: &str, more: &str) -> Lab {
    let lab = Lab::new();
    lab.write("who", who);
    lab.write("prune", "prunes");
    lab.write("secret", SECRET);
    let url = server.url();
    lab.with_config(&format!(
        "state = \"state\"\n[sink.off]\ntype = \"b2\"\nbucket = \"backups\"\nprefix = \"prod\"\n\
         region = \"eu-central-003\"\nendpoint = {url:?}\nallow_http = true\n\
         key_id = {{ file = \"who\" }}\napplication_key = {{ file = \"secret\" }}\n{more}\n{JOB}"
    ))
}

#[test]
fn each_capability_that_a_backblaze_key_lacks_is_named() {
    for (lacking, name) in [
        ("listFiles", "list"),
        ("readFiles", "read"),
        ("writeFiles", "write"),
        ("deleteFiles", "delete"),
    ] {
        let has: Vec<_> = ALL.iter().copied().filter(|right| *right != lacking).collect();
        let server = B2::start(vec![B2Key::new("k", &has).below("prod/")]);
        let lab = b2_lab(&server, "k", "");
        let run = lab.run(&["--json", "doctor"]).expect_code(1);
        let failed = check(&run, "sink off", name);
        assert_eq!(failed["state"], "failed", "{lacking}");
        let remedy = failed["remedy"].as_str().unwrap();
        assert!(remedy.contains(lacking), "{lacking}: {remedy}");
        let left = server.versions("prod/");
        if ["deleteFiles", "listFiles"].contains(&lacking) {
            // What cannot be removed is named.
            assert!(left > 0);
            let delete = check(&run, "sink off", "delete");
            assert!(delete["message"].as_str().unwrap().contains("is left behind"), "{delete}");
        } else {
            assert_eq!(left, 0, "{lacking}");
        }
        assert_eq!(server.unfinished(), 0);
    }
}

#[test]
fn a_key_that_only_adds_is_tried_without_leaving_anything() {
    let keys = || vec![B2Key::new("adds", &ALL[..3]).below("prod/"), B2Key::new("prunes", ALL)];
    let server = B2::start(keys());
    let run = b2_lab(&server, "adds", "append_only = true").ok(&["--json", "doctor"]);
    assert_eq!(
        states(&run, "sink off"),
        [
            "open ok",
            "list ok",
            "write ok",
            "read skipped",
            "versions skipped",
            "delete skipped",
            "lifecycle skipped"
        ]
    );
    assert_eq!((server.versions("prod/"), server.unfinished()), (0, 0));
    let with_prune = "append_only = true\nprune = { key_id = { file = \"prune\" }, \
                      application_key = { file = \"secret\" } }";
    let run = b2_lab(&server, "adds", with_prune).ok(&["--json", "doctor"]);
    assert_eq!(check(&run, "sink off", "delete")["state"], "ok");
    assert_eq!((server.versions("prod/"), server.unfinished()), (0, 0));
}

/// A rule that gives up unfinished uploads, as stores write it.
const UPLOADS: &str = "<Rule><ID>uploads</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
    <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
    </AbortIncompleteMultipartUpload></Rule>";

/// A rule that does `what` to all that is below `prefix`.
fn rule(prefix: &str, what: &str) -> String {
    format!(
        "<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix>{prefix}</Prefix></Filter>{what}</Rule>"
    )
}

#[test]
fn the_bucket_s_own_rules_are_read_where_the_key_may_and_the_missing_one_is_named() {
    let all = ["listFiles", "readFiles", "writeFiles", "deleteFiles", "listBuckets"];
    let server = B2::start(vec![
        B2Key::new("sees", &all).below("prod/"),
        B2Key::new("k", ALL).below("prod/"),
        B2Key::new("prunes", &all),
    ]);
    let lab = b2_lab(&server, "sees", "");
    let seen = |lab: &Lab, code| {
        check(&lab.run(&["--json", "doctor"]).expect_code(code), "sink off", "lifecycle")
    };
    let missing = seen(&lab, 0);
    assert_eq!(missing["state"], "warning", "{missing}");
    let remedy = missing["remedy"].as_str().unwrap();
    for words in [
        "put-bucket-lifecycle-configuration --endpoint-url",
        "--bucket backups",
        "\"DaysAfterInitiation\": 7",
    ] {
        assert!(remedy.contains(words), "no {words} in {remedy}");
    }
    // The rule of the remedy is JSON that a shell passes on as it is.
    let json = remedy.split('\'').nth(1).unwrap();
    assert_eq!(serde_json::from_str::<Value>(json).unwrap()["Rules"][0]["Status"], "Enabled");
    server.set_lifecycle(UPLOADS);
    assert_eq!(seen(&lab, 0)["state"], "ok");
    // Rules that eat snapshots; another prefix is no matter of ours.
    let days = "<Expiration><Days>30</Days></Expiration>";
    server.set_lifecycle(&format!("{UPLOADS}{}", rule("other/", days)));
    assert_eq!(seen(&lab, 0)["state"], "ok");
    let archive = "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>";
    for (what, words) in [(days, "30 days old"), (archive, "to GLACIER")] {
        server.set_lifecycle(&format!("{UPLOADS}{}", rule("prod/nightly/", what)));
        let eats = seen(&lab, 1);
        assert_eq!(eats["state"], "failed");
        assert!(eats["message"].as_str().unwrap().contains(words), "{eats}");
    }
    // What was hidden is deleted: no matter where runs delete, but it is where they must not.
    let hidden = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
    server.set_lifecycle(&format!("{UPLOADS}{}", rule("", hidden)));
    assert_eq!(seen(&lab, 0)["state"], "ok");
    let append_only = b2_lab(&server, "sees", "append_only = true");
    let warned = seen(&append_only, 0);
    assert!(warned["message"].as_str().unwrap().contains("gone 1 days later"), "{warned}");
    // A key that may not see them.
    let unseen = seen(&b2_lab(&server, "k", ""), 0);
    assert_eq!(unseen["state"], "skipped");
    let message = unseen["message"].as_str().unwrap();
    assert!(
        message.contains("listBuckets") && message.contains("put-bucket-lifecycle"),
        "{message}"
    );
}

#[test]
fn nginx_is_judged_by_its_version() {
    let programs = Lab::new();
    let nginx = |version: &str| {
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in\n  *-V*) /usr/sbin/nginx -V 2>&1 | sed 's|nginx/[0-9.]*|nginx/{version}|' >&2 ;;\n\
             *) exec /usr/sbin/nginx \"$@\" ;;\nesac\n"
        );
        let path = programs.write("nginx", text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let path = nginx("1.28.0");
    let lab = Lab::new().with_config(
        &format!(
            "state = \"state\"\n[proxy]\ntype = \"nginx\"\nroot = \"nginx\"\nown_root = true\nbinary = {path:?}\n\
             [site.a]\nhosts = [\"a.example\"]\n[[site.a.routes]]\npath = \"/\"\nanswer = {{ body = \"x\" }}\n"
        ),
    );
    fs::create_dir(lab.path("nginx")).unwrap();
    let program =
        |code| check(&lab.run(&["--json", "doctor"]).expect_code(code), "proxy", "program");
    assert_eq!(program(0)["state"], "ok");
    nginx("1.22.1");
    let old = program(0);
    assert_eq!(old["state"], "warning");
    assert!(old["message"].as_str().unwrap().contains("`http2 on` is unknown"), "{old}");
    assert!(old["remedy"].as_str().unwrap().contains("nginx.org"), "{old}");
    nginx("1.16.1");
    let run = lab.run(&["--json", "doctor"]).expect_code(1);
    let refused = check(&run, "proxy", "sites");
    assert!(refused["message"].as_str().unwrap().contains("1.18 or later"), "{refused}");
    assert!(refused["remedy"].as_str().unwrap().contains("install nginx 1.26"), "{refused}");
}

#[test]
fn locks_are_looked_at_on_a_snapshot_and_nothing_that_is_tried_is_locked() {
    let server = Moto::start();
    server.make_bucket("locked", true);
    server.make_bucket("open", false);
    let lab = |bucket: &str, lock: &str| {
        let lab = Lab::new();
        lab.write("data/a", "x");
        lab.write("id", KEY_ID);
        lab.write("secret", SECRET);
        lab.with_config(&format!(
            "state = \"state\"\n[sink.off]\ntype = \"s3\"\nbucket = {bucket:?}\nendpoint = {:?}\n\
             allow_http = true\naccess_key_id = {{ file = \"id\" }}\n\
             secret_access_key = {{ file = \"secret\" }}\n{lock}\n{JOB}",
            server.url()
        ))
    };
    let wanted = "object_lock = { mode = \"governance\", retain = \"1d\" }";
    let locked = lab("locked", wanted);
    let run = locked.ok(&["--json", "doctor"]);
    assert_eq!(check(&run, "sink off", "object lock")["state"], "skipped");
    locked.ok(&["backup"]);
    let run = locked.ok(&["--json", "doctor"]);
    assert_eq!(check(&run, "sink off", "object lock")["state"], "ok");
    assert_eq!(check(&run, "sink off", "delete")["state"], "ok");
    // A snapshot from before the lock was asked for.
    let open = lab("open", "");
    open.ok(&["backup"]);
    let text = fs::read_to_string(open.path("seaworthy.toml")).unwrap();
    let open = open.with_config(&text.replace("allow_http", &format!("{wanted}\nallow_http")));
    let run = open.run(&["--json", "doctor"]).expect_code(1);
    assert_eq!(check(&run, "sink off", "object lock")["state"], "failed");
}

#[test]
fn certificates_are_looked_at_as_their_authority_will() {
    let lab = Lab::new().with_job(
        "sources.data = { type = \"files\", paths = [\"data\"] }\n\
         [tls]\nstore = \"tls\"\nresolvers = [\"127.0.0.1:1\"]\n\
         [ca.own]\ntype = \"self-signed\"\n\
         [ca.far]\ntype = \"acme\"\ndirectory = \"https://127.0.0.1:1/dir\"\nagree_tos = true\n\
         [certificate.inner]\nnames = [\"inner.test\"]\nca = [\"own\"]\n\
         [certificate.api]\nnames = [\"api.test\"]\nca = [\"far\"]\n\
         challenge = { type = \"http-01\", webroot = \"blocked/www\" }\n\
         deploy = [[\"no-such-program\"]]\n\
         [certificate.web]\nnames = [\"web.test\"]\nca = [\"far\"]\n\
         challenge = { type = \"http-01\", webroot = \"www/html\" }\n",
    );
    lab.write("blocked", "no folder");
    let run = lab.run(&["--json", "doctor"]).expect_code(1);
    assert_eq!(states(&run, "certificate inner"), ["names skipped", "store ok"]);
    let document = run.json();
    let all = document["result"]["checks"].as_array().unwrap().iter();
    let own = all.filter(|check| check["part"] == "certificate api" && check["state"] == "failed");
    let remedies: Vec<_> = own.map(|check| check["remedy"].as_str().unwrap()).collect();
    for word in ["create ", "install no-such-program"] {
        assert!(remedies.iter().any(|remedy| remedy.contains(word)), "{word}: {remedies:?}");
    }
    assert!(!lab.path("www").exists(), "what was made for an answer is gone");
    assert_eq!(check(&run, "ca far", "reach")["state"], "failed");
}

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
