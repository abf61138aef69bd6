//! Runs that are killed, and disks that fill up.

use std::{
    fs,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use seaworthy_tests::postgres::{Server, server, unique};

use super::support::*;

/// About 80 MB as text.
const LARGE: &str = "CREATE TABLE large AS
    SELECT n, string_agg(md5((n * m)::text), '') AS t FROM generate_series(1, 2500) n, generate_series(1, 1000) m GROUP BY n;";

#[test]
fn killed_in_the_middle_of_a_dump_nothing_is_listed_and_no_transaction_stays_open() {
    let shop = Shop::new(LARGE, "application_name = \"to be killed\"\nglobals = false");
    let mut command = shop.command(&["backup"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let sessions = |what: &str| {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'to be killed' AND datname = '{}' {what}",
            shop.name
        );
        server().sql("postgres", sql)
    };
    while sessions("AND query LIKE 'COPY%' AND state = 'active'") == "0" {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it copied anything");
    }
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    // The server notices at its next write, or when it looks for us.
    let mut left = sessions("");
    for _ in 0..2000 {
        if left == "0" {
            break;
        }
        left = sessions("");
    }
    assert_eq!(left, "0", "sessions are left");
    assert!(shop.lab.snapshots().is_empty());
    assert_eq!(
        shop.ok(&["snapshots", "--json"]).json()["result"]["listings"][0]["snapshots"],
        serde_json::json!([])
    );
    // The next run reaps what is left of it.
    shop.ok(&["backup"]);
    assert_eq!(shop.lab.stored(), shop.lab.snapshots());
    shop.ok(&["verify", "nightly"]);
}

/// A small disk that the server may use.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn new(server: &Server) -> Self {
        let path = server.folder().join(unique("disk"));
        fs::create_dir(&path).unwrap();
        let options = "size=24M,mode=0700,uid=65534,gid=65534";
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&path).status();
        assert!(mounted.unwrap().success(), "this test mounts a small file system: run it as root");
        Self(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_on_the_target_fails_the_restore_and_touches_nothing_else() {
    let shop = Shop::new(LARGE, "globals = false");
    shop.ok(&["backup"]);
    // One of its own: a full disk keeps a server from making checkpoints.
    let other = Server::start();
    let disk = SmallDisk::new(&other);
    let space = unique("small");
    let name = other.database("precious", "CREATE TABLE precious AS SELECT 1 AS n");
    other.sql("postgres", format!("CREATE TABLESPACE {space} LOCATION '{}'", disk.0.display()));
    other.sql("postgres", format!("CREATE DATABASE narrow TABLESPACE {space}"));
    let run = shop.run(&["restore", "nightly", "--to", &url_on(&other, "narrow"), "--json"]);
    let json = run.expect_code(1).json();
    let error = &json["error"];
    assert_eq!(error["kind"], "no_space", "{error}");
    assert!(error["message"].as_str().unwrap().contains("large"), "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("database server"), "{error}");
    assert_eq!(other.sql(&name, "SELECT n FROM precious"), "1");
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'seaworthy'";
    let mut left = String::new();
    for _ in 0..500 {
        left = other.sql("postgres", sessions);
        if left == "0" {
            break;
        }
    }
    assert_eq!(left, "0", "sessions are left");
}
