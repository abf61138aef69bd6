//! `service` and `deploy` as users type them. A small supervisor called `systemctl` is in PATH if
//! process 1 is not systemd.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

const SERVER: &str = r#"
import http.server, os, signal, sys
version = open("version").read().strip()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if version == "bad" else 200)
        self.end_headers()
        self.wfile.write(version.encode())
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

struct Lab {
    folder: tempfile::TempDir,
    port: u16,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_ports();
        let lab = Self { folder, port };
        fs::set_permissions(lab.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["bin", "units/system", "supervisor"] {
            fs::create_dir_all(lab.path(name)).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../service-config/tests/support/systemctl.py");
        let text = format!(
            "#!/bin/sh\nexec python3 '{}' {} {} \"$@\"\n",
            script.display(),
            lab.path("units/system").display(),
            lab.path("supervisor").display()
        );
        fs::write(lab.path("bin/systemctl"), text).unwrap();
        fs::set_permissions(lab.path("bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        lab.app("one");
        lab.config("");
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn app(&self, version: &str) {
        fs::create_dir_all(self.path(version)).unwrap();
        fs::write(self.path(version).join("server.py"), SERVER).unwrap();
        fs::write(self.path(version).join("version"), version).unwrap();
    }

    fn config(&self, more: &str) {
        let text = format!(
            "state = \"state\"\ntime_zone = \"Europe/Paris\"\n[service.api]\n\
             command = [\"/usr/bin/python3\", \"server.py\"]\ndirectory = \"api\"\nport = {}\n\
             instances = 2\nhealth = \"/\"\nstart_timeout = \"15s\"\nuser = \"daemon\"\n{more}\n\
             [service.api.deploy]\nkeep = 2\n",
            self.port
        );
        fs::write(self.path("seaworthy.toml"), text).unwrap();
    }

    /// Runs the program; the document, and the exit code.
    #[track_caller]
    fn run(&self, words: &str, code: i32) -> (Value, String) {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
            .args(words.split_whitespace())
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env_remove("SEAWORTHY_CONFIG")
            .env_remove("STATE_DIRECTORY")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words}: {out}\n{errors}");
        let json = serde_json::from_str(&out).unwrap_or(Value::Null);
        (json, format!("{out}{errors}"))
    }

    fn get(&self, instance: u16) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port + instance)).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split("\r\n\r\n").nth(1).map(str::to_owned)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.path("supervisor")).unwrap().flatten() {
            if entry.path().extension().is_some_and(|e| e == "pid")
                && let Ok(pid) = fs::read_to_string(entry.path())
                && !pid.is_empty()
            {
                let _ = Command::new("kill").args(["-9", &pid]).stderr(Stdio::null()).status();
            }
        }
    }
}

/// Ten ports on which nothing listens, below those that the kernel gives to outgoing connections.
fn free_ports() -> u16 {
    let mut port = 9_000 + (std::process::id() * 67 % 900) as u16;
    loop {
        if (port..port + 10).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
        port += 10;
    }
}

#[test]
fn services_are_installed_deployed_and_looked_after() {
    let lab = Lab::new();
    let apply = "service apply --json --detailed-exit-code --folder units/system";

    // Nothing is touched before it is asked for.
    let (json, _) = lab.run("service render --json", 0);
    let units: Vec<_> = json["result"]["files"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(units, ["seaworthy-api.target", "seaworthy-api@.service"]);
    lab.run("service check --folder units/system", 0);
    let (json, _) = lab.run(&format!("{apply} --dry-run"), 0);
    assert_eq!(json["result"]["state"], "would_change");
    lab.run("service diff --folder units/system", 1);
    assert_eq!(fs::read_dir(lab.path("units/system")).unwrap().count(), 0);

    // Installed, and waiting for a first release.
    let (json, _) = lab.run(apply, 0);
    assert_eq!(json["result"]["state"], "changed");
    let (json, _) = lab.run(apply, 4);
    assert_eq!((&json["outcome"], &json["exit_code"]), (&"nothing_to_do".into(), &4.into()));
    lab.run("service diff --folder units/system", 0);
    lab.run("service start api", 1);
    lab.run("service status", 1);

    let (json, _) = lab.run("deploy api --from one --json", 0);
    assert_eq!(json["result"]["before"], Value::Null);
    assert_eq!((lab.get(0), lab.get(1)), (Some("one".into()), Some("one".into())));
    let (json, _) = lab.run("service status --json", 0);
    let instance = &json["result"]["services"][0]["instances"][1];
    assert_eq!(instance["state"], "active");
    assert_eq!(instance["address"], format!("127.0.0.1:{}", lab.port + 1));
    let (_, said) = lab.run("service restart api", 0);
    assert!(said.starts_with("restarted api\n"), "{said}");

    // An unhealthy release is rolled back.
    lab.app("bad");
    let short = "start_timeout = \"2s\"";
    let text = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    fs::write(lab.path("seaworthy.toml"), text.replace("start_timeout = \"15s\"", short)).unwrap();
    let (json, _) = lab.run("deploy api --from bad --json", 1);
    assert_eq!(json["error"]["kind"], "unavailable", "{json}");
    assert!(json["error"]["context"]["rolled back to"].is_string());
    assert_eq!((lab.get(0), lab.get(1)), (Some("one".into()), Some("one".into())));
    lab.app("two");
    lab.config("");
    lab.run("deploy api --from two", 0);
    assert_eq!(lab.get(1), Some("two".into()));
    let (_, said) = lab.run("deploy api --rollback", 0);
    assert!(said.starts_with("api runs release "), "{said}");
    assert_eq!(lab.get(1), Some("one".into()));

    // Hand edits are told; an installation takes them back.
    let unit = lab.path("units/seaworthy/current/seaworthy-api.target");
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, format!("{text}# mine\n")).unwrap();
    let (json, _) = lab.run("service diff --json --folder units/system", 1);
    assert_eq!(json["result"]["changes"][0]["edited_by_hand"], true);
    let (_, said) = lab.run("service apply --folder units/system", 0);
    assert!(said.contains("edited by hand"), "{said}");

    lab.run("service stop api", 0);
    assert_eq!((lab.get(0), lab.get(1)), (None, None));
    let (_, said) = lab.run("service status api", 1);
    assert!(said.contains("api is NOT healthy"), "{said}");
}

#[test]
fn each_format_is_rendered_into_a_folder() {
    let lab = Lab::new();
    lab.config(
        "restart_schedule = \"0 4 * * *\"\n[service.api.ci.test.all]\nrun = [[\"make\", \"test\"]]",
    );
    // The machine's zone is the file's, or cron cannot say it.
    let text = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let text = text.replace("time_zone = \"Europe/Paris\"\n", "");
    fs::write(lab.path("seaworthy.toml"), text).unwrap();
    for (kind, file) in [
        ("systemd", "seaworthy-api-restart.timer"),
        ("pm2", "ecosystem.config.cjs"),
        ("cron", "seaworthy"),
        ("github-actions", "workflows/api.yml"),
    ] {
        lab.run(&format!("service render --type {kind} --out {kind}"), 0);
        let text = fs::read_to_string(lab.path(kind).join(file)).unwrap();
        assert!(text.contains("Written by Seaworthy"), "{text}");
        lab.run(&format!("service diff --type {kind} --out {kind}"), 0);
        fs::write(lab.path(kind).join(file), "mine").unwrap();
        lab.run(&format!("service diff --type {kind} --out {kind}"), 1);
        lab.run(&format!("service render --type {kind} --out {kind}"), 2);
    }
    for kind in ["pm2", "github-actions"] {
        let (_, said) = lab.run(&format!("service apply --type {kind}"), 2);
        assert!(said.contains("service render with --out"), "{said}");
    }
    fs::create_dir(lab.path("cron.d")).unwrap();
    lab.run("service apply --type cron --folder cron.d", 0);
    let text = fs::read_to_string(lab.path("cron.d/seaworthy")).unwrap();
    let line = text.lines().last().unwrap();
    assert!(
        line.starts_with("0 4 * * * root /") && line.ends_with(" service restart api"),
        "{line}"
    );
}

#[test]
fn what_is_wrong_names_its_line() {
    let lab = Lab::new();
    for (more, line, words) in [
        ("memory_max = \"lots\"", 11, "memory_max"),
        ("restarts = { max = 10, delay = \"1m\", within = \"5m\" }", 11, "never happen"),
        ("environment = { API_TOKEN = \"x\" }", 11, "looks like a secret"),
        ("instance = 3", 11, "did you mean \"instances\"?"),
        ("relax = { home = \"\" }", 11, "it is empty"),
        ("[service.other]\ncommand = [\"a\"]\nport = 1", 13, "below 1024"),
    ] {
        lab.config(more);
        let (_, said) = lab.run("config check", 2);
        assert!(
            said.contains(words) && said.contains(&format!("seaworthy.toml:{line}:")),
            "{said}"
        );
    }
    lab.config("");
    let (_, said) = lab.run("service restart apo", 2);
    assert!(said.contains("there is no [service.apo]"), "{said}");
    lab.run("deploy api", 2);
    lab.run("deploy api --from a --rollback", 2);
}
