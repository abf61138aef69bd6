//! A PostgreSQL database as a source.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};
use tokio::{
    runtime::{self, Handle},
    sync::{OnceCell, watch},
    task::JoinSet,
};

use super::{
    connect::{options::ConnectOptions, session::Session},
    dump::{
        catalog::Wanted,
        contents::Contents,
        copy::Worker,
        hold::{Hold, Request},
        out::Out,
        pg_dump::{self, Output, Program},
        plan::{Queue, Task},
        sql_out::SqlOut,
        values,
    },
    server,
};
use crate::{
    format::{
        PayloadKind, SourceSummary,
        index::{Entry, ServerRecord, SqlSection},
    },
    payload::SegmentSender,
    sources::BackupSource,
};

/// A PostgreSQL database, dumped as plain SQL: definitions by `pg_dump`, rows by `COPY` over
/// several connections, all under one snapshot.
#[derive(Clone, Debug)]
pub struct PostgresSource {
    pub(super) options: ConnectOptions,
    connections: usize,
    pub(super) wanted: Wanted,
    lock_timeout: Duration,
    pg_dump: Option<PathBuf>,
    /// The `pg_dump` that was found.
    program: Arc<OnceCell<Program>>,
}

impl PostgresSource {
    /// The database that `options` leads to, with two connections and a lock time-out of 30 s.
    pub fn new(options: ConnectOptions) -> Self {
        Self {
            options,
            connections: 2,
            wanted: Wanted::default(),
            lock_timeout: Duration::from_secs(30),
            pg_dump: None,
            program: Arc::default(),
        }
    }

    /// Copies rows over this many connections. One more holds the snapshot, two are used by
    /// `pg_dump`, and one looks at locks before the rows are copied.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Dumps only the schemas that match one of these patterns, as `pg_dump --schema` does: without
    /// extensions and large objects.
    #[must_use]
    pub fn schemas(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.wanted.schemas = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Excludes tables (and views, sequences, …) that match one of these patterns.
    #[must_use]
    pub fn exclude_tables(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.wanted.exclude_tables = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Excludes the rows of tables that match one of these patterns.
    #[must_use]
    pub fn exclude_table_data(
        mut self,
        patterns: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.wanted.exclude_table_data = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Waits no longer than this for a lock; three attempts are made.
    #[must_use]
    pub fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = lock_timeout.max(Duration::from_millis(1));
        self
    }

    /// Runs this `pg_dump` instead of the one that is found.
    #[must_use]
    pub fn pg_dump(mut self, program: impl Into<PathBuf>) -> Self {
        self.pg_dump = Some(program.into());
        self.program = Arc::default();
        self
    }

    /// Checks that the server can be reached and that there is a `pg_dump` for it. A run does the
    /// same, but only when it gets to this source.
    pub async fn check(&self) -> Result<()> {
        let session = Session::open(&self.options, "postgres.dump").await?;
        self.program(session.version()).await?;
        session.close().await;
        Ok(())
    }

    /// The `pg_dump` for a server of this version.
    pub(super) async fn program(&self, server: u32) -> Result<Program> {
        let find = || pg_dump::find(self.pg_dump.as_deref(), "pg_dump", server);
        self.program.get_or_try_init(find).await.cloned()
    }

    async fn run(&self, out: SegmentSender, cx: &Context) -> Result<SourceSummary> {
        let side = Session::open(&self.options, "postgres.dump").await?;
        let program = self.program(side.version()).await?;
        side.set_up(self.lock_timeout).await?;
        let (options, wanted) = (&self.options, &self.wanted);
        let lock_timeout = self.lock_timeout;
        let request = Request { options, wanted, pg_dump: &program.path, lock_timeout };
        let hold = request.hold(&side, cx).await?;
        side.close().await;
        for pattern in &hold.scope.idle {
            cx.emit(Event::warning(format!("the pattern `{pattern}` matches no table")));
        }
        self.send(hold, &program, Out::new(out)).await
    }

    /// Sends everything, in the order in which psql needs it.
    async fn send(&self, hold: Hold, program: &Program, out: Out) -> Result<SourceSummary> {
        let Hold { leader, snapshot, contents, mut pre_data, post_data, .. } = hold;
        let Contents { record, tables, tasks, queue, sequences, objects } = contents;
        let leader = Arc::new(leader);

        // psql refuses its own commands between these lines, whatever the rows contain.
        let restricted = pre_data.started().await?.windows(10).any(|w| w == b"\\restrict ");
        let key = restricted.then(random_key).transpose()?;
        let mut sql = SqlOut::new(&out, SqlSection::PreData);
        sql.push(introduction(&record).as_bytes()).await?;
        sql.note(Entry::Server(Box::new(record)));
        send_output(&mut sql, pre_data).await?;
        if !objects.is_empty() && !program.makes_large_objects() {
            values::make_large_objects(&leader, &objects, &mut sql).await?;
        }
        if let Some(key) = &key {
            sql.push(format!("\\restrict {key}\n\n").as_bytes()).await?;
        }
        let mut bytes = sql.finish().await?;

        self.copy_rows(&snapshot, Arc::new(queue), &leader, &out).await?;

        let mut sql = SqlOut::new(&out, SqlSection::Sequences);
        sql.push(b"-- Sequences and large objects\n\n").await?;
        let (table_bytes, rows) = note_tables(&tasks, &mut sql);
        bytes += table_bytes;
        values::sequences(&leader, &sequences, &mut sql).await?;
        bytes += sql.finish().await?;
        let mut sessions = vec![leader];
        if !objects.is_empty() {
            for _ in 1..self.connections {
                sessions.push(Arc::new(self.follower(&snapshot).await?));
            }
        }
        bytes += send_objects(objects, &sessions, &out).await?;
        // The locks are released as soon as possible; `pg_dump` holds its own.
        Session::close_all(sessions).await;

        let mut sql = SqlOut::new(&out, SqlSection::PostData);
        if let Some(key) = &key {
            sql.push(format!("\n\\unrestrict {key}\n\n").as_bytes()).await?;
        }
        send_output(&mut sql, post_data).await?;
        bytes += sql.finish().await?;
        Ok(SourceSummary { files: tables, bytes, rows: Some(rows), ..SourceSummary::default() })
    }

    /// Copies everything in `queue`, on as many threads as there are connections.
    async fn copy_rows(
        &self,
        snapshot: &str,
        queue: Arc<Queue>,
        leader: &Arc<Session>,
        out: &Out,
    ) -> Result<()> {
        // The threads end when this does, however it ends.
        let (_alive, ended) = watch::channel(());
        let alone = out.workers() <= self.connections;
        let mut workers = JoinSet::new();
        for _ in 0..self.connections {
            let (source, snapshot) = (self.clone(), snapshot.to_owned());
            let (queue, out, ended) = (queue.clone(), out.clone(), ended.clone());
            workers.spawn_blocking(move || {
                // So that the connection is polled on the thread that waits for it.
                let runtime = runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|source| {
                    Error::io("postgres.dump", "cannot set up a thread for a connection", source)
                })?;
                runtime.block_on(unless_ended(ended, async {
                    let session = Arc::new(source.follower(&snapshot).await?);
                    Worker::new(session.clone(), false, alone, out).run(&queue).await?;
                    Session::close_all([session]).await;
                    Ok(())
                }))
            });
        }
        finish(workers).await?;
        // The tables that no worker could lock.
        let (leader, out) = (leader.clone(), out.clone());
        let mut last = JoinSet::new();
        last.spawn_blocking(move || {
            let copying = async { Worker::new(leader, true, alone, out).run(&queue).await };
            Handle::current().block_on(unless_ended(ended, copying))
        });
        finish(last).await
    }

    /// A connection that sees what the leader sees.
    async fn follower(&self, snapshot: &str) -> Result<Session> {
        let session = Session::open(&self.options, "postgres.dump").await?;
        session.set_up(self.lock_timeout).await?;
        session
            .run(&format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                 SET TRANSACTION SNAPSHOT '{snapshot}'"
            ))
            .await?;
        Ok(session)
    }
}

#[async_trait]
impl BackupSource for PostgresSource {
    fn payload(&self) -> PayloadKind {
        PayloadKind::SQL
    }

    async fn dump(&self, out: SegmentSender, cx: &Context) -> Result<SourceSummary> {
        tokio::select! {
            summary = self.run(out, cx) => summary,
            () = cx.cancel().triggered() => Err(Error::cancelled("postgres.dump")),
        }
    }
}

/// The comment at the beginning of the payload, for people who open it.
fn introduction(record: &ServerRecord) -> String {
    let line = |text: String| text.replace(['\n', '\r'], " ");
    let create = server::create(record, &record.database, record.version);
    format!(
        "--\n-- A PostgreSQL database, backed up by Seaworthy. To restore it without Seaworthy:\n\
         -- zstd -dc FILE | psql -X -v ON_ERROR_STOP=1 NEW_DATABASE\n-- It was made with\n-- {};\n--\n\n",
        line(create)
    )
}

async fn send_output(sql: &mut SqlOut, mut output: Output) -> Result<()> {
    while let Some(chunk) = output.next().await? {
        sql.push(&chunk).await?;
    }
    Ok(())
}

/// Records the contents of each table, in the order of their names, and sums up their bytes and
/// rows.
fn note_tables(tasks: &[Arc<Task>], sql: &mut SqlOut) -> (u64, u64) {
    let totals =
        |task: &Arc<Task>| task.totals.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut tables: Vec<_> = tasks.iter().map(totals).collect();
    tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    let bytes = tables.iter().map(|table| table.bytes).sum();
    let rows = tables.iter().map(|table| table.rows).sum();
    tables.into_iter().for_each(|table| sql.note(Entry::Table(table)));
    (bytes, rows)
}

async fn send_objects(objects: Vec<u32>, sessions: &[Arc<Session>], out: &Out) -> Result<u64> {
    if objects.is_empty() {
        return Ok(0);
    }
    let objects = Arc::new(Mutex::new(objects));
    let mut workers = JoinSet::new();
    for session in sessions {
        let (session, objects) = (session.clone(), objects.clone());
        let mut sql = SqlOut::new(out, SqlSection::LargeObjects);
        workers.spawn(async move {
            values::send_large_objects(&session, &objects, &mut sql).await?;
            sql.finish().await
        });
    }
    let mut bytes = 0;
    while let Some(sent) = workers.join_next().await {
        bytes += sent.map_err(panicked)??;
    }
    Ok(bytes)
}

/// Runs `work`, unless the other end of `ended` is dropped.
async fn unless_ended(
    mut ended: watch::Receiver<()>,
    work: impl Future<Output = Result<()>>,
) -> Result<()> {
    tokio::select! {
        done = work => done,
        _ = ended.changed() => Err(Error::cancelled("postgres.dump")),
    }
}

async fn finish(mut workers: JoinSet<Result<()>>) -> Result<()> {
    while let Some(done) = workers.join_next().await {
        done.map_err(panicked)??;
    }
    Ok(())
}

fn random_key() -> Result<String> {
    let mut key = [0; 24];
    getrandom::fill(&mut key).map_err(|error| {
        Error::new(ErrorKind::Internal, "postgres.dump", "the system has no random numbers")
            .caused_by(std::io::Error::other(error.to_string()))
    })?;
    Ok(key.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "postgres.dump", "a worker panicked").caused_by(source)
}
