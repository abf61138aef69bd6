//! Backups: what is stored, what is said of it, what is refused.

use std::fs;

use seaworthy_tests::postgres::{server, unique};

use super::support::*;

#[test]
fn a_job_stores_database_roles_and_files_side_by_side_and_shows_them() {
    let shop = Shop::new(SHOP, "connections = 3")
        .with("[backup.nightly.sources.uploads]\ntype = \"files\"\npaths = [\"data\"]\n");
    shop.lab.write("data/a", "a");
    let dry = shop.ok(&["backup", "--dry-run"]).stdout;
    assert!(dry.contains(&format!("db: the database {}", server().folder().display())), "{dry}");
    assert!(shop.lab.stored().is_empty());

    let run = shop.ok(&["backup", "--json"]).json();
    let report = &run["result"]["jobs"][0]["report"];
    let names: Vec<_> =
        report["sources"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["db", "db-globals", "uploads"]);
    assert_eq!(report["sources"][0]["summary"]["files"], 2, "tables");
    assert_eq!(report["sources"][0]["summary"]["rows"], 4500);
    let folder = shop.lab.snapshots().remove(0);
    for object in ["db.sql.zst", "db-globals.sql.zst", "uploads.tar.zst", "index.jsonl.zst"] {
        assert!(folder.join(object).exists(), "{object}");
    }

    let tables = shop.ok(&["show", "nightly", "--tables"]).stdout;
    for words in ["500 rows", "public.users", "4000 rows", "public.orders", &shop.name] {
        assert!(tables.contains(words), "no {words:?} in {tables}");
    }
    assert!(!tables.contains("/a"), "{tables}");
    let entries = shop.ok(&["show", "nightly", "--tables", "--json"]).json();
    let records: Vec<_> = entries["result"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["record"].as_str().unwrap())
        .collect();
    assert_eq!(records, ["server", "table", "table"]);
    assert!(shop.ok(&["show", "nightly", "--files"]).stdout.contains("/a"));
    assert!(shop.ok(&["show", "nightly"]).stdout.contains("2 tables, 4500 rows"));
    shop.ok(&["verify", "nightly"]);

    // A byte of a table: said with the object and the table.
    let path = folder.join("db.sql.zst");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let found = shop.run(&["verify", "nightly"]).expect_code(1).stdout;
    assert!(found.contains("db.sql.zst") && found.contains("table public."), "{found}");
}

#[test]
fn what_is_left_out_is_left_out() {
    let shop = Shop::new(
        &format!(
            "{SHOP} CREATE TABLE scratch AS SELECT 1; CREATE SCHEMA extra; CREATE TABLE extra.t AS SELECT 1;"
        ),
        "exclude_tables = [\"public.scratch\"]\nexclude_table_data = [\"public.orders\"]\nschemas = [\"public\"]\n\
         lock_timeout = \"5s\"\napplication_name = \"nightly backup\"\nglobals = false",
    );
    shop.ok(&["backup"]);
    let (url, name) = target();
    shop.ok(&["restore", "nightly", "--to", &url]);
    let tables =
        "SELECT string_agg(oid::regclass::text, ',' ORDER BY oid::regclass::text) FROM pg_class
                  WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'extra')";
    assert_eq!(server().sql(&name, tables), "orders,users");
    assert_eq!(server().sql(&name, "SELECT count(*) FROM orders"), "0");
    assert!(!shop.lab.snapshots()[0].join("db-globals.sql.zst").exists());
}

#[test]
fn a_pg_dump_that_is_missing_or_old_is_found_before_anything_starts() {
    let files = "[backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"data\"]\n";
    let shop = Shop::new(SHOP, "pg_dump = \"/nowhere/pg_dump\"");
    let config = fs::read_to_string(shop.lab.path("seaworthy.toml")).unwrap();
    // The files come first.
    let config = config.replacen(
        "[backup.nightly.sources.db]",
        &format!("{files}[backup.nightly.sources.db]"),
        1,
    );
    fs::write(shop.lab.path("seaworthy.toml"), &config).unwrap();
    shop.lab.write("data/a", "a");
    let version = shop.sql("SELECT current_setting('server_version_num')::int / 10000");
    let package = format!("postgresql-client-{version}`");
    for arguments in [&["backup"][..], &["backup", "--dry-run"]] {
        let words = ["/nowhere/pg_dump cannot be run", &package];
        shop.run(arguments).expect_code(1).says(&words);
        assert!(shop.lab.stored().is_empty());
    }
    let old = shop.lab.write("old/pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n");
    fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Relative to the file.
    fs::write(shop.lab.path("seaworthy.toml"), config.replace("/nowhere/pg_dump", "old/pg_dump"))
        .unwrap();
    shop.run(&["backup"]).expect_code(1).says(&["older than the server", &package]);
    assert!(shop.lab.stored().is_empty());
}

#[test]
fn a_database_that_lost_its_rows_does_not_push_the_good_ones_out() {
    let shop = Shop::new(SHOP, "");
    shop.ok(&["backup"]);
    shop.sql("DELETE FROM orders; DELETE FROM users WHERE id > 10");
    let run = shop.run(&["backup"]).expect_code(3);
    assert!(run.stdout.contains("db has 10 instead of 4500 rows"), "{}", run.stdout);
    shop.sql("TRUNCATE users CASCADE");
    let run = shop.run(&["backup"]).expect_code(3);
    assert!(run.stdout.contains("db is empty"), "{}", run.stdout);
    // The good one is the latest still.
    let (url, name) = target();
    shop.ok(&["restore", "nightly", "--to", &url]);
    assert_eq!(server().sql(&name, "SELECT count(*) FROM orders"), "4000");
    shop.ok(&["backup", "--accept"]);
}

#[test]
fn roles_are_stored_where_they_may_be_read_and_their_absence_is_said() {
    let role = unique("teller");
    let shop = Shop::new(
        &format!(
            "{SHOP} CREATE ROLE {role} LOGIN PASSWORD 'hunter2'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};"
        ),
        "",
    );
    let globals = |shop: &Shop| {
        let folder = shop.lab.snapshots().pop().unwrap();
        let mut zstd = std::process::Command::new("zstd");
        let out = zstd.arg("-dc").arg(folder.join("db-globals.sql.zst")).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    shop.ok(&["backup"]);
    let text = globals(&shop);
    assert!(
        text.contains(&format!("CREATE ROLE {role};")) && text.contains("SCRAM-SHA-256"),
        "{text}"
    );

    // Another role sees no passwords.
    let url = server().url(&shop.name).replace("user=postgres", &format!("user={role}"));
    let run = |arguments: &[&str]| {
        let output = shop.command(arguments).env("DATABASE_URL", &url).output().unwrap();
        seaworthy_tests::Run::of(output, arguments)
    };
    run(&["backup"]).expect_code(0);
    let text = globals(&shop);
    assert!(text.contains(&format!("CREATE ROLE {role};")) && !text.contains("SCRAM"), "{text}");

    // A server that does not tell them at all.
    let shop = shop.with("pg_dump = \"bin/pg_dump\"\n");
    for (name, text) in [
        ("pg_dump", "exec pg_dump \"$@\""),
        (
            "pg_dumpall",
            "case $1 in --version) exec pg_dumpall --version;; esac; echo 'permission denied for pg_authid' >&2; exit 1",
        ),
    ] {
        let path = shop.lab.write(&format!("bin/{name}"), format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    shop.ok(&["backup"])
        .says(&["the roles of the server of db are not stored", "permission denied for pg_authid"]);
    assert!(!shop.lab.snapshots().pop().unwrap().join("db-globals.sql.zst").exists());
    let shop = shop.with("globals = true\n");
    shop.run(&["backup"]).expect_code(1).says(&["permission denied for pg_authid"]);
}

#[test]
fn the_example_is_right() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/postgres/seaworthy.toml");
    let mut program = std::process::Command::new(seaworthy_tests::program());
    let output = program.args(["--config", example, "config", "check"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_file_is_checked_before_anything_is_reached() {
    let shop = Shop::new("", "");
    let config = fs::read_to_string(shop.lab.path("seaworthy.toml")).unwrap();
    for (text, words) in [
        (
            config.replace("{ env = \"DATABASE_URL\" }", "\"postgres://u:hunter2@h/db\""),
            &["never written in the file", "env"][..],
        ),
        (
            config.replace("url = { env = \"DATABASE_URL\" }\n", ""),
            &["no database is named", "DATABASE_URL"],
        ),
        (format!("{config}service = \"x\"\n"), &["`url` and `service` are both given"]),
        (format!("{config}connections = 0\n"), &["so many connections"]),
        (
            format!(
                "{config}[backup.nightly.sources.db-globals]\ntype = \"files\"\npaths = [\"data\"]\n"
            ),
            &["db-globals", "globals = false"],
        ),
        (
            format!(
                "{config}[backup.nightly.drill]\nchecks = [{{ source = \"dv\", sql = \"select true\" }}]\n"
            ),
            &["no database \"dv\"", "db"],
        ),
        (
            format!(
                "{config}[backup.nightly.sources.app]\ntype = \"sqlite\"\npath = \"x\"\n[backup.nightly.drill]\nchecks = [\"select true\"]\n"
            ),
            &["a check names none", "source = "],
        ),
        (
            format!("{config}[backup.nightly.drill]\nserver = \"postgres://u:hunter2@h/db\"\n"),
            &["never written in the file"],
        ),
        (format!("{config}[backup.nightly.drill]\nserver = \"throwaway\"\n"), &["throw-away"]),
    ] {
        fs::write(shop.lab.path("seaworthy.toml"), text).unwrap();
        let run = shop.run(&["config", "check"]).expect_code(2).says(words);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    }
}
