//! Drills of files and SQLite databases: restored, compared, asked, recorded, removed.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use rusqlite::Connection;
use seaworthy_tests::{Lab, noise};
use serde_json::Value;

fn remains(lab: &Lab) -> Vec<String> {
    let names = fs::read_dir(lab.path(".")).unwrap().map(|e| e.unwrap().file_name());
    names.filter_map(|n| n.into_string().ok()).filter(|n| n.starts_with("seaworthy-")).collect()
}

fn records(folder: &Path) -> Vec<Value> {
    let Ok(entries) = fs::read_dir(folder.join("checks")) else { return Vec::new() };
    let read = |entry: std::io::Result<fs::DirEntry>| {
        serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap()
    };
    entries.map(read).collect()
}

/// A lab with files of many kinds and an SQLite database.
fn lab(checks: &str) -> Lab {
    let lab = Lab::new().with_job(&format!(
        "[backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"data\"]\n\
         [backup.nightly.sources.app]\ntype = \"sqlite\"\npath = \"app.db\"\n\
         [backup.nightly.drill]\nchecks = [{checks}]\n"
    ));
    for n in 0..50 {
        lab.write(&format!("data/folder {}/file {n}", n % 3), noise(1000 * n, n as u64));
    }
    lab.write("data/large", noise(20 << 20, 1));
    let sparse = fs::File::create(lab.path("data/sparse")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"in the middle", 40 << 20).unwrap();
    sparse.set_len(80 << 20).unwrap();
    symlink("/nowhere", lab.path("data/link")).unwrap();
    fs::hard_link(lab.path("data/large"), lab.path("data/large again")).unwrap();
    fs::create_dir(lab.path("data/closed")).unwrap();
    fs::set_permissions(lab.path("data/closed"), fs::Permissions::from_mode(0o500)).unwrap();
    let app = Connection::open(lab.path("app.db")).unwrap();
    app.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE users (name); INSERT INTO users VALUES ('a'), ('b');")
        .unwrap();
    lab
}

#[test]
fn everything_is_compared_and_nothing_is_left() {
    let lab = lab("\"select count(*) = 2 from users\"");
    lab.ok(&["backup"]);
    let run = lab.ok(&["drill", "--json"]).json();
    assert_eq!((&run["outcome"], &run["exit_code"]), (&"done".into(), &0.into()));
    let report = &run["result"]["drilled"][0]["report"];
    assert_eq!((&report["outcome"], &report["complete"]), (&"ok".into(), &true.into()));
    let (data, app) = (&report["sources"][0], &report["sources"][1]);
    assert_eq!(data["compared"], 54, "folders are no files: {data}");
    assert_eq!((&app["compared"], &app["checks"]), (&1.into(), &1.into()));
    assert_eq!(remains(&lab), [""; 0]);
    let kept = records(&lab.snapshots()[0]);
    assert_eq!((&kept[0]["kind"], &kept[0]["outcome"]), (&"drill".into(), &"ok".into()));
    let text = lab.ok(&["drill", "nightly"]).stdout;
    assert!(text.contains("data: ok") && text.contains("1 check passed"), "{text}");
}

#[test]
fn for_others_than_root_as_well() {
    let lab = lab("").unprivileged();
    lab.ok(&["backup"]);
    lab.ok(&["drill"]);
    assert_eq!(remains(&lab), [""; 0]);
}

#[test]
fn damage_and_wrong_answers_fail_it_and_the_snapshot_is_not_good() {
    let lab = lab("\"select count(*) > 2 from users\"");
    lab.ok(&["backup"]);
    let payload = lab.snapshots()[0].join("data.tar.zst");
    let mut bytes = fs::read(&payload).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&payload, bytes).unwrap();
    let run = lab.run(&["drill", "--json"]).expect_code(1).json();
    assert_eq!(run["outcome"], "findings");
    let sources = &run["result"]["drilled"][0]["report"]["sources"];
    assert!(sources[0]["findings"][0].as_str().unwrap().contains("damaged"), "{sources}");
    assert!(sources[1]["findings"][0].as_str().unwrap().contains("does not return true"));
    assert_eq!(remains(&lab), [""; 0]);
    let list = lab.ok(&["snapshots"]).stdout;
    assert!(list.contains("damaged"), "{list}");
    lab.run(&["drill"]).expect_code(2).says(&["no good snapshot"]);
}

#[test]
fn a_place_that_will_not_do_says_nothing_about_the_snapshot() {
    let lab = lab("");
    lab.ok(&["backup"]);
    let config = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let lab = lab.with_config(&config.replace("temp = \".\"", "temp = \"/proc\""));
    let run = lab.run(&["drill"]).expect_code(3);
    assert!(run.stdout.contains("inconclusive") && run.stdout.contains("/proc"), "{}", run.stdout);
    assert!(lab.ok(&["snapshots"]).stdout.contains("good"));
}
