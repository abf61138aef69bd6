//! Databases that others write to while we read.

use std::process::{Command, Stdio};

use seaworthy_backup::{Selection, sources::postgres::PostgresTarget};

use super::support::*;

/// Every transaction of pgbench adds the same amount in four places.
const INVARIANT: &str = "SELECT a = b AND b = t AND t = h, n FROM
    (SELECT sum(abalance) a, count(*) n FROM pgbench_accounts) x, (SELECT sum(bbalance) b FROM pgbench_branches) y,
    (SELECT sum(tbalance) t FROM pgbench_tellers) z, (SELECT coalesce(sum(delta), 0) h FROM pgbench_history) w";

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_under_load_is_one_moment() {
    let server = server();
    let name = server.database("bench", "");
    let url = server.url(&name);
    let pgbench = |arguments: &[&str]| {
        let mut command = Command::new(program("pgbench"));
        command.args(arguments).arg(&url).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert!(pgbench(&["-i", "-q", "-s", "2"]).status().unwrap().success());
    let mut load = pgbench(&["-c", "2", "-T", "600"]).spawn().unwrap();
    // Tables come, go and are emptied all the while.
    let churn = "CREATE TABLE churn (a int); INSERT INTO churn VALUES (1); TRUNCATE churn; DROP TABLE churn;";
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), churn).unwrap();
    let file = script.path().to_str().unwrap().to_owned();
    let mut ddl =
        pgbench(&["-n", "-f", &file, "-R", "20", "-c", "1", "-T", "600"]).spawn().unwrap();

    let lab = Lab::new();
    for excluded in [vec!["churn"], vec![], vec!["nothing"]] {
        while server.sql(&name, "SELECT count(*) FROM pgbench_history") == "0" {}
        let source = server.source(&name).exclude_tables(excluded);
        let report = lab.back_up(source).await.unwrap();
        let restored = unique("bench_restored");
        let target = PostgresTarget::to_database(server.options(&restored));
        lab.restore(&report, target, Selection::all()).await.unwrap();
        assert_eq!(server.sql(&restored, INVARIANT), "t|200000");
    }
    for child in [&mut load, &mut ddl] {
        assert!(child.try_wait().unwrap().is_none(), "pgbench ran all the time");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
