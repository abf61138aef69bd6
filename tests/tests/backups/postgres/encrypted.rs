//! An encrypted database: ours and stock tools' ways back, one table of it, and a copy elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use seaworthy_tests::postgres::{assert_same, assert_same_set, program, server, unique};

use super::support::*;

/// Large enough that a table among others is a small part of it.
const LARGE: &str = "
    CREATE TABLE big (t text);
    INSERT INTO big SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 300000) n GROUP BY n / 100;";

/// A shop whose backups are encrypted for `age.key`.
fn shop(sinks: &str) -> Shop {
    let mut shop = Shop::new(&format!("{SHOP}{LARGE}"), "");
    let public = shop.lab.ok(&["keygen", "age", "--out", "age.key"]).stdout;
    let config = fs::read_to_string(shop.lab.path("seaworthy.toml")).unwrap();
    let recipients = format!("encryption = {{ recipients = [{:?}] }}\n", public.trim());
    let config = config
        .replace("[backup.nightly]\n", &format!("{sinks}[backup.nightly]\n{recipients}"))
        .replace("sinks = [\"local\"]", "sinks = [\"local\", \"other\"]");
    shop.lab = shop.lab.with_config(&config);
    shop
}

const OTHER: &str = "[sink.other]\ntype = \"local\"\npath = \"other\"\n";

fn restore(shop: &Shop, rest: &[&str]) -> seaworthy_tests::Run {
    let arguments = ["restore", "nightly", "--source", "db", "--identity", "age.key"];
    shop.run(&[&arguments, rest].concat())
}

fn payload(shop: &Shop) -> PathBuf {
    shop.lab.snapshots()[0].join("db.sql.zst.age")
}

#[test]
fn an_encrypted_database_comes_back_whole_in_part_and_without_us() {
    let shop = shop(OTHER);
    shop.ok(&["backup"]);
    let before = server().dump_text(&shop.name);
    let (to, name) = target();
    restore(&shop, &["--to", &to]).expect_code(0);
    assert_same(&before, &server().dump_text(&name));

    // One table costs its own chunks and the definitions, not the payload.
    let (to, name) = target();
    let run = restore(&shop, &["--to", &to, "--only", "orders", "--json"]).expect_code(3);
    let fetched = run.json()["result"]["restored"][0]["fetched"].as_u64().unwrap();
    let stored = fs::metadata(payload(&shop)).unwrap().len();
    assert!(fetched > 0 && fetched * 5 < stored, "{fetched} of {stored}");
    let counts = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM big)";
    assert_eq!(server().sql(&name, counts), "4000|0");

    let other = unique("by_age");
    server().sql("postgres", format!("CREATE DATABASE {other}"));
    let pipe = format!(
        "set -euo pipefail; age -d -i age.key {} | zstd -dc | {} -X -q -v ON_ERROR_STOP=1 -d {:?}",
        payload(&shop).display(),
        program("psql").display(),
        server().url(&other)
    );
    let mut bash = Command::new("bash");
    let run = bash.args(["-c", &pipe]).current_dir(shop.lab.path(".")).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_same_set(&before, &server().dump_text(&other));

    let (to, name) = target();
    let mut without = shop.command(&["restore", "nightly", "--source", "db", "--to", &to]);
    let run = seaworthy_tests::Run::of(without.output().unwrap(), &[]);
    run.expect_code(2).says(&["no identity was given"]);
    assert!(databases(&name).is_empty());
}

/// Inverts a bit of every byte of `file` from `start` on.
fn spoil(file: &Path, start: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[start..].iter_mut().for_each(|byte| *byte ^= 1);
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_database_that_turns_out_damaged_half_way_comes_from_another_sink() {
    let shop = shop(OTHER);
    shop.ok(&["backup"]);
    spoil(&payload(&shop), 1_000_000);
    let (to, name) = target();
    restore(&shop, &["--to", &to]).expect_code(0).says(&["is damaged", "continuing from other"]);
    assert_same(&server().dump_text(&shop.name), &server().dump_text(&name));
    let (to, name) = target();
    restore(&shop, &["--to", &to, "--sink", "local"]).expect_code(1).says(&["is damaged"]);
    assert!(databases(&name).is_empty(), "half a database is left");
}
