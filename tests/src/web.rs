//! A real nginx in a lab, with a configuration of its own that is not ours, and servers behind it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use crate::Lab;

const NGINX: &str = "/usr/sbin/nginx";
const PATIENCE: Duration = Duration::from_secs(30);

/// A lab whose file is about a running nginx.
#[derive(Debug)]
pub struct WebLab {
    /// The folder and the program.
    pub lab: Lab,
    /// The port of plain HTTP.
    pub http: u16,
    /// The port of HTTPS.
    pub https: u16,
    nginx: Child,
}

/// A port that nobody listens on, below those of outgoing connections.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 89 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 12_000 + (next % 6_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Default for WebLab {
    fn default() -> Self {
        Self::new()
    }
}

impl WebLab {
    /// nginx serves `other.example`, and its file has the one include line of ours.
    pub fn new() -> Self {
        let lab = Lab::new();
        fs::set_permissions(lab.path("."), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["etc", "logs", "www"] {
            fs::create_dir_all(lab.path(folder)).unwrap();
        }
        let (http, https) = (free_port(), free_port());
        let here = lab.path("");
        let here = here.to_str().unwrap().trim_end_matches('/');
        let main = lab.write(
            "etc/nginx.conf",
            format!(
                "pid {here}/nginx.pid;\nerror_log {here}/logs/error.log;\n\
                 events {{ worker_connections 512; }}\nhttp {{\n    access_log off;\n    \
                 include {here}/etc/seaworthy/current/conf.d/*.conf;\n    \
                 server {{ listen 127.0.0.1:{http}; server_name other.example; location / {{ return 200 other; }} }}\n}}\n"
            ),
        );
        let errors = fs::File::create(lab.path("stderr")).unwrap();
        let nginx = Command::new(NGINX)
            .args(["-c", main.to_str().unwrap(), "-g", "daemon off;"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run nginx: {e}; apt-get install nginx"));
        let mut web = Self { lab, http, https, nginx };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", http)).is_err()
            || !web.lab.path("nginx.pid").exists()
        {
            let ended = web.nginx.try_wait().unwrap();
            let said = fs::read_to_string(web.lab.path("stderr")).unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "nginx does not start: {said}");
            std::thread::sleep(Duration::from_millis(5));
        }
        web
    }

    /// The text of a file for this nginx: `[proxy]` with `line`, and then `sites`.
    pub fn text(&self, line: &str, sites: &str) -> String {
        format!(
            "state = \"state\"\n[tls]\nstore = \"tls\"\n[proxy]\ntype = \"nginx\"\nroot = \"etc\"\n\
             pid = \"nginx.pid\"\nlogs = \"logs\"\naddresses = [\"127.0.0.1\"]\n\
             http_port = {}\nhttps_port = {}\n{line}\n{sites}",
            self.http, self.https
        )
    }

    /// Writes the file.
    pub fn configure(&self, line: &str, sites: &str) {
        self.lab.write("seaworthy.toml", self.text(line, sites));
    }

    /// Makes the certificate `name` for `host`, where the file says that it lies.
    pub fn certify(&self, name: &str, host: &str) {
        let live = format!("tls/live/{name}");
        fs::create_dir_all(self.lab.path(&live)).unwrap();
        let path = |file: &str| self.lab.path(&format!("{live}/{file}.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "30", "-subj", "/CN=lab", "-addext"])
            .arg(format!("subjectAltName=DNS:{host}"))
            .args(["-keyout", path("privkey").to_str().unwrap()])
            .args(["-out", path("fullchain").to_str().unwrap()])
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("cannot run openssl: apt-get install openssl").success());
    }

    /// The body that `host` answers with on plain HTTP, or why there is none.
    pub fn ask(&self, host: &str, path: &str) -> Result<String, String> {
        ask(self.http, host, path)
    }

    /// The same over TLS, where the certificate `name` must be the one that is shown.
    pub fn ask_tls(&self, name: &str, host: &str) -> String {
        let ca = self.lab.path(&format!("tls/live/{name}/fullchain.pem"));
        let resolve = format!("{host}:{}:127.0.0.1", self.https);
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "20", "--resolve", &resolve, "--cacert"])
            .arg(ca)
            .arg(format!("https://{host}:{}/", self.https))
            .output()
            .expect("cannot run curl: apt-get install curl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for WebLab {
    fn drop(&mut self) {
        let id = self.nginx.id().to_string();
        // SIGTERM lets the workers end too; SIGKILL would leave them behind.
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.nginx.wait();
    }
}

/// One request over a connection of its own: the body of a 200.
pub fn ask(port: u16, host: &str, path: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("cut off")?;
    let first = head.lines().next().unwrap_or_default();
    if first.starts_with("HTTP/1.1 200 ") { Ok(body.to_owned()) } else { Err(first.to_owned()) }
}

/// A server that answers everything with `name`. It ends with the test.
pub fn server(name: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(&stream, name));
        }
    });
    port
}

fn serve(stream: &TcpStream, name: &str) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length = name.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{name}");
        writer.write_all(answer.as_bytes()).ok()?;
    }
}
