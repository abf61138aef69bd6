//! Words that mean something to systemd reach the program as they are, or are refused. The oracle is
//! systemd itself: what it says that it would run.

use std::process::Command;

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use seaworthy_core::{ConfigRenderer, ErrorKind};
use seaworthy_service_config::SystemdRenderer;

use crate::support::{output, render, said, services, try_services, written};

/// Services whose commands are these words.
fn model(commands: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (i, words) in commands.iter().enumerate() {
        let words = serde_json::to_string(words).unwrap();
        // JSON's escapes of these are not TOML's.
        let words = words.replace('\u{7f}', "\\u007f");
        text.push_str(&format!("[service.s{i}]\ncommand = {words}\nuser = \"daemon\"\n"));
    }
    text
}

/// What systemd would run for each service.
fn argv(text: &str, count: usize) -> Vec<Vec<String>> {
    let folder = written(&render(&SystemdRenderer, &services(text)));
    let wants: String = (0..count).map(|i| format!("Wants=seaworthy-s{i}.service\n")).collect();
    std::fs::write(folder.path().join("all.target"), format!("[Unit]\n{wants}")).unwrap();
    let mut command = Command::new("setpriv");
    // It refuses to run as root.
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "/lib/systemd/systemd"])
        .args(["--test", "--system", "--unit=all.target"])
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()))
        .env("LANG", "C.UTF-8");
    let said = said(&output(&mut command));
    let mut found = vec![Vec::new(); count];
    let mut unit = None;
    // A word may end with a space of another kind.
    for line in said.lines().map(|line| line.trim_start_matches([' ', '\t'])) {
        if let Some(name) = line.strip_prefix("-> Unit ") {
            let number = name.strip_prefix("seaworthy-s").and_then(|n| n.strip_suffix(".service:"));
            unit = number.and_then(|number| number.parse::<usize>().ok());
        } else if let (Some(i), Some(line)) = (unit, line.strip_prefix("Command Line: ")) {
            assert!(found[i].is_empty(), "more than one command: {line}");
            found[i] = words(line);
        }
    }
    found
}

/// Undoes systemd's quoting for a shell: bare words, and words in double quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let mut word = String::new();
        let mut chars = rest.char_indices();
        let quoted = rest.starts_with('"');
        if quoted {
            chars.next();
        }
        let mut end = rest.len();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' if quoted => word.extend(chars.next().map(|(_, c)| c)),
                '"' if quoted => {
                    end = i + 1;
                    break;
                }
                ' ' if !quoted => {
                    end = i;
                    break;
                }
                c => word.push(c),
            }
        }
        words.push(word);
        rest = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
    }
    // A doubled dollar sign becomes one when the program is started, in arguments only.
    words.iter_mut().skip(1).for_each(|word| *word = word.replace("$$", "$"));
    words
}

#[test]
fn systemd_would_run_the_words_as_they_are() {
    let sharp = prop::collection::vec(
        prop::sample::select(vec![
            "$", "$$", "${", "}", "%", "%%", "%i", "%n", "\\", "\\\\", "\"", "'", ";", " ", "#",
            "a", "\\n", "\\x41", "@", "-", "+", "!", ":", "*", "~", "é", "|", "&", "<", "=",
            "$HOME", "\\",
        ]),
        0..6,
    )
    .prop_map(|pieces| pieces.concat());
    let word = prop_oneof![4 => sharp, 1 => "[^\\pC]{0,12}"];
    let command = prop::collection::vec(word, 1..4);
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..6 {
        let commands: Vec<Vec<String>> = (0..40)
            .map(|_| {
                let mut words = command.new_tree(&mut runner).unwrap().current();
                words.insert(0, "/bin/true".to_owned());
                words
            })
            .collect();
        let text = model(&commands);
        let found = argv(&text, commands.len());
        for (meant, found) in commands.iter().zip(&found) {
            assert_eq!(found, meant);
        }
    }
}

#[test]
fn what_no_file_can_carry_is_refused() {
    let fails = |text: &str| match try_services(text) {
        Err(_) => true,
        Ok(model) => SystemdRenderer.render(&model).is_err(),
    };
    let command = "[service.a]\ncommand = [\"/bin/true\"]\n";
    assert!(!fails(command));
    for line in [
        "environment = { A = \"a\\nExecStart=/bin/sh\" }",
        "environment = { \"A B\" = \"x\" }",
        "environment = { DB_PASSWORD = \"hunter2\" }",
        "environment = { DATABASE = \"postgres://u:hunter2@h/d\" }",
        "environment = { PORT = \"1\" }\nport = 3000",
        "user = \"root\\nExecStart=/bin/sh\"",
        "user = \"a b\"",
        "directory = \"/a\\n\"",
        "directory = \"/a\\\\\"",
        "writable = [\"-/etc\"]",
        "writable = [\"/a/../etc\"]",
        "environment_file = \"/a*\"",
        "description = \"x\\\\\"",
        "description = \"x\\ny\"",
        "after = [\"a.service b.service\"]",
        "health = \"/x\"",
        "port = 3000\nhealth = \"/ x\"",
        "port = 80",
        "port = 65535\ninstances = 2",
        "port = 0",
        "instances = 0",
        "instances = \"many\"",
        "cpu_quota = \"0%\"",
        "cpu_quota = \"2\"",
        "memory_max = \"1kB\"",
        "restarts = { max = 10, delay = \"10s\", within = \"1m\" }",
        "stop_signal = \"SIGKILL\"",
        "relax = { home = \"\" }",
        "relax = { everything = \"x\" }",
        "restart_schedule = \"0 0 L * *\"",
        "deploy = { }",
        "ci = { branch = \"a b\" }",
        "ci = { branch = \"a'\" }",
        "ci = { test = { t = { run = [[\"echo\", \"${{ github.event.issue.title }}\"]] } } }",
        "unknown = 1",
    ] {
        assert!(fails(&format!("{command}{line}\n")), "{line}");
    }
    for program in ["-a", "@a", "!a", "+a", ":a", "|a", "bin/a", "$x", "a;b", "", "a\\nb"] {
        assert!(fails(&format!("[service.a]\ncommand = [\"{program}\"]\n")), "{program}");
    }
    let two = "[service.a]\ncommand = [\"a\"]\nport = 3000\ninstances = 2\n\
               [service.b]\ncommand = [\"b\"]\nport = 3001\n";
    let error = SystemdRenderer.render(&services(two)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("port 3001 is taken by [service.a]"), "{error}");
}
