//! The doctor: what works is said to, what does not is named with what to do, and nothing is left.

mod buckets;
mod databases;

use std::{fs, os::unix::fs::PermissionsExt as _};

use seaworthy_tests::{Lab, Run, tree};
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
