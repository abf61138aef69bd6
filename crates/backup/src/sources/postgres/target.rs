//! A PostgreSQL database as a restore target.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Result};
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    connect::{
        options::ConnectOptions,
        session::{Session, quote},
    },
    restore::{
        index_memory::IndexMemory,
        lanes::Lanes,
        load::Loader,
        machine, post_data,
        sql_split::Splitter,
        statements::execute_all,
        statistics, swap,
        units::{self, Share},
    },
    server,
};
use crate::{
    format::index::{ServerRecord, SqlSection},
    restore::{RestoreReport, RestoreTarget, Selection},
    snapshot::{PayloadReader, Snapshot},
};

/// PostgreSQL truncates longer names, in bytes.
const LONGEST_NAME: usize = 63;

/// Loads a database over several connections: definitions, rows, then indexes and constraints
/// as their locks allow, and statistics.
#[derive(Debug)]
pub struct PostgresTarget {
    options: ConnectOptions,
    place: Place,
    connections: usize,
    maintenance: String,
    /// What `load` created and `abort` must drop.
    created: Option<String>,
    report: RestoreReport,
}

#[derive(Debug)]
enum Place {
    /// The database itself: empty, or to be created.
    Database,
    /// A new one, which then gets the name of the existing one.
    InPlace { stamp: String },
}

impl PostgresTarget {
    /// Restores into the database that `options` names. It must be empty; if it does not exist, it
    /// is created like the one that was backed up. An existing empty database keeps its owner and
    /// settings, and what a failed restore left in it.
    pub fn to_database(options: ConnectOptions) -> Self {
        Self::new(options, Place::Database)
    }

    /// Restores into a new database `<name>_restore_<stamp>`, then gives it the name of the one in
    /// `options`, which is kept as `<name>_before_<stamp>`.
    pub fn in_place(options: ConnectOptions, stamp: impl Into<String>) -> Self {
        Self::new(options, Place::InPlace { stamp: stamp.into() })
    }

    fn new(options: ConnectOptions, place: Place) -> Self {
        Self {
            options,
            place,
            connections: 2,
            maintenance: "postgres".to_owned(),
            created: None,
            report: RestoreReport::default(),
        }
    }

    /// Loads over this many connections.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Connects to this database, instead of `postgres`, to create and rename others.
    #[must_use]
    pub fn maintenance_database(mut self, name: impl Into<String>) -> Self {
        self.maintenance = name.into();
        self
    }

    async fn maintenance(&self) -> Result<Session> {
        let options = self.options.clone().with_database(&self.maintenance);
        Session::open(&options, "postgres.restore").await
    }

    /// The names of the database to load and of the one to keep.
    fn names(&self) -> (String, Option<String>) {
        let name = self.options.database();
        match &self.place {
            Place::Database => (name.to_owned(), None),
            Place::InPlace { stamp } => {
                let with = |what: &str| {
                    let suffix = format!("_{what}_{stamp}");
                    let mut end = name.len().min(LONGEST_NAME.saturating_sub(suffix.len()));
                    while !name.is_char_boundary(end) {
                        end -= 1;
                    }
                    format!("{}{suffix}", &name[..end])
                };
                (with("restore"), Some(with("before")))
            }
        }
    }

    /// Creates the database, unless it exists, and returns whether it did.
    async fn create(&mut self, record: &ServerRecord) -> Result<bool> {
        let (name, _) = self.names();
        let maintenance = self.maintenance().await?;
        if exists(&maintenance, &name).await? {
            return Ok(false);
        }
        let sql = server::create(record, &name, maintenance.version());
        maintenance.run(&sql).await.map_err(|error| {
            error.remedy_is(format!(
                "create the database {name} by hand with the locales and encodings of this \
                 server, then restore to it"
            ))
        })?;
        self.created = Some(name);
        Ok(true)
    }

    /// A connection that loads.
    async fn loader(&self, options: &ConnectOptions) -> Result<Session> {
        let session = Session::open(options, "postgres.restore").await?;
        session.set_up(std::time::Duration::ZERO).await?;
        session
            .run(
                "SET synchronous_commit = off; SET check_function_bodies = off;
                 SET default_transaction_read_only = off",
            )
            .await?;
        // An autovacuum gives way to a waiting session, but only after this time; a role that
        // cannot set it waits longer.
        let _ = session.client().batch_execute("SET deadlock_timeout = '20ms'").await;
        if options.is_local() {
            let helpers = machine::index_helpers(self.connections);
            let sql =
                "SELECT set_config(name, least(setting::int, $1)::text, false) FROM pg_settings
                       WHERE name = 'max_parallel_maintenance_workers'";
            session.row(sql, &[&helpers]).await?;
        }
        Ok(session)
    }

    async fn load_all(
        &mut self,
        payload: &PayloadReader,
        selection: &Selection,
        cx: &Context,
    ) -> Result<()> {
        let before = payload.fetched();
        let record = units::server(payload).await?;
        units::check(payload, selection).await?;
        let created = self.create(&record).await?;
        let (name, _) = self.names();
        let options = self.options.clone().with_database(&name);
        let mut sessions = Vec::new();
        for _ in 0..self.connections {
            sessions.push(Arc::new(self.loader(&options).await?));
        }
        let encoding = sessions[0].encoding();
        if encoding != record.encoding {
            let message =
                format!("the database {name} has the encoding {encoding}, not {}", record.encoding);
            return Err(Error::new(ErrorKind::InvalidInput, "postgres.restore", message)
                .remedy_is(
                    "use a database name that does not exist yet: the database is then \
                         created as it was",
                ));
        }
        let memory = IndexMemory::of(&sessions[0], sessions.len(), options.is_local()).await?;
        let loaded =
            load(payload, selection, &sessions, memory, cx, &mut self.report.warnings).await?;
        Session::close_all(sessions).await;
        if created {
            // Last: a setting such as default_transaction_read_only would have stopped us.
            let maintenance = self.maintenance().await?;
            for sql in server::properties(&record, &name) {
                maintenance.run(&sql).await?;
            }
        }
        self.report.files = 1;
        self.report.bytes = loaded;
        self.report.fetched = payload.fetched() - before;
        Ok(())
    }
}

#[async_trait]
impl RestoreTarget for PostgresTarget {
    async fn prepare(&mut self, _: &Snapshot, _: &Context) -> Result<()> {
        let (name, aside) = self.names();
        let maintenance = self.maintenance().await?;
        for name in [Some(&name), aside.as_ref()].into_iter().flatten() {
            if !exists(&maintenance, name).await? {
                continue;
            }
            match self.place {
                Place::Database => return must_be_empty(&self.options).await,
                Place::InPlace { .. } => {
                    let message = format!("the database {name} already exists");
                    return Err(Error::new(ErrorKind::AlreadyExists, "postgres.restore", message)
                        .remedy_is("drop or rename it, or use another stamp"));
                }
            }
        }
        let sql = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user";
        if !maintenance.row(sql, &[]).await?.get::<_, bool>(0) {
            let message = "the role is not allowed to create databases";
            return Err(Error::new(ErrorKind::PermissionDenied, "postgres.restore", message)
                .remedy_is("ALTER ROLE … CREATEDB, or restore to an existing empty database"));
        }
        match aside {
            Some(_) => swap::check(&maintenance, self.options.database()).await,
            None => Ok(()),
        }
    }

    async fn load(
        &mut self,
        payload: PayloadReader,
        selection: &Selection,
        cx: &Context,
    ) -> Result<()> {
        if !selection.is_all() && matches!(self.place, Place::InPlace { .. }) {
            let message = "a part of a database cannot replace the whole database in place";
            return Err(Error::new(ErrorKind::InvalidInput, "postgres.restore", message)
                .remedy_with(
                    "restore it `to` another database, then copy the rows over",
                    &["to"],
                ));
        }
        tokio::select! {
            done = self.load_all(&payload, selection, cx) => done,
            () = cx.cancel().triggered() => Err(Error::cancelled("postgres.restore")),
        }
    }

    async fn finish(mut self: Box<Self>, _: &Context) -> Result<RestoreReport> {
        let (loaded, aside) = self.names();
        let name = self.options.database().to_owned();
        if let Some(aside) = aside {
            let maintenance = self.maintenance().await?;
            let (from, to) = (name.clone(), aside.clone());
            // It must not be left half done if our future is dropped.
            let swap =
                tokio::spawn(async move { swap::swap(&maintenance, &from, &to, &loaded).await });
            let swapped = swap.await.map_err(|source| {
                Error::new(ErrorKind::Internal, "postgres.restore", "the swap panicked")
                    .caused_by(source)
            })?;
            if let Err(error) = swapped {
                // The reason matters more than what is left behind.
                let _ = self.abort().await;
                return Err(error);
            }
            self.report.moved_aside.push(PathBuf::from(aside));
        }
        self.report.placed = vec![PathBuf::from(name)];
        Ok(self.report)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let Some(name) = &self.created else { return Ok(()) };
        let maintenance = self.maintenance().await?;
        // A template cannot be dropped; it is rarely one yet.
        let _ = maintenance.run(&format!("ALTER DATABASE {} IS_TEMPLATE false", quote(name))).await;
        let force = if maintenance.version() >= 13_00_00 { " WITH (FORCE)" } else { "" };
        maintenance.run(&format!("DROP DATABASE {}{force}", quote(name))).await
    }
}

async fn exists(maintenance: &Session, name: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    Ok(maintenance.row(sql, &[&name]).await?.get(0))
}

async fn must_be_empty(options: &ConnectOptions) -> Result<()> {
    let session = Session::open(options, "postgres.restore").await?;
    let sql = "
      WITH own AS (SELECT oid FROM pg_namespace
                   WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
      made AS (SELECT oid, 'pg_class'::regclass AS class FROM pg_class WHERE relnamespace IN (SELECT oid FROM own)
        UNION ALL SELECT oid, 'pg_proc'::regclass FROM pg_proc WHERE pronamespace IN (SELECT oid FROM own)
        UNION ALL SELECT oid, 'pg_type'::regclass FROM pg_type WHERE typnamespace IN (SELECT oid FROM own)
        UNION ALL SELECT oid, 'pg_namespace'::regclass FROM own WHERE oid >= 16384
        UNION ALL SELECT oid, 'pg_largeobject'::regclass FROM pg_largeobject_metadata)
      SELECT count(*) FROM made WHERE NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = made.class AND d.objid = made.oid AND d.deptype = 'e')";
    let found: i64 = session.row(sql, &[]).await?.get(0);
    if found == 0 {
        return Ok(());
    }
    let message = format!("the database {} is not empty", options.database());
    Err(Error::new(ErrorKind::NotEmpty, "postgres.restore", message)
        .remedy_is("use a database that does not exist yet, or an empty one"))
}

/// Loads `selection` over `sessions`.
async fn load(
    payload: &PayloadReader,
    selection: &Selection,
    sessions: &[Arc<Session>],
    memory: IndexMemory,
    cx: &Context,
    warnings: &mut Vec<String>,
) -> Result<u64> {
    let (sender, mut incoming) = mpsc::channel(1);
    let definitions = Share::Definitions;
    let reading =
        tokio::spawn(units::send(payload.clone(), selection.clone(), definitions, sender));
    let mut main = Loader::new(sessions[0].clone(), payload.clone(), cx)?;

    let mut splitter = Splitter::default();
    let mut next = incoming.recv().await;
    while let Some(unit) = next.take_if(|unit| unit.section() == Some(SqlSection::PreData)) {
        let statements = main.statements(&unit, &mut splitter).await?;
        execute_all(&sessions[0], &statements).await?;
        next = incoming.recv().await;
    }
    nothing_left(splitter)?;

    let lanes = Lanes::open(payload, selection, sessions.len()).await?;
    let mut workers = JoinSet::new();
    for (lane, session) in sessions.iter().enumerate() {
        let loader = Loader::new(session.clone(), payload.clone(), cx)?;
        workers.spawn(loader.run(lanes.clone(), lane));
    }
    let mut loaded = 0;
    while let Some(done) = workers.join_next().await {
        loaded += done.map_err(|source| {
            Error::new(ErrorKind::Internal, "postgres.restore", "a worker panicked")
                .caused_by(source)
        })??;
    }

    lanes.finish().await?;

    let tables = statistics::vacuum(sessions, cx).await?;

    let mut splitter = Splitter::default();
    let mut statements = Vec::new();
    while let Some(unit) = next {
        statements.extend(main.statements(&unit, &mut splitter).await?);
        next = incoming.recv().await;
    }
    nothing_left(splitter)?;
    reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "postgres.restore", "the index's reader panicked")
            .caused_by(source)
    })??;
    if !selection.is_all() {
        let before = statements.len();
        statements.retain(|sql| !post_data::is_foreign_key(sql));
        if statements.len() < before {
            warnings.push(format!(
                "{} foreign keys were skipped: the tables that they refer to may be empty",
                before - statements.len()
            ));
        }
    }
    post_data::run(statements, &tables, sessions, memory, cx).await?;
    statistics::complete(sessions, cx).await?;
    Ok(loaded)
}

fn nothing_left(splitter: Splitter) -> Result<()> {
    let Some(rest) = splitter.rest() else { return Ok(()) };
    let rest = String::from_utf8_lossy(&rest).into_owned();
    let message =
        format!("a statement does not end: `{}`", super::connect::session::shorten(&rest));
    Err(Error::new(ErrorKind::Damaged, "postgres.restore", message))
}
