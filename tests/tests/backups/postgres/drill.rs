//! Drills: ok, failed, inconclusive, and nothing left behind.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use seaworthy_tests::{Lab, Run, postgres::server};
use serde_json::Value;

use super::support::*;

/// What was recorded of the only snapshot, oldest first.
fn records(lab: &Lab) -> Vec<Value> {
    let folder = lab.snapshots()[0].join("checks");
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

/// What is left in the folder for temporary files.
fn remains(lab: &Lab) -> Vec<String> {
    let names = fs::read_dir(lab.path(".")).unwrap().map(|e| e.unwrap().file_name());
    names.filter_map(|n| n.into_string().ok()).filter(|n| n.starts_with("seaworthy-")).collect()
}

fn scratch_databases(shop: &Shop) -> Vec<String> {
    databases(&format!("seaworthy_drill_{}", shop.name))
}

fn state(shop: &Shop) -> String {
    let list = shop.ok(&["snapshots", "--json"]).json();
    list["result"]["listings"][0]["snapshots"][0]["state"]["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_drill_compares_every_table_asks_and_leaves_nothing() {
    let shop = Shop::new(SHOP, "").with(
        "[backup.nightly.drill]\nchecks = [\"select count(*) > 0 from users\", \"select count(*) from orders\"]\n",
    );
    shop.ok(&["backup"]);
    let run = shop.ok(&["drill", "nightly", "--json"]).json();
    let report = &run["result"]["drilled"][0]["report"];
    assert_eq!((&report["outcome"], &report["complete"]), (&"ok".into(), &true.into()));
    let db = &report["sources"][0];
    assert_eq!((&db["compared"], &db["rows"], &db["checks"]), (&2.into(), &4500.into(), &2.into()));
    let kept = records(&shop.lab);
    assert_eq!((&kept[0]["kind"], &kept[0]["outcome"]), (&"drill".into(), &"ok".into()));
    assert_eq!(scratch_databases(&shop), [""; 0]);
    let text = shop.ok(&["drill"]).stdout;
    assert!(text.contains("ok") && text.contains("2 tables, 4500 rows"), "{text}");
}

#[test]
fn a_question_that_is_not_answered_with_true_makes_the_snapshot_bad() {
    let shop = Shop::new(SHOP, "").with(
        "[backup.nightly.drill]\nchecks = [\"select count(*) > 9999 from users\", \"select nonsense\"]\n",
    );
    shop.ok(&["backup"]);
    let run = shop.run(&["drill", "nightly"]).expect_code(1);
    for words in ["FAILED", "count(*) > 9999", "returns \"f\"", "select nonsense"] {
        assert!(run.stdout.contains(words), "no {words:?} in {}", run.stdout);
    }
    assert_eq!(state(&shop), "damaged");
    // It is no latest any more; that its bytes are whole changes nothing.
    shop.run(&["restore", "nightly", "--to", "out"]).expect_code(2).says(&["no good snapshot"]);
    let id = shop.lab.snapshots()[0].file_name().unwrap().to_str().unwrap().to_owned();
    shop.ok(&["verify", &format!("nightly@{id}")]);
    assert_eq!(state(&shop), "damaged");

    let config = fs::read_to_string(shop.lab.path("seaworthy.toml")).unwrap();
    let config = config.replace("9999", "9").replace("nonsense", "1");
    fs::write(shop.lab.path("seaworthy.toml"), config).unwrap();
    shop.ok(&["drill", &format!("nightly@{id}")]);
    assert_eq!(state(&shop), "good");
}

#[test]
fn a_throw_away_server_comes_and_goes_with_roles_and_tablespaces() {
    let role = seaworthy_tests::postgres::unique("odd \"role\"");
    let quoted = format!("\"{}\"", role.replace('"', "\"\""));
    let shop = Shop::new(
        &format!("CREATE ROLE {quoted}; {SHOP} ALTER TABLE orders OWNER TO {quoted}; SELECT lo_from_bytea(0, 'large');"),
        "",
    )
    .with(&format!(
        "[backup.nightly.drill]\nserver = \"throw-away\"\nprograms = {:?}\nchecks = [\"select count(*) = 4000 from orders\"]\n",
        seaworthy_tests::postgres::program("initdb").parent().unwrap()
    ));
    // The user that runs it has to get in.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(shop.lab.path("."), open).unwrap();
    shop.ok(&["backup"]);
    let run = shop.ok(&["drill", "nightly", "--json"]).json();
    assert_eq!(run["result"]["drilled"][0]["report"]["sources"][0]["rows"], 4500);
    assert_eq!(scratch_databases(&shop), [""; 0]);
    assert_eq!(remains(&shop.lab), [""; 0]);

    // Without the payload that names them, roles are made as the restore asks for them.
    let shop = {
        let text = fs::read_to_string(shop.lab.path("seaworthy.toml")).unwrap();
        let text = text.replace("type = \"postgres\"\n", "type = \"postgres\"\nglobals = false\n");
        fs::write(shop.lab.path("seaworthy.toml"), text).unwrap();
        shop
    };
    let id = shop.ok(&["backup", "--json"]).json();
    let id = id["result"]["jobs"][0]["report"]["id"].as_str().unwrap().to_owned();
    shop.ok(&["drill", &format!("nightly@{id}")]);
    assert_eq!(remains(&shop.lab), [""; 0]);

    // A folder that its user cannot enter: nothing is known of the snapshot then.
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(shop.lab.path("."), closed).unwrap();
    let run = shop.run(&["drill", "nightly"]).expect_code(3);
    assert!(
        run.stdout.contains("inconclusive") && run.stdout.contains("limit.temp"),
        "{}",
        run.stdout
    );
}

#[test]
fn what_says_nothing_about_the_snapshot_is_inconclusive() {
    let role = seaworthy_tests::postgres::unique("reader");
    let shop = Shop::new(
        &format!("{SHOP} CREATE ROLE {role} LOGIN; GRANT pg_read_all_data TO {role};"),
        "",
    );
    shop.ok(&["backup"]);
    let drill = |url: &str| {
        let output = shop.command(&["drill", "nightly"]).env("DATABASE_URL", url).output().unwrap();
        Run::of(output, &["drill", "nightly"])
    };
    // No right to make a database.
    let url = server().url(&shop.name).replace("user=postgres", &format!("user={role}"));
    let run = drill(&url).expect_code(3);
    assert!(
        run.stdout.contains("inconclusive") && run.stdout.contains("CREATEDB"),
        "{}",
        run.stdout
    );
    // No server.
    let run = drill("postgresql://postgres@127.0.0.1:1/x").expect_code(3);
    assert!(run.stdout.contains("cannot connect"), "{}", run.stdout);
    let kept = records(&shop.lab);
    assert!(kept.iter().all(|record| record["outcome"] == "inconclusive") && !kept.is_empty());
    assert_eq!(state(&shop), "good");
    // A server elsewhere.
    let shop = shop.with("[backup.nightly.drill]\nserver = { env = \"DRILL_URL\" }\n");
    let output = shop
        .command(&["drill", "nightly"])
        .env("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/x")
        .env("DRILL_URL", server().url("postgres"))
        .output()
        .unwrap();
    Run::of(output, &["drill", "nightly"]).expect_code(0);
}

#[test]
fn a_payload_that_is_damaged_fails_and_its_scratch_database_goes() {
    let shop = Shop::new(SHOP, "connections = 1");
    shop.ok(&["backup"]);
    let path = shop.lab.snapshots()[0].join("db.sql.zst");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let run = shop.run(&["drill", "nightly"]).expect_code(1);
    assert!(run.stdout.contains("FAILED") && run.stdout.contains("damaged"), "{}", run.stdout);
    assert_eq!(records(&shop.lab)[0]["outcome"], "failed");
    assert_eq!(scratch_databases(&shop), [""; 0]);
}

#[test]
fn interrupted_it_drops_what_it_made() {
    let shop = Shop::new(
        &format!("{SHOP} CREATE FUNCTION slow() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 FROM pg_sleep(600)';"),
        "application_name = \"a drill to interrupt\"",
    )
    .with("[backup.nightly.drill]\nchecks = [\"select slow()\"]\n");
    shop.ok(&["backup"]);
    let mut command = shop.command(&["drill", "nightly"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let asked = "SELECT coalesce(min(datname), '') FROM pg_stat_activity WHERE application_name = 'a drill to interrupt' AND query LIKE 'select slow()%'";
    let mut scratch = String::new();
    while scratch.is_empty() {
        scratch = server().sql("postgres", asked);
    }
    assert!(scratch.starts_with("seaworthy_drill_"), "{scratch}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Run::of(child.wait_with_output().unwrap(), &["drill"]).expect_code(130);
    assert!(databases(&scratch).is_empty(), "{scratch} is left");
    assert!(records(&shop.lab).is_empty());
}

#[test]
fn what_a_killed_drill_left_goes_with_the_next_one_and_what_is_in_use_stays() {
    let slow = "CREATE FUNCTION slow() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 FROM pg_sleep(600)';";
    let shop = Shop::new(&format!("{SHOP} {slow}"), "application_name = \"a drill to kill\"")
        .with("[backup.nightly.drill]\nchecks = [\"select slow()\"]\n");
    shop.ok(&["backup"]);
    let asking = |drill: &mut Child, but: &str| {
        let asked = format!(
            "SELECT coalesce(min(datname), '') FROM pg_stat_activity WHERE datname <> '{but}'
             AND application_name = 'a drill to kill' AND query LIKE 'select slow()%'"
        );
        loop {
            let scratch = server().sql("postgres", &asked);
            if !scratch.is_empty() {
                return scratch;
            }
            if drill.try_wait().unwrap().is_some() {
                let mut why = String::new();
                drill.stderr.take().unwrap().read_to_string(&mut why).unwrap();
                panic!("the drill ended before it asked: {why}");
            }
        }
    };
    let start = || {
        let mut command = shop.command(&["drill", "nightly"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut first = start();
    let left = asking(&mut first, "");
    let mut second = start();
    let used = asking(&mut second, &left);
    assert_eq!(databases(&left), [left.as_str()], "the second drill dropped the first one's");
    first.kill().unwrap();
    first.wait().unwrap();
    // The server notices within seconds.
    let busy = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{left}'");
    while server().sql("postgres", &busy) != "0" {}
    let mut third = start();
    let other = asking(&mut third, &used);
    assert!(databases(&left).is_empty(), "{left} is left");
    assert_eq!(databases(&used), [used.as_str()]);
    for (child, scratch) in [(&mut second, &used), (&mut third, &other)] {
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(databases(scratch).is_empty(), "{scratch} is left");
    }
}

/// What a program says of `input`.
fn pipe(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn sha256(bytes: &[u8]) -> String {
    String::from_utf8(pipe("sha256sum", &[], bytes)).unwrap()[..64].to_owned()
}

/// Replaces `from` by `to` in the index of a snapshot, and vouches for it in the manifest.
fn forge_index(folder: &Path, from: &str, to: &str) {
    let path = folder.join("index.jsonl.zst");
    let old = fs::read(&path).unwrap();
    let text = String::from_utf8(pipe("zstd", &["-dc"], &old)).unwrap();
    assert!(text.contains(from), "{from}");
    let new = pipe("zstd", &["-c"], text.replacen(from, to, 1).as_bytes());
    fs::write(&path, &new).unwrap();
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    let mut lines: Vec<_> = manifest.lines().map(str::to_owned).collect();
    let at = lines.iter().position(|line| line.contains(&sha256(&old))).unwrap();
    lines[at] = lines[at].replace(&sha256(&old), &sha256(&new));
    let size = format!("\"size\": {}", old.len());
    let size_at = (at.saturating_sub(3)..=at + 3).find(|n| lines[*n].contains(&size)).unwrap();
    lines[size_at] = lines[size_at].replace(&size, &format!("\"size\": {}", new.len()));
    let (body, seal) = lines.split_at(lines.len() - 2);
    let body = format!("{}\n", body.join("\n"));
    let sealed: Value = serde_json::from_str(&manifest).unwrap();
    let seal =
        seal.join("\n").replace(sealed["sha256"].as_str().unwrap(), &sha256(body.as_bytes()));
    fs::write(folder.join("manifest.json"), format!("{body}{seal}\n")).unwrap();
}

#[test]
fn rows_that_are_not_those_of_the_index_fail_it() {
    let shop = Shop::new(SHOP, "");
    shop.ok(&["backup"]);
    let tables = shop.ok(&["show", "nightly", "--tables", "--json"]).json();
    let users = &tables["result"]["entries"][2];
    assert_eq!(users["name"], "users");
    let hash = users["hash"].as_str().unwrap();
    let other = format!("{}{}", if hash.starts_with('0') { "1" } else { "0" }, &hash[1..]);
    forge_index(&shop.lab.snapshots()[0], hash, &other);
    let run = shop.run(&["drill"]).expect_code(1);
    assert!(run.stdout.contains(r#"the rows of "public"."users" differ"#), "{}", run.stdout);
    assert_eq!(scratch_databases(&shop), [""; 0]);

    let id = shop.lab.snapshots()[0].file_name().unwrap().to_str().unwrap().to_owned();
    forge_index(&shop.lab.snapshots()[0], "\"rows\":4000,\"bytes\"", "\"rows\":4001,\"bytes\"");
    let run = shop.run(&["drill", &format!("nightly@{id}")]).expect_code(1);
    let words = r#""public"."orders" has 4000 rows instead of 4001"#;
    assert!(run.stdout.contains(words), "{}", run.stdout);
    // The same on another major version proves nothing.
    forge_index(&shop.lab.snapshots()[0], "\"version\":", "\"version\":1");
    let run = shop.run(&["drill", &format!("nightly@{id}")]).expect_code(3);
    assert!(run.stdout.contains("proves nothing"), "{}", run.stdout);
}

#[test]
fn an_index_that_was_made_anew_cannot_tell() {
    let shop = Shop::new(SHOP, "globals = false");
    shop.ok(&["backup"]);
    let folder = shop.lab.snapshots().remove(0);
    fs::remove_file(folder.join("index.jsonl.zst")).unwrap();
    let id = format!("nightly@{}", folder.file_name().unwrap().to_str().unwrap());
    shop.ok(&["verify", &id, "--rebuild-index"]);
    let run = shop.run(&["drill", &id]).expect_code(3);
    assert!(run.stdout.contains("inconclusive") && run.stdout.contains("psql"), "{}", run.stdout);
    let (to, _) = target();
    shop.run(&["restore", &id, "--to", &to]).expect_code(1).says(&["zstd -dc"]);
}

#[test]
fn a_throw_away_server_ends_with_the_one_who_started_it() {
    let shop = Shop::new(SHOP, "").with(&format!(
        "[backup.nightly.drill]\nserver = \"throw-away\"\nprograms = {:?}\nchecks = [\"select pg_sleep(600)\"]\n",
        seaworthy_tests::postgres::program("initdb").parent().unwrap()
    ));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(shop.lab.path("."), open).unwrap();
    shop.ok(&["backup"]);
    let mut command = shop.command(&["drill", "nightly"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = loop {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it started a server");
        let pids = remains(&shop.lab).into_iter().map(|name| {
            fs::read_to_string(shop.lab.path(&name).join("server/data/postmaster.pid"))
        });
        let ready = pids.flatten().find(|text| text.contains("ready"));
        if let Some(text) = ready {
            break text.lines().next().unwrap().to_owned();
        }
    };
    let server = Path::new("/proc").join(pid);
    assert!(server.exists());
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.exists() {
        assert!(Instant::now() < deadline, "the server goes on for a minute");
    }
}
