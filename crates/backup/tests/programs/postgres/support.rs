//! What the tests of this crate do with a throw-away PostgreSQL server.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
};

use futures_util::TryStreamExt as _;
use seaworthy_backup::{
    BackupJob, BackupReport, BackupSource, HostId, MemorySink, RestoreReport, Selection, Snapshot,
    format::index::Record,
    restore::{Restoration, RestoreOptions, restore},
    sources::postgres::{ConnectOptions, Environment, PostgresSource, PostgresTarget},
};
use seaworthy_core::{Context, Name, Result};
pub(crate) use seaworthy_tests::postgres::*;

/// Makes the roles that some databases need, once.
pub(crate) fn roles() {
    static ROLES: OnceLock<()> = OnceLock::new();
    ROLES.get_or_init(|| {
        server().sql("postgres", crate::postgres::schemas::ROLES);
    });
}

/// How our own parts reach a server.
pub(crate) trait Reach {
    fn options(&self, database: &str) -> ConnectOptions {
        self.options_as("postgres", database)
    }

    fn options_as(&self, user: &str, database: &str) -> ConnectOptions;

    fn source(&self, database: &str) -> PostgresSource {
        PostgresSource::new(self.options(database)).pg_dump(program("pg_dump"))
    }
}

impl Reach for Server {
    fn options_as(&self, user: &str, database: &str) -> ConnectOptions {
        let url = self.url(database).replace("user=postgres", &format!("user={user}"));
        ConnectOptions::parse(&url, &Environment::new()).unwrap()
    }
}

/// Snapshots in memory.
#[derive(Clone)]
pub(crate) struct Lab {
    pub(crate) sink: MemorySink,
}

pub(crate) fn db() -> Name {
    Name::new("db").unwrap()
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self { sink: MemorySink::new() }
    }

    pub(crate) fn job(&self, source: impl BackupSource) -> BackupJob {
        let host = HostId::from_machine_id("test");
        BackupJob::new(Name::new("nightly").unwrap(), host, Arc::new(self.sink.clone()))
            .source(db(), Arc::new(source))
    }

    pub(crate) async fn back_up(&self, source: impl BackupSource) -> Result<BackupReport> {
        self.job(source).run(&Context::new()).await
    }

    pub(crate) async fn restore(
        &self,
        report: &BackupReport,
        target: PostgresTarget,
        selection: Selection,
    ) -> Result<RestoreReport> {
        let snapshot = self.snapshot(report).await;
        let restoration = Restoration::new(db(), Box::new(target), selection);
        let options = RestoreOptions::default();
        Ok(restore(&snapshot, vec![restoration], &options, &Context::new()).await?.remove(0))
    }

    /// Whether there is no snapshot.
    pub(crate) async fn is_empty(&self) -> bool {
        let job = self.job(server().source("unused"));
        job.repository().list(&Context::new()).await.unwrap().is_empty()
    }

    pub(crate) async fn snapshot(&self, report: &BackupReport) -> Snapshot {
        let job = self.job(server().source("unused"));
        job.repository().open(&report.id).await.unwrap()
    }

    /// The payload, decompressed as `zstd -dc` does it.
    pub(crate) async fn plain(&self, report: &BackupReport) -> Vec<u8> {
        let snapshot = self.snapshot(report).await;
        let folder = snapshot.folder().clone();
        let key = folder.join("db.sql.zst").unwrap();
        let mut stored = Vec::new();
        let mut stream = seaworthy_backup::BackupSink::read(&self.sink, &key, None).await.unwrap();
        while let Some(chunk) = stream.try_next().await.unwrap() {
            stored.extend_from_slice(&chunk);
        }
        let mut zstd = Command::new("zstd")
            .arg("-dc")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("zstd is missing: apt-get install zstd");
        let mut stdin = zstd.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&stored).unwrap());
        let output = zstd.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    pub(crate) async fn records(&self, report: &BackupReport) -> Vec<Record> {
        let snapshot = self.snapshot(report).await;
        let index = snapshot.index(&std::env::temp_dir(), &Context::new()).await.unwrap();
        index.records().unwrap().collect::<Result<_>>().unwrap()
    }
}
