//! Both ways back, in whole and in part, elsewhere and in place.

use std::{
    fs,
    process::{Command, Stdio},
};

use seaworthy_tests::{
    Run, noise,
    postgres::{assert_same, assert_same_set, program, server, unique},
};

use super::support::*;

#[test]
fn both_ways_back_give_the_same_database() {
    let shop = Shop::new(SHOP, "");
    shop.ok(&["backup"]);
    let (url, name) = target();
    shop.ok(&["restore", "nightly", "--source", "db", "--to", &url]);
    let before = server().dump_text(&shop.name);
    assert_same(&before, &server().dump_text(&name));

    let other = unique("by_psql");
    server().sql("postgres", format!("CREATE DATABASE {other}"));
    let payload = shop.lab.snapshots()[0].join("db.sql.zst");
    let mut zstd =
        Command::new("zstd").arg("-dc").arg(payload).stdout(Stdio::piped()).spawn().unwrap();
    let psql = Command::new(program("psql"))
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &server().url(&other)])
        .stdin(zstd.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(psql.status.success() && zstd.wait().unwrap().success(), "{psql:?}");
    assert_same_set(&before, &server().dump_text(&other));
}

/// Three tables that point to a fourth one.
const HUB: &str = "CREATE TABLE people (id int PRIMARY KEY);
    CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people);
    CREATE TABLE notes (id int PRIMARY KEY, person int REFERENCES people);
    CREATE TABLE \"Visits\" (id int PRIMARY KEY, person int REFERENCES people);
    INSERT INTO people SELECT generate_series(1, 20000);
    INSERT INTO orders SELECT n, n FROM generate_series(1, 2000) n;
    INSERT INTO notes SELECT id, person FROM orders; INSERT INTO \"Visits\" SELECT id, person FROM orders;
    ALTER TABLE orders ADD CONSTRAINT unchecked FOREIGN KEY (id) REFERENCES people NOT VALID;";

#[test]
fn foreign_keys_that_are_checked_side_by_side_are_as_they_were() {
    let shop = Shop::new(HUB, "");
    shop.ok(&["backup"]);
    let (url, name) = target();
    shop.ok(&["restore", "nightly", "--source", "db", "--to", &url]);
    assert_same(&server().dump_text(&shop.name), &server().dump_text(&name));
    let keys = "SELECT string_agg(conname || ' ' || convalidated, ', ' ORDER BY conname)
        FROM pg_constraint WHERE contype = 'f'";
    let checked =
        "Visits_person_fkey true, notes_person_fkey true, orders_person_fkey true, unchecked false";
    assert_eq!(server().sql(&name, keys), checked);

    // A row that could not have come in by itself.
    let broken = "SET session_replication_role = replica; INSERT INTO orders VALUES (0, 47110)";
    server().sql(&shop.name, broken);
    shop.ok(&["backup"]);
    let (url, name) = target();
    shop.run(&["restore", "nightly", "--source", "db", "--to", &url])
        .expect_code(1)
        .says(&["VALIDATE CONSTRAINT orders_person_fkey", "(person)=(47110) is not present"]);
    assert!(databases(&name).is_empty());
}

#[test]
fn a_folder_takes_everything_side_by_side_for_psql_and_people() {
    let shop = Shop::new(SHOP, "")
        .with("[backup.nightly.sources.uploads]\ntype = \"files\"\npaths = [\"data\"]\n");
    shop.lab.write("data/a", "a");
    shop.ok(&["backup"]);
    shop.ok(&["restore", "nightly", "--to", "out"]);
    let data = shop.lab.path("data");
    let restored = shop.lab.path("out/uploads").join(data.strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(restored.join("a")).unwrap(), "a");
    let roles = fs::read_to_string(shop.lab.path("out/db-globals/db-globals.sql")).unwrap();
    assert!(roles.contains("CREATE ROLE postgres"), "{roles}");
    let other = unique("by_file");
    server().sql("postgres", format!("CREATE DATABASE {other}"));
    server().sql(&other, fs::read(shop.lab.path("out/db/db.sql")).unwrap());
    assert_same_set(&server().dump_text(&shop.name), &server().dump_text(&other));
}

#[test]
fn targets_that_will_not_do_are_refused_before_anything_is_touched() {
    let shop = Shop::new(SHOP, "")
        .with("[backup.nightly.sources.uploads]\ntype = \"files\"\npaths = [\"data\"]\n");
    shop.lab.write("data/a", "a");
    shop.ok(&["backup"]);
    let (to, name) = target();
    let restore = |rest: &[&str]| {
        let arguments = [&["restore", "nightly"], rest].concat();
        shop.run(&arguments)
    };
    // A password, which others could read.
    let with_password = to.replace("postgresql://", "postgresql://postgres:hunter2@");
    let run = restore(&["--source", "db", "--to", &with_password]).expect_code(2);
    let run = run.says(&["password", ".pgpass", "env:NAME"]);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    // Which source?
    restore(&["--to", &to]).expect_code(2).says(&["several were selected", "db, uploads"]);
    restore(&["--source", "uploads", "--to", &to])
        .expect_code(2)
        .says(&["not a PostgreSQL database"]);
    restore(&["--source", "db-globals", "--to", &to]).expect_code(2).says(&["roles", "psql -f"]);
    restore(&["--source", "db", "--to", "env:UNSET_URL"]).expect_code(2).says(&["UNSET_URL"]);
    assert!(databases(&name).is_empty());
    // One that is not empty.
    let full = server().database("full", "CREATE TABLE precious AS SELECT 1");
    restore(&["--source", "db", "--to", &url(&full)]).expect_code(2).says(&["is not empty"]);
    assert_eq!(server().sql(&full, "SELECT count(*) FROM precious"), "1");

    // In a variable a password is nobody else's business.
    let arguments = ["restore", "nightly", "--source", "db", "--to", "env:TARGET"];
    let mut command = shop.command(&arguments);
    command
        .env("TARGET", format!("postgresql://postgres:secret@localhost:{}/{name}", server().port));
    Run::of(command.output().unwrap(), &arguments).expect_code(0);
    assert_eq!(server().sql(&name, "SELECT count(*) FROM orders"), "4000");
}

#[test]
fn one_table_comes_back_alone_and_says_how_much_it_read() {
    let shop = Shop::new(
        &format!(
            "{SHOP} CREATE TABLE big AS SELECT string_agg(md5(random()::text), '') AS t FROM generate_series(1, 400000) n GROUP BY n / 100"
        ),
        "",
    );
    shop.ok(&["backup"]);
    let (to, name) = target();
    let restore = ["restore", "nightly", "--to", &to, "--only", "public.users", "--json"];
    // Foreign keys that point out of what was asked for are named as left out.
    let run = shop.run(&restore).expect_code(3).json();
    let fetched = run["result"]["restored"][0]["fetched"].as_u64().unwrap();
    let stored = fs::metadata(shop.lab.snapshots()[0].join("db.sql.zst")).unwrap().len();
    assert!(fetched > 0 && fetched < stored / 4, "{fetched} of {stored}");
    assert_eq!(server().sql(&name, "SELECT count(*) FROM users"), "500");
    assert_eq!(server().sql(&name, "SELECT count(*) FROM orders"), "0");
    let (to, _) = target();
    let text = shop.run(&["restore", "nightly", "--to", &to, "--only", "users"]).stdout;
    assert!(text.contains(" read"), "{text}");
    let missing = ["restore", "nightly", "--to", &to, "--only", "usres"];
    shop.run(&missing).expect_code(2).says(&["usres", "--tables"]);
}

#[test]
fn in_place_the_old_database_is_kept_and_made_safe() {
    let shop = Shop::new(SHOP, "").with(
        "[backup.nightly.sources.uploads]\ntype = \"files\"\npaths = [\"data\"]\n[backup.nightly.restore]\n\
         before = [[\"sh\", \"-c\", \"echo before >> log\"]]\nafter = [[\"sh\", \"-c\", \"echo after >> log\"]]\n",
    );
    shop.lab.write("data/a", noise(10, 1));
    shop.ok(&["backup"]);
    let before = server().dump_text(&shop.name);
    shop.sql("DELETE FROM orders; INSERT INTO users (email) VALUES ('new@since')");
    shop.lab.write("data/a", "broken");
    shop.run(&["restore", "nightly", "--in-place"]).expect_code(2).says(&["--yes"]);
    assert_eq!(shop.sql("SELECT count(*) FROM orders"), "0");

    let run = shop.ok(&["restore", "nightly", "--in-place", "--yes", "--json"]).json();
    assert_same(&before, &server().dump_text(&shop.name));
    assert_eq!(fs::read(shop.lab.path("data/a")).unwrap(), noise(10, 1));
    let old = run["result"]["restored"][0]["moved_aside"][0].as_str().unwrap();
    assert_eq!(server().sql(old, "SELECT count(*) FROM users WHERE email = 'new@since'"), "1");
    assert_eq!(shop.databases(), [shop.name.clone(), old.to_owned()]);
    assert_eq!(fs::read_to_string(shop.lab.path("log")).unwrap(), "before\nafter\n");
    // The safety snapshot holds what was there.
    let safety = format!("nightly@{}", run["result"]["safety"][0].as_str().unwrap());
    let (to, name) = target();
    shop.ok(&["restore", &safety, "--source", "db", "--to", &to]);
    assert_eq!(server().sql(&name, "SELECT count(*) FROM orders"), "0");

    // A damaged payload: nothing is replaced, and what `before` stopped starts again.
    let payload = shop.lab.snapshots()[0].join("db.sql.zst");
    let mut bytes = fs::read(&payload).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&payload, bytes).unwrap();
    let id = format!("nightly@{}", shop.lab.snapshots()[0].file_name().unwrap().to_str().unwrap());
    let run = shop.run(&["restore", &id, "--source", "db", "--in-place", "--yes"]);
    run.expect_code(1).says(&["damaged"]);
    assert_same(&before, &server().dump_text(&shop.name));
    assert_eq!(shop.databases().len(), 2, "what was loaded is dropped");
    assert!(fs::read_to_string(shop.lab.path("log")).unwrap().ends_with("before\nafter\n"));
}
