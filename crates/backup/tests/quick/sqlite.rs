//! SQLite databases, live, corrupt, locked, and back again.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::Connection;
use seaworthy_backup::{
    BackupJob, BackupReport, HostId, MemorySink, RestoreReport, Selection,
    format::index::Record,
    restore::{Restoration, RestoreOptions, restore},
    sources::{SqliteSource, SqliteTarget, sqlite::ForeignKeys},
};
use seaworthy_core::{Context, ErrorKind, Name, Result};

struct Lab {
    folder: tempfile::TempDir,
    sink: MemorySink,
}

impl Lab {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), sink: MemorySink::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn job(&self, source: SqliteSource) -> BackupJob {
        let host = HostId::from_machine_id("test");
        let temp = self.path("temp");
        fs::create_dir_all(&temp).unwrap();
        BackupJob::new(Name::new("weekly").unwrap(), host, Arc::new(self.sink.clone()))
            .source(app(), Arc::new(source.temp(temp)))
    }

    async fn back_up(&self, path: &Path) -> Result<BackupReport> {
        self.job(SqliteSource::new(path)).run(&Context::new()).await
    }

    async fn restore(&self, report: &BackupReport, target: SqliteTarget) -> Result<RestoreReport> {
        let cx = Context::new();
        let job = self.job(SqliteSource::new("unused"));
        let snapshot = job.repository().open(&report.id).await?;
        let restoration = Restoration::new(app(), Box::new(target), Selection::all());
        let options = RestoreOptions::default();
        Ok(restore(&snapshot, vec![restoration], &options, &cx).await?.remove(0))
    }
}

fn app() -> Name {
    Name::new("app").unwrap()
}

/// A database in WAL mode with `rows` accounts whose balances sum to zero.
fn database(path: &Path, rows: u32) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA user_version=42; PRAGMA application_id=7;
             CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
             CREATE TABLE entry (account INTEGER REFERENCES account(id), note TEXT);",
        )
        .unwrap();
    connection
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?1)
             INSERT INTO account SELECT i, 0 FROM n",
            [rows],
        )
        .unwrap();
    connection
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_while_writers_write_is_one_transactions_view() {
    let lab = Lab::new();
    let path = lab.path("app.db");
    drop(database(&path, 20_000));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (path, stop) = (path.clone(), stop.clone());
        move || {
            let mut connection = Connection::open(path).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
            let mut transfers = 0;
            while !stop.load(Ordering::Relaxed) {
                let transfer = connection.transaction().unwrap();
                let (a, b) = (transfers % 20_000 + 1, (transfers * 7) % 20_000 + 1);
                let sql = "UPDATE account SET balance = balance + ?2 WHERE id = ?1";
                transfer.execute(sql, [a, 5]).unwrap();
                transfer.execute(sql, [b, -5]).unwrap();
                transfer.execute("INSERT INTO entry VALUES (?1, 'transfer')", [a]).unwrap();
                transfer.commit().unwrap();
                transfers += 1;
            }
            transfers
        }
    });
    let mut reports = Vec::new();
    for _ in 0..5 {
        reports.push(lab.back_up(&path).await.unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.join().unwrap() > 0);
    for (n, report) in reports.iter().enumerate() {
        let target = lab.path(&format!("restored {n}"));
        let restored = lab.restore(report, SqliteTarget::to_folder(&target)).await.unwrap();
        let copy = &restored.placed[0];
        assert_eq!(*copy, target.join("app.db"));
        assert_eq!(number(copy, "SELECT sum(balance) FROM account"), 0);
        assert_eq!(number(copy, "SELECT count(*) FROM account"), 20_000);
        assert_eq!(number(copy, "PRAGMA user_version"), 42);
        assert_eq!(number(copy, "PRAGMA application_id"), 7);
        assert_eq!(
            number(
                copy,
                "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"
            ),
            1
        );
    }
    assert_eq!(fs::read_dir(lab.path("temp")).unwrap().count(), 0, "copies are removed");
}

#[tokio::test]
async fn what_is_no_database_or_corrupt_fails_and_leaves_the_last_good_snapshot() {
    let lab = Lab::new();
    let path = lab.path("app.db");
    let connection = database(&path, 20_000);
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(connection);
    let good = lab.back_up(&path).await.unwrap();

    let whole = fs::read(&path).unwrap();
    let mut corrupt = whole.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 8192].fill(0xA5);
    let mut not_a_database = whole.clone();
    not_a_database[..16].fill(b'x');
    for (bytes, words) in [
        (&corrupt, ["integrity check failed", "corrupt"]),
        (&not_a_database, ["is not an SQLite database", ""]),
        (
            &b"hello, this is a text file and no database at all. ".repeat(40),
            ["is not an SQLite", ""],
        ),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = lab.back_up(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source, "{}", error.chain());
        let text = error.to_string();
        assert!(words.iter().any(|word| !word.is_empty() && text.contains(word)), "{text}");
        assert!(text.contains("app.db"), "{text}");
    }
    let repository = lab.job(SqliteSource::new(&path)).repository().clone();
    let left = repository.list(&Context::new()).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].is_good() && left[0].id == good.id);
}

#[tokio::test]
async fn a_missing_database_is_an_error_and_an_empty_one_is_suspect() {
    let lab = Lab::new();
    let error = lab.back_up(&lab.path("absent.db")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("absent.db"));
    fs::write(lab.path("empty.db"), "").unwrap();
    let report = lab.back_up(&lab.path("empty.db")).await.unwrap();
    assert!(!report.is_good(), "a database without a table holds nothing");
}

#[tokio::test]
async fn foreign_key_violations_are_counted_or_fatal_as_asked() {
    let lab = Lab::new();
    let path = lab.path("app.db");
    let connection = database(&path, 3);
    connection.execute_batch("PRAGMA foreign_keys=OFF").unwrap();
    connection.execute("INSERT INTO entry VALUES (99, 'lost'), (98, 'lost')", []).unwrap();
    let report = lab.back_up(&path).await.unwrap();
    assert!(report.is_good());
    let cx = Context::new();
    let snapshot = lab.job(SqliteSource::new(&path)).repository().open(&report.id).await.unwrap();
    let index = snapshot.index(lab.folder.path(), &cx).await.unwrap();
    let violations = index.records().unwrap().find_map(|record| match record.unwrap() {
        Record::Database(database) => Some(database.foreign_key_violations),
        _ => None,
    });
    assert_eq!(violations, Some(2));

    let strict = SqliteSource::new(&path).foreign_keys(ForeignKeys::Fail);
    let error = lab.job(strict).run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.to_string().contains("2 rows"), "{error}");
}

#[tokio::test]
async fn a_crashed_writers_journal_is_rolled_back_in_the_copy() {
    let lab = Lab::new();
    let path = lab.path("app.db");
    let connection = database(&path, 100);
    connection
        .execute_batch(
            "PRAGMA journal_mode=DELETE; PRAGMA cache_size=1; PRAGMA cache_spill=1;
             BEGIN; UPDATE account SET balance = 1; ",
        )
        .unwrap();
    connection.execute_batch("CREATE TABLE filler AS SELECT * FROM account a, account b").unwrap();
    // As after a crash: the database with uncommitted pages and a hot journal.
    let crashed = lab.path("crashed.db");
    fs::copy(&path, &crashed).unwrap();
    fs::copy(lab.path("app.db-journal"), lab.path("crashed.db-journal")).unwrap();
    connection.execute_batch("ROLLBACK").unwrap();
    let report = lab.back_up(&crashed).await.unwrap();
    let restored = lab.restore(&report, SqliteTarget::to_folder(lab.path("out"))).await.unwrap();
    assert_eq!(number(&restored.placed[0], "SELECT sum(balance) FROM account"), 0);
}

#[tokio::test]
async fn a_restore_in_place_moves_the_old_database_aside_with_its_log() {
    let lab = Lab::new();
    let path = lab.path("app.db");
    let connection = database(&path, 5);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let report = lab.back_up(&path).await.unwrap();
    connection.execute("UPDATE account SET balance = 1000", []).unwrap();
    assert!(lab.path("app.db-wal").exists(), "the change stands in the log alone");

    let restored = lab.restore(&report, SqliteTarget::in_place(&path, "now")).await.unwrap();
    drop(connection);
    assert_eq!(restored.placed, std::slice::from_ref(&path));
    assert!(!lab.path("app.db-wal").exists(), "a stale log would be read into the restored one");
    assert_eq!(number(&path, "SELECT sum(balance) FROM account"), 0);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
    let aside = lab.path("app.db.before-restore-now");
    assert_eq!(number(&aside, "SELECT sum(balance) FROM account"), 5000);
}

#[tokio::test]
async fn a_folder_that_is_not_empty_is_refused_and_left_alone() {
    let lab = Lab::new();
    let path = lab.path("app.db");
    drop(database(&path, 5));
    let report = lab.back_up(&path).await.unwrap();
    let target = lab.path("target");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("mine"), "mine").unwrap();
    let error = lab.restore(&report, SqliteTarget::to_folder(&target)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
}

#[tokio::test]
async fn the_payload_is_the_database_for_stock_tools() {
    use seaworthy_backup::BackupSinkExt;
    let lab = Lab::new();
    let path = lab.path("app.db");
    drop(database(&path, 1000));
    let report = lab.back_up(&path).await.unwrap();
    let key = report.folder.join("app.sqlite.zst").unwrap();
    let payload = lab.sink.get(&key, 1 << 30).await.unwrap();
    fs::write(lab.path("app.sqlite.zst"), payload).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(program);
        let output = command.args(arguments).current_dir(lab.folder.path()).output().unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run("zstd", &["-qd", "app.sqlite.zst"]);
    assert_eq!(run("sqlite3", &["app.sqlite", "SELECT count(*) FROM account"]).trim(), "1000");
}
