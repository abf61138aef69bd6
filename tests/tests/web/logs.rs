//! `seaworthy logs` as people type it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Stdio},
    time::{Duration, SystemTime},
};

use seaworthy_tests::Lab;
use serde_json::Value;

const ACCESS: &str = r#"203.0.113.9 - - [22/Nov/2026:10:00:00 +0000] "GET /users/1 HTTP/1.1" 200 12 "-" "x" 0.010
203.0.113.9 - - [22/Nov/2026:10:00:02 +0000] "GET /users/2 HTTP/1.1" 404 12 "-" "x" 0.020
198.51.100.7 - - [22/Nov/2026:10:00:04 +0000] "GET /slow HTTP/1.1" 502 12 "-" "x" 2.500
"#;

const APP: &str = "2026-11-22T10:00:01Z INFO started\n2026-11-22T10:00:03Z ERROR it failed\n  at f\n\
                   2026-11-22T10:00:05Z DEBUG \x1b[2Jwiped\n";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("access.log", ACCESS);
    lab.write("app.log", APP);
    lab
}

/// What was printed, one word for each line.
fn words(text: &str) -> Vec<String> {
    let marks = ["/users/1", "/users/2", "/slow", "started", "it failed", "at f", "wiped"];
    let mark = |line: &str| marks.iter().find(|mark| line.contains(**mark)).unwrap().to_string();
    text.lines().map(mark).collect()
}

#[test]
fn several_logs_are_merged_filtered_and_cut() {
    let lab = lab();
    let run = |more: &str| {
        let mut arguments = vec!["logs", "access.log", "app.log"];
        arguments.extend(more.split_whitespace());
        words(&lab.ok(&arguments).stdout)
    };
    let all = ["/users/1", "started", "/users/2", "it failed", "at f", "/slow", "wiped"];
    assert_eq!(run(""), all);
    assert_eq!(run("-n 2"), all[5..]);
    assert_eq!(run("-e"), all[3..6]);
    assert_eq!(run("-w"), all[2..6]);
    assert_eq!(run("-i"), all[..6]);
    assert_eq!(run("--since 2026-11-22T10:00:02Z --until 2026-11-22T10:00:04Z"), all[2..5]);
    assert_eq!(run("--grep users/[12] -w"), all[2..3]);
    assert_eq!(run("-e -n 1"), all[5..6]);
}

#[test]
fn colours_are_ours_and_nothing_else_is_obeyed() {
    let lab = lab();
    let plain = lab.ok(&["logs", "app.log"]).stdout;
    assert!(!plain.contains('\x1b') && plain.contains("\\x1b[2Jwiped"), "{plain:?}");
    let coloured = lab.ok(&["--color", "always", "logs", "app.log", "access.log"]).stdout;
    for part in [
        "\x1b[31mERROR\x1b[0m",
        "\x1b[32mINFO\x1b[0m",
        "\x1b[36mDEBUG\x1b[0m",
        "\x1b[32m200\x1b[0m",
        "\x1b[31m404\x1b[0m",
        "\x1b[31m502\x1b[0m",
        "\\x1b[2Jwiped",
    ] {
        assert!(coloured.contains(part), "{part:?} in {coloured:?}");
    }
}

#[test]
fn documents_hold_lines_and_counts() {
    let lab = lab();
    let document: Value =
        serde_json::from_str(&lab.ok(&["logs", "--json", "access.log"]).stdout).unwrap();
    let first = &document["result"]["lines"][0];
    assert_eq!((&first["status"], &first["level"]), (&Value::from(200), &Value::from("info")));
    assert_eq!(first["time"], "2026-11-22T10:00:00Z");
    let document: Value =
        serde_json::from_str(&lab.ok(&["logs", "--json", "--top", "access.log"]).stdout).unwrap();
    let top = &document["result"];
    assert_eq!(top["requests"], 3);
    assert_eq!(top["routes"][0]["route"], "GET /slow");
    assert_eq!(top["routes"][1]["route"], "GET /users/*");
    assert_eq!(top["clients"][0]["client"], "203.0.113.9");
    let text = lab.ok(&["logs", "--top=1", "access.log"]).stdout;
    for part in ["3 requests", "502", "2500.0", "GET /slow", "203.0.113.9"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("users"), "{text}");
}

#[test]
fn what_is_asked_wrongly_is_said() {
    let lab = lab();
    for (arguments, code, words) in [
        (&["logs", "none.log"][..], 1, "none.log"),
        (&["logs", "app.log", "--grep", "("], 2, "regular expression"),
        (&["logs", "app.log", "--since", "soon"], 2, "write it like"),
        (&["logs", "-e", "-w"], 2, "cannot be used with"),
        (&["logs", "--clean", "7d"], 2, "<FILE>"),
        (&["logs", "--json", "-f", "app.log"], 2, "never ends"),
    ] {
        let run = lab.run(arguments).expect_code(code);
        assert!(
            format!("{}{}", run.stdout, run.stderr).contains(words),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}

#[test]
fn cleaning_says_first_and_removes_then() {
    let lab = lab();
    for (name, days) in [("app.log.1", 1), ("app.log.2", 9), ("access.log.3", 30)] {
        let path = lab.write(name, APP);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    }
    let said = lab.ok(&["logs", "--clean", "7d", "--dry-run", "."]).stdout;
    assert!(said.contains("would remove") && lab.path("app.log.2").exists(), "{said}");
    let document: Value =
        serde_json::from_str(&lab.ok(&["logs", "--json", "--clean", "7d", "."]).stdout).unwrap();
    assert_eq!(document["result"]["removed"].as_array().unwrap().len(), 2);
    assert!(!lab.path("app.log.2").exists() && !lab.path("access.log.3").exists());
    assert!(lab.path("app.log.1").exists() && lab.path("app.log").exists());
}

/// A program that follows; ended by its own id.
struct Following(Child, BufReader<ChildStdout>);

impl Following {
    fn start(lab: &Lab, arguments: &[&str]) -> Self {
        let mut command = lab.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self(child, out)
    }

    /// Waits for the next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.1.read_line(&mut line).unwrap() > 0, "it ended");
        line.trim_end().to_owned()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn following_goes_on_through_rotation_and_ends_when_interrupted() {
    let lab = lab();
    let mut following = Following::start(&lab, &["logs", "-f", "-e", "-n", "1", "app.log"]);
    assert_eq!(following.line(), "  at f");
    let append = |text: &str| {
        let mut file = File::options().append(true).create(true).open(lab.path("app.log")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append("2026-11-22T10:00:06Z INFO fine\n2026-11-22T10:00:07Z ERROR one\n");
    assert_eq!(following.line(), "2026-11-22T10:00:07Z ERROR one");
    fs::rename(lab.path("app.log"), lab.path("app.log.1")).unwrap();
    append("2026-11-22T10:00:08Z ERROR two\n");
    assert_eq!(following.line(), "2026-11-22T10:00:08Z ERROR two");
    fs::write(lab.path("app.log"), "2026-11-22T10:00:09Z ERROR 3\n").unwrap();
    assert_eq!(following.line(), "2026-11-22T10:00:09Z ERROR 3");
    let pid = rustix::process::Pid::from_child(&following.0);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(following.0.wait().unwrap().code(), Some(130));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let lab = lab();
    lab.write("big.log", ACCESS.repeat(20_000));
    let mut following = Following::start(&lab, &["logs", "big.log"]);
    assert!(following.line().contains("/users/1"));
    // Closing the pipe ends it.
    let out = std::mem::replace(&mut following.1, BufReader::new(empty_pipe()));
    drop(out);
    assert_eq!(following.0.wait().unwrap().code(), Some(0));
}

/// The end of a pipe that nobody writes to.
fn empty_pipe() -> ChildStdout {
    let mut child = std::process::Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    child.wait().unwrap();
    child.stdout.take().unwrap()
}
