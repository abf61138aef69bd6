//! The rendered ecosystem file under the real PM2: cluster, ports, memory limit, restart counts,
//! kill time-out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use seaworthy_service_config::Pm2Renderer;
use serde_json::Value;

use crate::{
    lab::{free_ports, get},
    support::{output, render, repository, run, said, services, written},
};

const PM2: &str = "pm2@7.0.4";
const PATIENCE: Duration = Duration::from_secs(90);

/// The program, installed on first use.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = repository().join("target/oracles").join(PM2);
        let program = folder.join("node_modules/.bin/pm2");
        let done = folder.join("installed");
        if !done.exists() {
            fs::create_dir_all(&folder).unwrap();
            let prefix = folder.to_str().unwrap();
            let arguments = ["install", "--prefix", prefix, "--no-audit", "--no-fund", PM2];
            let installed = run("npm", &arguments);
            assert!(installed.status.success(), "{}", said(&installed));
            fs::write(done, "").unwrap();
        }
        program
    })
}

/// A PM2 of its own.
struct Pm2(tempfile::TempDir);

impl Pm2 {
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program());
        command.args(arguments).env("PM2_HOME", self.0.path()).env("PM2_WORKER_INTERVAL", "500");
        command.current_dir(self.0.path());
        let output = output(&mut command);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The processes by their service's name.
    fn processes(&self, name: &str) -> Vec<Value> {
        let text = self.run(&["jlist"]);
        // A line of greeting may stand before it.
        let list =
            text.lines().find(|line| line.starts_with('[')).unwrap_or_else(|| panic!("{text}"));
        let all: Vec<Value> = serde_json::from_str(list).unwrap();
        all.into_iter().filter(|process| process["name"] == name).collect()
    }

    #[track_caller]
    fn wait(&self, name: &str, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let processes = self.processes(name);
            if wanted(&processes) {
                return processes;
            }
            let states: Vec<_> = processes
                .iter()
                .map(|p| (&p["pm2_env"]["status"], &p["pm2_env"]["restart_time"]))
                .collect();
            assert!(begun.elapsed() < PATIENCE, "{name} is never {what}: {states:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        let mut kill = Command::new(program());
        let _ = kill.arg("kill").env("PM2_HOME", self.0.path()).output();
    }
}

fn status(process: &Value) -> &str {
    process["pm2_env"]["status"].as_str().unwrap_or_default()
}

const SERVER: &str = r#"
const kept = [];
require("node:http").createServer((request, response) => {
  if (request.url === "/eat") kept.push(Buffer.alloc(400 << 20, 1));
  response.end(process.env.GREETING + " " + process.env.SECRET_NAME + "\n");
}).listen(Number(process.env.PORT), "127.0.0.1");
"#;

/// Takes longer to end than PM2 waits by default (1.6 s).
const SLOW: &str = r#"
setInterval(() => {}, 1000);
process.on("SIGINT", () => setTimeout(() => {
  require("node:fs").writeFileSync("ended", "by itself");
  process.exit(0);
}, 2500));
"#;

#[test]
fn pm2_runs_what_was_meant() {
    let pm2 = Pm2(tempfile::tempdir().unwrap());
    let app = tempfile::tempdir().unwrap();
    let here = app.path().to_str().unwrap();
    for (name, text) in [
        ("server.js", SERVER),
        ("slow.js", SLOW),
        ("crash.js", "process.exit(7)"),
        ("done.js", "process.exit(0)"),
        ("env", "# for tests\nSECRET_NAME='from the file'\n"),
    ] {
        fs::write(app.path().join(name), text).unwrap();
    }
    let port = free_ports(2);
    let model = services(&format!(
        "[service.web]\ncommand = [\"node\", \"server.js\"]\ndirectory = \"{here}\"\ninstances = 2\n\
         port = {port}\nmemory_max = \"300MiB\"\nenvironment = {{ GREETING = \"it's $x\" }}\n\
         environment_file = \"{here}/env\"\n\
         [service.crash]\ncommand = [\"node\", \"crash.js\"]\ndirectory = \"{here}\"\n\
         restarts = {{ max = 3, within = \"5m\" }}\n\
         [service.done]\ncommand = [\"node\", \"done.js\"]\ndirectory = \"{here}\"\n\
         [service.slow]\ncommand = [\"node\", \"slow.js\"]\ndirectory = \"{here}\"\nstop_timeout = \"20s\"\n\
         [service.shell]\ncommand = [\"sh\", \"-c\", \"echo \\\"$0\\\" > shell; exec sleep 600\", \"a 'b' $c\"]\n\
         directory = \"{here}\"\n"
    ));
    let files = written(&render(&Pm2Renderer, &model));
    let file = files.path().join("ecosystem.config.cjs");
    pm2.run(&["start", file.to_str().unwrap()]);

    // A cluster, each process on a port of its own.
    let web =
        pm2.wait("web", "online", |all| all.iter().filter(|p| status(p) == "online").count() == 2);
    assert!(web.iter().all(|p| p["pm2_env"]["exec_mode"] == "cluster_mode"), "{web:?}");
    for port in [port, port + 1] {
        let begun = Instant::now();
        let answer = loop {
            match get(port, "/") {
                Ok(answer) => break answer,
                Err(e) => assert!(begun.elapsed() < PATIENCE, "{port}: {e}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(answer, (200, "it's $x from the file".to_owned()));
    }

    // It gives up after this many runs, and does not restart what ended successfully.
    let crash = pm2.wait("crash", "given up", |all| all.iter().all(|p| status(p) == "errored"));
    assert_eq!(crash[0]["pm2_env"]["restart_time"], 2, "{crash:?}");
    let done = pm2.wait("done", "stopped", |all| all.iter().all(|p| status(p) == "stopped"));
    assert_eq!(done[0]["pm2_env"]["restart_time"], 0, "{done:?}");

    // Arguments are what they are.
    let shell = fs::read_to_string(app.path().join("shell")).unwrap();
    assert_eq!(shell, "a 'b' $c\n");

    // Who takes too much memory is started again.
    get(port, "/eat").unwrap();
    pm2.wait("web", "restarted", |all| {
        all.iter().any(|p| p["pm2_env"]["restart_time"].as_u64() >= Some(1))
    });

    // Who needs time to end gets it.
    pm2.wait("slow", "online", |all| all.iter().all(|p| status(p) == "online"));
    pm2.run(&["stop", "slow"]);
    assert_eq!(fs::read_to_string(app.path().join("ended")).unwrap(), "by itself");
}
