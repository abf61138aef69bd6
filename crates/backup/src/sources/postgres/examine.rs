//! Examines a database before it is backed up: is it reached directly, can everything be read, and
//! is there a `pg_dump` for it?

use std::{path::PathBuf, time::Duration};

use seaworthy_core::{Error, Result};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{
    PostgresSource,
    connect::{error::failed, options::ConnectOptions, session::Session},
};

const OPERATION: &str = "postgres.examine";

/// How many sessions are open in addition to the first, as in a backup.
const BESIDE: usize = 3;

/// How long opening a session may take.
const WAIT: Duration = Duration::from_secs(5);

/// How many relations are named.
const NAMED: i64 = 20;

/// The result of examining a database.
#[derive(Debug)]
#[non_exhaustive]
pub struct Examination {
    /// What is between us and the server.
    pub pooling: Pooling,
    /// The server itself; `None` behind a pooler that would only sometimes reach the same session.
    pub server: Option<ServerSeen>,
}

/// What is between us and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pooling {
    /// Nothing, or a pooler that gives each connection a session of its own.
    None,
    /// A pooler that gives each transaction another session: a backup cannot work through it.
    Transaction,
    /// A pooler, or a server, that has too few sessions.
    Exhausted,
}

/// Facts about a server.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerSeen {
    /// Its version, such as `15.14`.
    pub version: String,
    /// Our role there.
    pub role: String,
    /// The `pg_dump` that a run would use, or why there is none.
    pub pg_dump: Result<PathBuf>,
    /// The first twenty tables and sequences that this role cannot read in full.
    pub unreadable: Vec<String>,
    /// Whether the source excludes something, which may be these.
    pub filtered: bool,
}

impl PostgresSource {
    /// Examines the database without changing anything.
    ///
    /// # Errors
    /// The errors of connecting.
    pub async fn examine(&self) -> Result<Examination> {
        let pooling = pooling(&self.options).await?;
        if pooling != Pooling::None {
            return Ok(Examination { pooling, server: None });
        }
        let session = Session::open(&self.options, OPERATION).await?;
        let pg_dump = self.program(session.version()).await.map(|program| program.path);
        let row = session
            .row(
                "SELECT pg_catalog.current_setting('server_version'), current_user::pg_catalog.text",
                &[],
            )
            .await?;
        // Objects of extensions are not dumped.
        let unreadable = session
            .rows(
                "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
                 FROM pg_catalog.pg_class c
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind IN ('r', 'p', 'm', 'S')
                   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                   AND NOT EXISTS (
                     SELECT FROM pg_catalog.pg_depend d
                     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                       AND d.objid = c.oid AND d.deptype = 'e')
                   AND (NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                     OR NOT CASE c.relkind
                       WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                       ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END
                     OR c.relkind <> 'S' AND pg_catalog.row_security_active(c.oid))
                 ORDER BY 1 LIMIT $1",
                &[&NAMED],
            )
            .await?;
        let wanted = &self.wanted;
        let filtered = !(wanted.schemas.is_empty()
            && wanted.exclude_tables.is_empty()
            && wanted.exclude_table_data.is_empty());
        let server = ServerSeen {
            version: row.get(0),
            role: row.get(1),
            pg_dump,
            unreadable: unreadable.iter().map(|row| row.get(0)).collect(),
            filtered,
        };
        session.close().await;
        Ok(Examination { pooling, server: Some(server) })
    }
}

/// Whether connections are sessions of their own: the process behind the first must serve none of
/// the others, and must still be there afterwards. Sends plain text alone, since a pooler may lose
/// prepared statements.
async fn pooling(options: &ConnectOptions) -> Result<Pooling> {
    let first = options.open(OPERATION).await?;
    let before = backend(&first.client, "SELECT pg_catalog.pg_backend_pid()").await?;
    let mut beside = Vec::new();
    for _ in 0..BESIDE {
        let opened = async {
            let channel = options.open(OPERATION).await?;
            let sql = "BEGIN; SELECT pg_catalog.pg_backend_pid()";
            let pid = backend(&channel.client, sql).await?;
            Ok::<_, Error>((channel, pid))
        };
        let Ok(opened) = tokio::time::timeout(WAIT, opened).await else {
            return Ok(Pooling::Exhausted);
        };
        let (channel, pid) = opened?;
        if pid == before {
            return Ok(Pooling::Transaction);
        }
        beside.push(channel);
    }
    let again = backend(&first.client, "SELECT pg_catalog.pg_backend_pid()");
    let Ok(after) = tokio::time::timeout(WAIT, again).await else {
        // Its session was given to another client in the meantime.
        return Ok(Pooling::Transaction);
    };
    Ok(if after? == before { Pooling::None } else { Pooling::Transaction })
}

/// The process id of the backend that serves `client`.
async fn backend(client: &Client, sql: &str) -> Result<String> {
    let answers = client.simple_query(sql).await;
    let answers = answers.map_err(|error| failed(OPERATION, "cannot ask the server", error))?;
    let rows = answers.iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(rows.last().unwrap_or_default())
}
