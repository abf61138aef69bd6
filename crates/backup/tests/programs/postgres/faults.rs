//! What goes wrong, and what is said and left behind then.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use seaworthy_backup::{
    Selection,
    sources::postgres::{ConnectOptions, Environment, PostgresSource, PostgresTarget},
};
use seaworthy_core::{Cancel, Context, ErrorKind, Event, Progress};

use super::support::*;

/// Runs `action` once, when the first bytes of the dump are on their way.
struct AtFirstBytes<F>(F, AtomicBool);

impl<F> std::fmt::Debug for AtFirstBytes<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtFirstBytes")
    }
}

impl<F: Fn() + Send + Sync> Progress for AtFirstBytes<F> {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Advanced { .. }) && !self.1.swap(true, Ordering::Relaxed) {
            (self.0)();
        }
    }
}

fn at_first_bytes(action: impl Fn() + Send + Sync + 'static) -> Context {
    Context::new().with_progress(Arc::new(AtFirstBytes(action, AtomicBool::new(false))))
}

/// A program that stands in for `pg_dump`.
fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("pg_dump");
    let real = program("pg_dump").display().to_string();
    fs::write(&path, format!("#!/bin/sh\n{}\n", text.replace("REAL", &real))).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Sessions of ours that `server` still has, after it had time to notice that we are gone.
fn sessions_left(server: &Server, database: &str) -> String {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'seaworthy'"
    );
    let mut left = String::new();
    for _ in 0..500 {
        left = server.sql("postgres", &sql);
        if left == "0" {
            break;
        }
    }
    left
}

const LARGE: &str = "CREATE TABLE t (a int, t text);
    INSERT INTO t SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 100000) n;";

#[tokio::test]
async fn a_pg_dump_that_is_missing_or_old_is_found_before_anything_starts() {
    let (server, lab) = (server(), Lab::new());
    let source = || PostgresSource::new(server.options("postgres"));
    let major = server.sql("postgres", "SHOW server_version_num").split_at(2).0.to_owned();
    let install = format!("apt-get install postgresql-client-{major}");
    let error = lab.back_up(source().pg_dump("/nowhere/pg_dump")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Command);
    assert!(error.chain().contains("/nowhere/pg_dump cannot be run"), "{}", error.chain());
    assert!(error.remedy().unwrap().contains(&install));

    let folder = tempfile::tempdir().unwrap();
    let old = script(
        folder.path(),
        &format!(
            "echo \"$*\" >> {}/calls; echo 'pg_dump (PostgreSQL) 9.6.24'",
            folder.path().display()
        ),
    );
    let error = lab.back_up(source().pg_dump(old)).await.unwrap_err();
    assert!(
        error
            .chain()
            .contains(&format!("version 9, which is older than the server's version {major}")),
        "{}",
        error.chain()
    );
    assert!(error.remedy().unwrap().contains(&install));
    assert_eq!(fs::read_to_string(folder.path().join("calls")).unwrap(), "--version\n");
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_told_apart() {
    let (server, lab) = (server(), Lab::new());
    let source = |password: &str, database: &str| {
        let url = format!("postgresql://postgres:{password}@127.0.0.1:{}/{database}", server.port);
        let options = ConnectOptions::parse(&url, &Environment::new()).unwrap();
        PostgresSource::new(options).pg_dump(program("pg_dump"))
    };
    let error = lab.back_up(source("hunter2", "postgres")).await.unwrap_err();
    assert!(error.chain().contains("password authentication failed"), "{}", error.chain());
    assert!(error.remedy().unwrap().contains("PGPASSWORD"));
    assert!(!format!("{error:?}").contains("hunter2"));
    let error = lab.back_up(source("secret", "nowhere")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.chain().contains("database \"nowhere\" does not exist"), "{}", error.chain());
    let name = server.database("tcp", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);");
    lab.back_up(source("secret", &name)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_the_role_may_not_read_is_named_and_nothing_is_stored() {
    roles();
    let (server, lab) = (server(), Lab::new());
    let name = server.database(
        "denied",
        "CREATE TABLE open (a int); CREATE TABLE \"Secret\" (a int); GRANT SELECT ON open TO alice;
         CREATE TABLE hidden (a int); GRANT SELECT ON hidden TO alice; ",
    );
    let source =
        || PostgresSource::new(server.options_as("alice", &name)).pg_dump(program("pg_dump"));
    let error = lab.back_up(source()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.chain().contains("may not read \"public\".\"Secret\""), "{}", error.chain());
    assert!(lab.is_empty().await);

    lab.back_up(source().exclude_tables(["\"Secret\""])).await.unwrap();
    server.sql(&name, "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY");
    let error = lab.back_up(source().exclude_tables(["\"Secret\""])).await.unwrap_err();
    assert!(
        error.chain().contains("row security would hide rows of \"public\".\"hidden\""),
        "{}",
        error.chain()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_keeps_a_table_locked_is_named() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database("locked", "CREATE TABLE t (a int); CREATE TABLE u (a int);");
    let holder = Holder::start(server, &name, "BEGIN; LOCK TABLE u; SELECT 'my long job';");
    let source = server.source(&name).lock_timeout(Duration::from_millis(300));
    let error = lab.back_up(source).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    let text = error.chain();
    assert!(text.contains(&holder.pid) && text.contains("my long job"), "{text}");
    assert!(error.remedy().unwrap().contains(&format!("pg_terminate_backend({})", holder.pid)));
    assert!(error.context().any(|(name, value)| name == "tries" && value == "3"));
    assert_eq!(sessions_left(server, &name), "0");
    assert!(lab.is_empty().await);
}

/// The snapshot must be younger than the locks: it would read no rows of a table that was emptied
/// and filled in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_that_commits_while_we_wait_for_its_lock_is_seen() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database(
        "truncated",
        "CREATE TABLE a (n int); CREATE TABLE t (n int); INSERT INTO t VALUES (1);",
    );
    let mut holder =
        Holder::start(server, &name, "BEGIN; TRUNCATE t; INSERT INTO t VALUES (2), (3); SELECT 1;");
    let source = server.source(&name).lock_timeout(Duration::from_secs(60));
    let (own_lab, own_name) = (lab.clone(), name.clone());
    let committer = std::thread::spawn(move || {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{own_name}'
            AND application_name = 'seaworthy' AND wait_event_type = 'Lock'"
        );
        while server.sql("postgres", &sql) == "0" {}
        holder.send("COMMIT;");
    });
    let report = own_lab.back_up(source).await.unwrap();
    committer.join().unwrap();
    let text = String::from_utf8(lab.plain(&report).await).unwrap();
    assert!(text.contains("COPY \"public\".\"t\" (\"n\") FROM stdin;\n2\n3\n\\.\n"), "{text}");
}

/// An `ALTER TABLE` of `t` in `name`, as shell commands that go on when it waits for a lock.
fn queued_alter_table(server: &Server, name: &str) -> String {
    let psql = format!(
        "{} -X -q -A -t -h {} -p {} -U postgres",
        program("psql").display(),
        server.folder().display(),
        server.port
    );
    let waiting = format!(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
           AND database = (SELECT oid FROM pg_database WHERE datname = '{name}')"
    );
    format!(
        "{psql} -d {name} -c 'ALTER TABLE t ADD COLUMN IF NOT EXISTS late int' > /dev/null 2>&1 &
         while [ \"$({psql} -d postgres -c \"{waiting}\")\" = 0 ]; do :; done"
    )
}

/// Somebody waits for our locks to go: only the leader, whose lock is older, can go on then.
#[tokio::test(flavor = "multi_thread")]
async fn an_alter_table_that_queues_behind_our_locks_stops_nothing() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database("queued", LARGE);
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    let alter = queued_alter_table(server, &name);
    let pg_dump = script(
        folder.path(),
        &format!(
            "case \"$*\" in
               --version) exec REAL --version;;
               *post-data*) REAL \"$@\" > {at}/post && touch {at}/post.done && cat {at}/post;;
               *) REAL \"$@\" > {at}/pre || exit 1
                  while [ ! -e {at}/post.done ]; do :; done
                  {alter}
                  cat {at}/pre;;
             esac"
        ),
    );
    let source = server.source(&name).pg_dump(pg_dump).connections(3);
    let report = lab.back_up(source).await.unwrap();
    let restored = unique("queued_restored");
    let target = PostgresTarget::to_database(server.options(&restored));
    lab.restore(&report, target, Selection::all()).await.unwrap();
    assert_eq!(server.sql(&restored, "SELECT count(*) FROM t"), "100000");
    // The ALTER TABLE went on when we had read everything.
    while server.sql(
        &name,
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'late'",
    ) == "0"
    {}
}

/// Between the locks and `pg_dump`: it waits for the ALTER TABLE, which waits for us, who wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_alter_table_that_comes_between_us_and_pg_dump_is_let_through() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database("tangled", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);");
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    let alter = queued_alter_table(server, &name);
    // As often as locks are tried for: waiting for it in vain would end the run.
    let pg_dump = script(
        folder.path(),
        &format!(
            "case \"$*\" in
               *pre-data*) echo >> {at}/runs
                  if [ $(wc -l < {at}/runs) -le 3 ]; then {alter}; fi;;
             esac
             exec REAL \"$@\""
        ),
    );
    let source = server.source(&name).pg_dump(pg_dump).lock_timeout(Duration::from_secs(3));
    let report = lab.back_up(source).await.unwrap();
    let text = String::from_utf8(lab.plain(&report).await).unwrap();
    assert!(
        text.contains("COPY \"public\".\"t\" (\"a\", \"late\") FROM stdin;\n1\t\\N\n\\.\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_in_the_middle_fails_the_run() {
    let server = Arc::new(Server::start());
    let name = server.database("crash", LARGE);
    let lab = Lab::new();
    let stopped = server.clone();
    let cx = at_first_bytes(move || stopped.crash());
    let error = lab.job(server.source(&name)).run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
    assert!(lab.is_empty().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_dump_leaves_no_session_behind() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database("cancelled", LARGE);
    let cancel = Cancel::new();
    let trigger = cancel.clone();
    let cx = at_first_bytes(move || trigger.trigger()).with_cancel(cancel);
    let error = lab.job(server.source(&name)).run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.chain());
    assert_eq!(sessions_left(server, &name), "0");
    assert!(lab.is_empty().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_that_is_killed_fails_the_run() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database("killed", LARGE);
    let folder = tempfile::tempdir().unwrap();
    for section in ["pre-data", "post-data"] {
        let pg_dump = script(
            folder.path(),
            &format!(
                "case \"$*\" in
               *section={section}*) echo '-- only half'; kill -9 $$;;
               *) exec REAL \"$@\";;
             esac"
            ),
        );
        let error = lab.back_up(server.source(&name).pg_dump(pg_dump)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Command);
        assert!(error.chain().contains("signal: 9"), "{}", error.chain());
        assert_eq!(sessions_left(server, &name), "0");
        assert!(lab.is_empty().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_habits_of_the_role_do_not_matter() {
    let (server, lab) = (server(), Lab::new());
    let role = unique("limited");
    let name = server.database("limits", "CREATE TABLE t (a timestamptz, i interval, f float8, b bytea);
        INSERT INTO t SELECT '2020-01-02 03:04:05.678+00', '1 day 2 h', n / 3.0, '\\xff' FROM generate_series(1, 50000) n;");
    server.sql("postgres", format!("CREATE ROLE {role} SUPERUSER LOGIN;
        ALTER ROLE {role} SET statement_timeout = '20ms'; ALTER ROLE {role} SET idle_in_transaction_session_timeout = '20ms';
        ALTER ROLE {role} SET DateStyle = 'SQL, DMY'; ALTER ROLE {role} SET IntervalStyle = 'iso_8601';
        ALTER ROLE {role} SET extra_float_digits = -5; ALTER ROLE {role} SET bytea_output = 'escape';
        ALTER ROLE {role} SET TimeZone = 'Asia/Tokyo'; ALTER ROLE {role} SET client_encoding = 'LATIN1';
        ALTER ROLE {role} SET standard_conforming_strings = off; ALTER ROLE {role} SET default_transaction_read_only = on;"));
    let source = PostgresSource::new(server.options_as(&role, &name)).pg_dump(program("pg_dump"));
    let limited = lab.back_up(source).await.unwrap();
    let usual = lab.back_up(server.source(&name)).await.unwrap();
    let rows = |plain: Vec<u8>| {
        let text = String::from_utf8(plain).unwrap();
        text.lines().filter(|line| line.starts_with("2020-")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (limited, usual) = (rows(lab.plain(&limited).await), rows(lab.plain(&usual).await));
    assert_eq!(limited.len(), 50_000);
    assert!(limited == usual);
}
