//! A folder with units, a replacement for systemd if process 1 is another program, and Node
//! servers.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use seaworthy_core::{Applied, CommandLine, Context, Name, apply};
use seaworthy_service_config::{Services, Systemctl, SystemdInstaller};

const PATIENCE: Duration = Duration::from_secs(30);

/// Answers with its version and its process; ends what it has begun when it is asked to stop.
/// `WELL=no` makes it answer 503.
pub(crate) const SERVER: &str = r#"
const version = require("node:fs").readFileSync("version", "utf8").trim();
const server = require("node:http").createServer((request, response) => {
  const bad = version.startsWith("bad") || process.env.WELL === "no";
  response.statusCode = bad ? 503 : 200;
  if (closing) response.shouldKeepAlive = false;
  setTimeout(() => response.end(version + " " + process.pid + " " + (process.env.NOTE || "") + "\n"), 3);
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.env.PORT), "127.0.0.1");
let closing = false;
process.on("SIGTERM", () => {
  closing = true;
  // Answers what was asked, and closes each connection behind its last answer.
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
"#;

/// The first of `count` ports on which nothing listens. Below those that the kernel gives to
/// outgoing connections; other test programs begin elsewhere.
pub(crate) fn free_ports(count: u16) -> u16 {
    // The next ones are for trials.
    let count = count + 5;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(u32::from(count), Ordering::Relaxed);
        let next = std::process::id() * 211 + step;
        let first = 10_000 + (next % 8_000) as u16;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + count).all(free) {
            return first;
        }
    }
}

pub(crate) struct Lab {
    folder: tempfile::TempDir,
    nginx: Option<Child>,
    pub(crate) cx: Context,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["systemd/system", "state", "app"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let lab = Self { folder, nginx: None, cx: Context::new() };
        lab.write_app("app", "one");
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A version of the service's files.
    pub(crate) fn write_app(&self, folder: &str, version: &str) -> PathBuf {
        let path = self.path(folder);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("server.js"), SERVER).unwrap();
        fs::write(path.join("version"), version).unwrap();
        path
    }

    pub(crate) fn systemctl_words(&self) -> Vec<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/systemctl.py");
        let words =
            [PathBuf::from("python3"), script, self.path("systemd/system"), self.path("state")];
        words.map(|word| word.to_str().unwrap().to_owned()).to_vec()
    }

    pub(crate) fn systemctl(&self) -> Systemctl {
        Systemctl::new(CommandLine::new(self.systemctl_words()).unwrap())
    }

    /// The model of `text`, whose paths below /lab lead here.
    pub(crate) fn model(&self, text: &str) -> Services {
        let here = self.folder.path().to_str().unwrap();
        let mut model = crate::support::services(&text.replace("/lab", here));
        model.runner = None;
        model.program = CommandLine::new(["/bin/true"]).unwrap();
        model
    }

    pub(crate) fn installer(&self, model: &Services) -> SystemdInstaller {
        SystemdInstaller::new(model.clone())
            .unwrap()
            .with_folder(self.path("systemd/system"))
            .with_systemctl(self.systemctl())
    }

    pub(crate) async fn apply(&self, text: &str) -> seaworthy_core::Result<Applied> {
        let installer = self.installer(&self.model(text));
        let files = installer.files().clone();
        apply(&installer.generations(), files, &installer, &self.cx).await
    }

    pub(crate) async fn restart(&self, text: &str, name: &str) -> seaworthy_core::Result<()> {
        let (model, systemctl) = (self.model(text), self.systemctl());
        let name = Name::new(name).unwrap();
        model.control(&name, &systemctl)?.restart(&self.cx).await
    }

    /// What was asked of systemctl since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        let path = self.path("state/calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().filter(|line| !line.starts_with("show")).map(str::to_owned).collect()
    }

    /// nginx with a pool of these ports, as a site with `{ service = … }` has it; gives its port.
    pub(crate) fn nginx(&mut self, ports: &[u16]) -> u16 {
        let port = free_ports(1);
        let here = self.folder.path().display();
        let servers: String =
            ports.iter().map(|p| format!("server 127.0.0.1:{p} max_fails=0; ")).collect();
        let text = format!(
            "daemon off; pid {here}/nginx.pid; error_log {here}/error.log;\n\
             events {{ worker_connections 512; }}\nhttp {{ access_log off;\n\
             client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;\n\
             uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n\
             upstream api {{ {servers} keepalive 32; }}\n\
             server {{ listen 127.0.0.1:{port};\n\
             location / {{ proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}\n\
             }} }}\n"
        );
        fs::write(self.path("nginx.conf"), text).unwrap();
        let child = Command::new("/usr/sbin/nginx")
            .args(["-c", self.path("nginx.conf").to_str().unwrap(), "-e", "stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run nginx: {e}; apt-get install nginx"));
        self.nginx = Some(child);
        let begun = Instant::now();
        while get(port, "/").is_err() {
            assert!(begun.elapsed() < PATIENCE, "nginx does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
        port
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(mut nginx) = self.nginx.take() {
            // Asked to end, the main process takes its workers along.
            let _ = Command::new("kill").arg(nginx.id().to_string()).status();
            let _ = nginx.wait();
        }
        for entry in fs::read_dir(self.path("state")).unwrap().flatten() {
            if entry.path().extension().is_some_and(|e| e == "pid")
                && let Ok(pid) = fs::read_to_string(entry.path())
                && !pid.is_empty()
            {
                let _ = Command::new("kill").args(["-9", &pid]).stderr(Stdio::null()).status();
            }
        }
    }
}

/// The status and the body of an answer.
pub(crate) fn get(port: u16, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("no answer"))?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    // A chunk's length stands before it.
    let body = body.lines().find(|line| line.contains(' ')).unwrap_or(body).trim().to_owned();
    Ok((status, body))
}

/// Clients that ask without a pause until they are stopped.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<(usize, Vec<String>)>>,
}

impl Clients {
    pub(crate) fn start(port: u16, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..count).map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let (mut asked, mut lost) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    asked += 1;
                    match get(port, "/") {
                        Ok((200, _)) => {}
                        other => lost.push(format!("{other:?}")),
                    }
                }
                (asked, lost)
            })
        });
        Self { threads: threads.collect(), stop }
    }

    /// How many requests were made, and what became of those that were lost.
    pub(crate) fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = (0, Vec::new());
        for thread in self.threads {
            let (asked, lost) = thread.join().unwrap();
            all.0 += asked;
            all.1.extend(lost);
        }
        all
    }
}
