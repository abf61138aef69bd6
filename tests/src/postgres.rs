//! A throw-away PostgreSQL server, and what tests do with it.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Where the server programs are: those that `SEAWORTHY_TEST_POSTGRES` names, else Debian's.
fn programs() -> PathBuf {
    let other = std::env::var_os("SEAWORTHY_TEST_POSTGRES");
    other.map_or_else(|| PathBuf::from("/usr/lib/postgresql/15/bin"), PathBuf::from)
}

/// A server in a temporary folder. It ends, and the folder goes, when this process does.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    /// Its port, on 127.0.0.1 and in the names of its sockets.
    pub port: u16,
    child: Child,
    /// Closing it stops the server.
    stdin: Option<ChildStdin>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// The server that most tests share, each with databases of its own.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// A name that no other test uses.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A program of the server.
pub fn program(name: &str) -> PathBuf {
    programs().join(name)
}

impl Server {
    /// Starts a server of its own.
    pub fn start() -> Self {
        assert!(
            program("initdb").exists(),
            "{} is missing: apt-get install postgresql-15 postgresql-contrib",
            programs().display()
        );
        let folder = tempfile::Builder::new().prefix("seaworthy-pg-").tempdir().unwrap().keep();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The server programs refuse to run as root. Autovacuum is off: when it comes is chance, which no
        // test may depend on.
        let (user, own, own_key) = if rustix::process::geteuid().is_root() {
            (
                "setpriv --reuid=nobody --regid=nogroup --clear-groups",
                "chown nobody .",
                "chown nobody server.key",
            )
        } else {
            ("", "true", "true")
        };
        let script = format!(
            "set -e; cd {folder}; {own}; chmod 755 .; echo secret > password; chmod 644 password
             {user} {programs}/initdb -D data -U postgres --pwfile=password -A trust -N \
               --encoding=UTF8 --locale=C.UTF-8 > initdb.log 2>&1
             case $({programs}/pg_config --configure) in
               *--with-openssl*|*--with-ssl*) tls=on host=hostssl;;
               *) tls=off host=host;;
             esac
             printf 'local all all trust\\n%s all all all scram-sha-256\\n' $host > hba; chmod 644 hba
             {user} cp hba data/pg_hba.conf
             key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2'
             openssl req -x509 $key -subj /CN=ours -keyout ca.key -out ca.pem 2> openssl.log
             openssl req -x509 $key -subj /CN=other -keyout other.key -out other.pem 2>> openssl.log
             openssl req $key -subj /CN=localhost -keyout server.key -out server.csr 2>> openssl.log
             echo subjectAltName=DNS:localhost > names
             openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
               -extfile names -out server.pem 2>> openssl.log
             chmod 600 server.key; {own_key}
             {user} {programs}/pg_ctl -D {folder}/data -w -l data/log -o \
               '-k {folder} -p {port} -c listen_addresses=127.0.0.1 -c fsync=off \
                -c autovacuum=off -c ssl='$tls' \
                -c ssl_cert_file={folder}/server.pem -c ssl_key_file={folder}/server.key' start > /dev/null
             echo ready
             cat > /dev/null
             {user} {programs}/pg_ctl -D {folder}/data -w -m immediate stop > /dev/null 2>&1 || true
             rm -rf {folder}",
            folder = folder.display(),
            programs = programs().display()
        );
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the server did not start; see {}", folder.display());
        let stdin = child.stdin.take();
        Self { folder, port, child, stdin }
    }

    /// Stops the server at once, as a crash would.
    pub fn crash(&self) {
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        assert!(Command::new("kill").args(["-QUIT", &pid]).status().unwrap().success());
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How libpq's programs and we reach `database` as a superuser.
    pub fn url(&self, database: &str) -> String {
        format!(
            "host={} port={} user=postgres dbname='{database}'",
            self.folder.display(),
            self.port
        )
    }

    /// Runs a program of PostgreSQL against `database`, feeds it `input` and returns its output.
    pub fn run(&self, name: &str, arguments: &[&str], database: &str, input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program(name))
            .args(arguments)
            .args(["-d", &self.url(database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // A program that fails early says why by its exit status.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {arguments:?}: {errors}");
        output.stdout
    }

    /// Runs SQL and returns the rows, without decoration.
    pub fn sql(&self, database: &str, sql: impl AsRef<[u8]>) -> String {
        let arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
        let out = self.run("psql", &arguments, database, sql.as_ref());
        String::from_utf8_lossy(&out).trim_end().to_owned()
    }

    /// Makes a database from SQL and returns its name.
    pub fn database(&self, name: &str, sql: impl AsRef<[u8]>) -> String {
        let name = unique(name);
        self.sql("postgres", format!("CREATE DATABASE {name}"));
        self.sql(&name, sql);
        name
    }

    /// `pg_dump -C` without what is random or names the database, as lines; after it each table's
    /// rows in a fixed order, for rows have no order of their own.
    pub fn dump_text(&self, database: &str) -> Vec<String> {
        let out = self.run("pg_dump", &["-C"], database, b"");
        let text = String::from_utf8_lossy(&out).replace(&format!("\"{database}\""), "THIS");
        let text = text.replace(database, "THIS");
        let mut lines = Vec::new();
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut table = None;
        for line in text.lines() {
            if line == "\\." {
                table = None;
            } else if let Some(table) = &table {
                tables.entry(String::clone(table)).or_default().push(line.to_owned());
            } else if !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict") {
                table = line.starts_with("COPY ").then(|| line.to_owned());
                lines.push(line.to_owned());
            }
        }
        for (table, mut rows) in tables {
            rows.sort();
            lines.push(table);
            lines.append(&mut rows);
        }
        lines
    }
}

/// Fails with the first lines that differ.
pub fn assert_same(left: &[String], right: &[String]) {
    for (n, (a, b)) in left.iter().zip(right).enumerate() {
        assert!(a == b, "line {n} differs:\n{}\n{a}\n{b}", left[n.saturating_sub(8)..n].join("\n"));
    }
    assert_eq!(left.len(), right.len());
}

/// Fails with the first lines that only one of them has.
pub fn assert_same_set(left: &[String], right: &[String]) {
    let sorted = |lines: &[String]| {
        let mut lines: Vec<_> = lines.iter().filter(|line| !line.is_empty()).cloned().collect();
        lines.sort();
        lines
    };
    assert_same(&sorted(left), &sorted(right));
}

/// A session of psql that stays open.
#[derive(Debug)]
pub struct Holder<'a> {
    server: &'a Server,
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// The process that serves it.
    pub pid: String,
}

impl<'a> Holder<'a> {
    /// Opens a session to `database`, runs `sql` and returns when it has.
    pub fn start(server: &'a Server, database: &str, sql: &str) -> Self {
        let mut child = Command::new(program("psql"))
            .args(["-X", "-q", "-A", "-t", "-d", &server.url(database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "SELECT pg_backend_pid();").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pid = lines.next().unwrap().unwrap();
        let mut holder = Self { server, child, stdin, lines, pid };
        holder.send(sql);
        holder
    }

    /// Runs `sql` and returns when it has.
    pub fn send(&mut self, sql: &str) {
        writeln!(self.stdin, "{sql}\n\\echo done").unwrap();
        assert!(self.lines.any(|line| line.unwrap() == "done"));
    }

    /// Whether the server has ended the session.
    pub fn is_gone(&self) -> bool {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", self.pid);
        self.server.sql("postgres", sql) == "0"
    }
}

impl Drop for Holder<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
