//! Jobs with several sinks, and a command as a source, through the program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use seaworthy_tests::{Lab, noise, tree};

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
    assert!(lab.ok(&["sync"]).stdout.contains("offsite is up to date"));
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
    run.says(&["is damaged in sink local: using sink offsite"]);
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

/// The files of the snapshot's payloads in the first sink.
fn payloads(lab: &Lab) -> Vec<PathBuf> {
    let entries = fs::read_dir(lab.snapshots().remove(0)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("data.") || name.starts_with("app.")
        })
        .collect()
}

/// Inverts a bit of the byte in the middle of `file`.
fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// What the program sqlite3 answers to `sql`.
fn sqlite(database: &Path, sql: &str) -> Vec<u8> {
    let run = Command::new("sqlite3").arg(database).arg(sql).output().unwrap();
    assert!(run.status.success(), "{sql}");
    run.stdout
}

#[test]
fn bytes_that_turn_out_flipped_half_way_come_from_another_sink() {
    let plain = lab();
    let key = plain.ok(&["keygen", "age", "--out", "age.key"]).stdout;
    let encrypted = lab();
    fs::copy(plain.path("age.key"), encrypted.path("age.key")).unwrap();
    let encrypted =
        encrypted.with_line(&format!("encryption = {{ recipients = [{:?}] }}", key.trim()));
    for lab in [plain, encrypted] {
        for n in 0..4 {
            lab.write(&format!("data/large{n}"), noise(5_000_000, n));
        }
        let config = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
        let app = "[backup.nightly.sources.app]\ntype = \"sqlite\"\npath = \"app.db\"\n";
        let lab = lab.with_config(&format!("{config}{app}"));
        let app = lab.path("app.db");
        sqlite(&app, "CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(5000000))");
        lab.ok(&["backup"]);
        payloads(&lab).iter().for_each(|file| flip(file));
        let identity = ["--identity", "age.key"];
        let restore =
            |arguments: &[&str]| lab.run(&[&["restore", "nightly"], arguments, &identity].concat());
        let run = restore(&["--to", "back"]).expect_code(0);
        let run = run.says(&["is damaged in the frame at byte", "continuing from offsite"]);
        assert!(run.stdout.contains("from local and offsite"), "{}", run.stdout);
        let data = lab.path("back/data").join(lab.path("data").strip_prefix("/").unwrap());
        assert!(tree(&data) == tree(&lab.path("data")));
        let rows = "SELECT hex(a) FROM t";
        assert!(sqlite(&lab.path("back/app/app.db"), rows) == sqlite(&app, rows));
        // What is asked for alone, too. Each file has a frame that lies in the middle, or none.
        for n in 0..4 {
            let only = lab.path(&format!("data/large{n}"));
            let to = format!("only{n}");
            restore(&["--to", &to, "--only", only.to_str().unwrap()]).expect_code(0);
            let back = lab.path(&to).join(only.strip_prefix("/").unwrap());
            assert!(fs::read(back).unwrap() == fs::read(only).unwrap());
        }
        // In place: nothing was lost, and nothing half-written lies about.
        let before = tree(&lab.path("data"));
        let run = restore(&["--in-place", "--source", "data", "--yes"]).expect_code(0);
        run.says(&["continuing from offsite"]);
        assert!(tree(&lab.path("data")) == before);
        // Who names the damaged sink gets the truth of it, and nothing else.
        restore(&["--sink", "local", "--to", "no"]).expect_code(1).says(&["is damaged"]);
        assert!(!lab.path("no").exists());
        // Where all are damaged in the same place nothing helps.
        let data = payloads(&lab).into_iter().find(|path| path.to_str().unwrap().contains("data."));
        let copy = data.unwrap().to_str().unwrap().replace("/sink/", "/far/away/");
        flip(Path::new(&copy));
        restore(&["--to", "no"]).expect_code(1).says(&["is damaged"]);
        assert!(!lab.path("no").exists());
    }
}
