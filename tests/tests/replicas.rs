//! Jobs with several sinks, and a command as a source, through the program.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use seaworthy_tests::Lab;

const CONFIG: &str = r#"
state = "state"
[sink.local]
type = "local"
path = "sink"
[sink.offsite]
type = "local"
path = "far/away"
[backup.nightly]
sinks = ["local", "offsite"]
keep = { last = 1 }
[backup.nightly.keep_on.offsite]
last = 3
[backup.nightly.sources.data]
type = "files"
paths = ["data"]
[backup.nightly.sources.cache]
type = "command"
command = ["printf", "%s", "all the keys"]
name = "dump.rdb"
environment = { LANG = "C", TOKEN = { env = "HOME" } }
timeout = "5m"
"#;

fn lab() -> Lab {
    let lab = Lab::new().with_config(CONFIG);
    lab.write("data/a", "one");
    lab
}

#[test]
fn copies_are_made_listed_verified_and_restored_from() {
    let lab = lab();
    let run = lab.ok(&["backup"]);
    assert!(run.stdout.contains("copied") && run.stdout.contains("offsite"), "{}", run.stdout);
    lab.ok(&["backup"]);
    let listed = lab.ok(&["snapshots"]).stdout;
    assert_eq!(listed.matches("  good").count(), 3, "{listed}");
    lab.ok(&["verify", "--sink", "offsite"]);
    lab.ok(&[
        "restore",
        "nightly",
        "--sink",
        "offsite",
        "--to",
        lab.path("back").to_str().unwrap(),
    ]);
    assert_eq!(fs::read(lab.path("back/cache/cache.dump.rdb")).unwrap(), b"all the keys");
}

#[test]
fn a_sink_that_fails_is_exit_3_and_sync_catches_up() {
    let lab = lab();
    // A file where the folder should be.
    lab.write("far", "");
    let run = lab.run(&["backup"]).expect_code(3);
    assert!(run.stdout.contains("BEHIND    offsite"), "{}", run.stdout);
    assert_eq!(lab.snapshots().len(), 1);
    let run = lab.run(&["backup"]).expect_code(3);
    assert!(run.stdout.contains("still to be copied to offsite"), "{}", run.stdout);
    assert_eq!(lab.snapshots().len(), 2, "the first one is held");
    lab.run(&["sync"]).expect_code(3);
    fs::remove_file(lab.path("far")).unwrap();
    let run = lab.ok(&["sync", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["result"]["synced"][0]["copied"].as_array().unwrap().len(), 2);
    lab.ok(&["prune"]);
    assert_eq!(lab.snapshots().len(), 1);
    assert!(lab.ok(&["sync"]).stdout.contains("offsite lacks nothing"));
}

#[test]
fn where_the_first_sink_is_damaged_another_one_serves_and_it_is_said() {
    let lab = lab();
    lab.ok(&["backup"]);
    let snapshot = lab.snapshots().remove(0);
    fs::remove_file(snapshot.join("data.tar.zst")).unwrap();
    let id = snapshot.file_name().unwrap().to_str().unwrap().to_owned();
    let (name, to) = (format!("nightly@{id}"), lab.path("back"));
    let run = lab.ok(&["restore", &name, "--source", "data", "--to", to.to_str().unwrap()]);
    run.says(&["is damaged in local: taken from offsite"]);
    // The first sink alone is asked for: no way around it.
    let to = lab.path("again");
    lab.run(&["restore", &name, "--sink", "local", "--to", to.to_str().unwrap()]).expect_code(1);
}

#[test]
fn a_command_that_fails_late_stores_nothing_and_is_named() {
    let failing = CONFIG.replace(
        r#"["printf", "%s", "all the keys"]"#,
        r#"["sh", "-c", "echo half; echo no such table >&2; exit 4"]"#,
    );
    let lab = lab().with_config(&failing);
    lab.run(&["backup"]).expect_code(1).says(&["exit status: 4", "no such table"]);
    assert!(lab.snapshots().is_empty());
    let run = lab.with_config(&CONFIG.replace("dump.rdb", "tar"));
    run.run(&["backup"]).expect_code(2).says(&["a command's output cannot be called \"tar\""]);
}
