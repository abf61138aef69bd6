//! A real nginx on free ports of this machine, in a folder of its own, with small servers behind.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use seaworthy_core::ConfigRenderer;
use seaworthy_proxy_config::{FilePath, NginxRenderer, Target, Web};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the examples' hosts need in a certificate.
const NAMES: &str = "DNS:*.flotteq.example,DNS:gw2.example,DNS:a.example,DNS:www.a.example,\
                     DNS:b.example,DNS:www.b.example";

/// An output of `program`; fails with the Debian package where it is missing.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    output.unwrap_or_else(|e| {
        panic!("cannot run {program}: {e}; apt-get install {}", package(program))
    })
}

fn package(program: &str) -> &str {
    match program.rsplit('/').next().unwrap() {
        "nginx" => "nginx",
        other => other,
    }
}

/// The machine's nginx.
pub(crate) fn nginx_target() -> Target {
    let output = run("/usr/sbin/nginx", &["-V"]);
    Target::parse(&String::from_utf8_lossy(&output.stderr)).unwrap()
}

/// A port on which nothing listens. Below those that the kernel gives to outgoing connections,
/// which could take it before nginx does; other test programs begin elsewhere.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 101 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 18_000 + (next % 14_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) struct Lab {
    folder: tempfile::TempDir,
    pub(crate) http: u16,
    pub(crate) https: u16,
    nginx: Option<Child>,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// A folder with a certificate, files and no nginx yet.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let lab = Self { folder, http: free_port(), https: free_port(), nginx: None };
        for folder in ["etc", "logs", "acme/.well-known/acme-challenge"] {
            fs::create_dir_all(lab.path(folder)).unwrap();
        }
        let (key, chain) = (lab.path("key.pem"), lab.path("chain.pem"));
        let san = format!("subjectAltName={NAMES}");
        let made = run(
            "openssl",
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=lab",
                "-addext",
                &san,
                "-keyout",
                key.to_str().unwrap(),
                "-out",
                chain.to_str().unwrap(),
            ],
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for name in ["api", "app", "partner", "driver", "admin", "gw2", "c"] {
            let live = lab.path("tls/live").join(name);
            fs::create_dir_all(&live).unwrap();
            fs::copy(&chain, live.join("fullchain.pem")).unwrap();
            fs::copy(&key, live.join("privkey.pem")).unwrap();
        }
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The model of a file whose paths and ports lead into this lab.
    pub(crate) fn web(&self, text: &str) -> Web {
        let here = self.folder.path().to_str().unwrap();
        let text = text
            .replace("/etc/nginx", &format!("{here}/etc"))
            .replace("/srv/", &format!("{here}/srv/"))
            .replace("/var/www/acme", &format!("{here}/acme"))
            .replacen(
                "[proxy]\n",
                &format!(
                    "[proxy]\nlogs = \"{here}/logs\"\npid = \"{here}/nginx.pid\"\n\
                     addresses = [\"127.0.0.1\"]\nhttp_port = {}\nhttps_port = {}\n",
                    self.http, self.https
                ),
                1,
            );
        let store = self.path("tls");
        let web = crate::support::try_web(&text, store.to_str().unwrap());
        let mut web = web.unwrap_or_else(|e| panic!("{e}"));
        // Whatever the text says: never the machine's own tree.
        web.proxy.root = FilePath::new(format!("{here}/etc")).unwrap();
        web
    }

    /// Renders `web` for this machine's nginx and boots it.
    pub(crate) fn boot(&mut self, web: &Web) {
        let files =
            NginxRenderer::new(nginx_target()).render(web).unwrap_or_else(|e| panic!("{e:?}"));
        files.write_to(&self.path("etc/seaworthy/current")).unwrap();
        let main = self.path("etc/nginx.conf");
        if web.proxy.own_root {
            std::os::unix::fs::symlink("seaworthy/current/nginx.conf", main).unwrap();
        } else {
            self.write_foreign_main();
        }
        self.start();
    }

    /// An nginx.conf that is not ours, like a distribution's, with the one include line.
    pub(crate) fn write_foreign_main(&self) {
        let here = self.folder.path().to_str().unwrap();
        self.write(
            "etc/nginx.conf",
            format!(
                "pid {here}/nginx.pid;\nerror_log {here}/logs/error.log;\nuser www-data;\n\
                 events {{ worker_connections 512; }}\nhttp {{\n    include /etc/nginx/mime.types;\n    \
                 ssl_prefer_server_ciphers on;\n    gzip on;\n    access_log {here}/logs/access.log;\n    \
                 include {here}/etc/seaworthy/current/conf.d/*.conf;\n}}\n"
            ),
        );
    }

    /// Starts nginx and waits until it answers.
    pub(crate) fn start(&mut self) {
        let main = self.path("etc/nginx.conf");
        let errors = fs::File::create(self.path("stderr")).unwrap();
        let child = Command::new("/usr/sbin/nginx")
            .args(["-c", main.to_str().unwrap(), "-g", "daemon off;"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run nginx: {e}; apt-get install nginx"));
        self.nginx = Some(child);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.http)).is_err()
            || !self.path("nginx.pid").exists()
        {
            let ended = self.nginx.as_mut().unwrap().try_wait().unwrap();
            let said = fs::read_to_string(self.path("stderr")).unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "nginx does not start: {said}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let said = fs::read_to_string(self.path("stderr")).unwrap();
        assert!(!said.contains("[warn]") && !said.contains("[emerg]"), "{said}");
    }

    /// A request by curl with more `arguments`.
    pub(crate) fn get(&self, url: &str, arguments: &[&str]) -> Answer {
        let answer = self.try_get(url, arguments);
        assert_eq!(answer.exit, Some(0), "{url}: curl failed: {}", answer.head);
        answer
    }

    /// The same, which may fail.
    pub(crate) fn try_get(&self, url: &str, arguments: &[&str]) -> Answer {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
        let port = if scheme == "https" { self.https } else { self.http };
        let url = format!("{scheme}://{host}:{port}/{path}");
        let resolve = format!("{host}:{port}:127.0.0.1");
        let ca = self.path("chain.pem");
        let mut all = vec!["-sS", "-i", "--http1.1", "--max-time", "20", "--path-as-is"];
        all.extend(["--resolve", &resolve, "--cacert", ca.to_str().unwrap()]);
        all.extend(arguments);
        all.push(&url);
        let output = run("curl", &all);
        let (head, body) = match output.stdout.windows(4).position(|w| w == b"\r\n\r\n") {
            Some(end) => (&output.stdout[..end], output.stdout[end + 4..].to_vec()),
            None => (&output.stderr[..], Vec::new()),
        };
        let head = String::from_utf8_lossy(head).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { exit: output.status.code(), status, head, body }
    }

    /// The statuses of `count` requests over one connection, as fast as they go.
    pub(crate) fn burst(
        &self,
        host: &str,
        path: &str,
        count: usize,
        arguments: &[&str],
    ) -> Vec<u16> {
        let url = format!("https://{host}:{}{path}?n=[1-{count}]", self.https);
        let resolve = format!("{host}:{}:127.0.0.1", self.https);
        let ca = self.path("chain.pem");
        let mut all = vec!["-s", "-o", "/dev/null", "-w", "%{http_code}\n", "--http1.1"];
        all.extend(["--resolve", &resolve, "--cacert", ca.to_str().unwrap()]);
        all.extend(arguments);
        all.push(&url);
        let output = run("curl", &all);
        let text = String::from_utf8(output.stdout).unwrap();
        let statuses: Vec<u16> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(statuses.len(), count);
        statuses
    }

    /// A TLS connection that carries what is written.
    pub(crate) fn tls(&self, host: &str) -> Tls {
        let address = format!("127.0.0.1:{}", self.https);
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect", &address, "-servername", host])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("cannot run openssl: apt-get install openssl");
        let output = BufReader::new(child.stdout.take().unwrap());
        Tls { child, output }
    }

    /// What `openssl s_client` says of a handshake, and whether it was made.
    pub(crate) fn handshake(&self, host: &str, arguments: &[&str]) -> (bool, String) {
        let address = format!("127.0.0.1:{}", self.https);
        let mut all = vec!["s_client", "-connect", &address, "-servername", host];
        all.extend(arguments);
        let output = run("openssl", &all);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let made = output.status.success() && !text.contains("Cipher is (NONE)");
        (made, text + &String::from_utf8_lossy(&output.stderr))
    }

    /// The log `name` once it has a whole line: nginx writes it after the answer.
    pub(crate) fn log(&self, name: &str) -> String {
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(self.path("logs").join(name)).unwrap_or_default();
            if text.ends_with('\n') {
                return text;
            }
            assert!(begun.elapsed() < PATIENCE, "{name} stays empty");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(mut nginx) = self.nginx.take() {
            let id = nginx.id().to_string();
            // SIGTERM lets the workers end too; SIGKILL would leave them behind.
            let _ = Command::new("kill").args(["-TERM", &id]).status();
            let _ = nginx.wait();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exit: Option<i32>,
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()).collect()
    }

    /// The only value of a header; empty if there is none.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        match self.all(name).as_slice() {
            [] => "",
            [value] => value,
            more => panic!("{name} is there {} times: {}", more.len(), self.head),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.text());
        self
    }
}

pub(crate) struct Tls {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Tls {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// The next head of an answer.
    pub(crate) fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.output.read_line(&mut head).unwrap() > 0, "it ended after {head:?}");
        }
        head
    }

    pub(crate) fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.output.read_exact(&mut bytes).unwrap();
        bytes
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server behind nginx: it answers with the request's head as text, says headers of its own, and
/// echoes what comes over a WebSocket. `/big` is a large JSON document. It ends with the test.
pub(crate) fn upstream(name: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream, name));
        }
    });
    port
}

fn serve(stream: TcpStream, name: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let lower = head.to_ascii_lowercase();
        if lower.contains("upgrade: websocket") {
            let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
            writer.write_all(answer.as_bytes()).ok()?;
            std::io::copy(&mut reader, &mut writer).ok()?;
            return None;
        }
        let length = lower
            .split("content-length: ")
            .nth(1)
            .and_then(|t| t.lines().next()?.trim().parse().ok());
        std::io::copy(&mut (&mut reader).take(length.unwrap_or(0)), &mut std::io::sink()).ok()?;
        let (kind, body) = if head.starts_with("GET /big") {
            (
                "application/json",
                format!("[{}]", "\"seaworthy\",".repeat(2000).trim_end_matches(',')),
            )
        } else {
            ("text/plain", format!("{name}\n{head}"))
        };
        let status = if head.contains("/missing") { "404 Not Found" } else { "200 OK" };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             X-Frame-Options: ALLOWALL\r\nX-Powered-By: tests\r\n\r\n{body}",
            body.len()
        );
        writer.write_all(answer.as_bytes()).ok()?;
    }
}
