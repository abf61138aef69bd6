//! Roles and tablespaces of a whole server.

use std::{fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use seaworthy_core::{Context, Error, Name, Result};

use super::{
    config::GLOBALS,
    connect::{options::ConnectOptions, session::Session},
    dump::{
        out::Out,
        pg_dump::{self, Output},
        sql_out::SqlOut,
    },
};
use crate::{
    format::{PayloadKind, SourceSummary, index::SqlSection},
    payload::SegmentSender,
    sources::{BackupSource, part_name},
};

/// Objects outside of any database: roles, their memberships and settings, tablespaces. A small
/// payload of its own, for `psql` to read before a database is restored on a new server.
#[derive(Clone, Debug)]
pub struct PostgresGlobals {
    options: ConnectOptions,
    pg_dumpall: Option<PathBuf>,
    read: Option<Arc<Sql>>,
}

/// The output of `pg_dumpall`.
struct Sql {
    chunks: Vec<Bytes>,
    roles: u64,
}

impl fmt::Debug for Sql {
    /// Without the SQL, which holds the hashes of passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl PostgresGlobals {
    /// The globals of the server that `options` leads to.
    pub fn new(options: ConnectOptions) -> Self {
        Self { options, pg_dumpall: None, read: None }
    }

    /// The name of the globals' payload for the database `source`:
    /// `<source>-globals`. Fails if that is too long for a name.
    pub fn name_beside(source: &Name) -> Result<Name> {
        part_name(source, GLOBALS)
    }

    /// Runs this `pg_dumpall` instead of the one that is found.
    #[must_use]
    pub fn pg_dumpall(mut self, program: impl Into<PathBuf>) -> Self {
        self.pg_dumpall = Some(program.into());
        self
    }

    /// Reads them now, to be sent by the dump: some services do not allow reading them, and then
    /// the backup continues without them.
    pub async fn read(mut self) -> Result<Self> {
        self.read = Some(Arc::new(self.fetch().await?));
        Ok(self)
    }

    async fn fetch(&self) -> Result<Sql> {
        let (mut output, roles) = self.start().await?;
        let mut chunks = Vec::new();
        while let Some(chunk) = output.next().await? {
            chunks.push(chunk);
        }
        Ok(Sql { chunks, roles })
    }

    /// Starts `pg_dumpall`, and counts the roles.
    async fn start(&self) -> Result<(Output, u64)> {
        let session = Session::open(&self.options, "postgres.globals").await?;
        let program =
            pg_dump::find(self.pg_dumpall.as_deref(), "pg_dumpall", session.version()).await?;
        let sql = "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT'),
                          (SELECT count(*) FROM pg_catalog.pg_roles)";
        let row = session.row(sql, &[]).await?;
        let roles: i64 = row.get(1);
        session.close().await;
        let mut arguments = vec![
            "--globals-only".to_owned(),
            "--no-password".to_owned(),
            format!("--database={}", database_argument(self.options.database())),
        ];
        if !row.get::<_, bool>(0) {
            arguments.push("--no-role-passwords".to_owned());
            tracing::info!("roles are stored without passwords, which only a superuser may read");
        }
        let output = Output::start(&program.path, arguments, &self.options)?;
        Ok((output, u64::try_from(roles).unwrap_or_default()))
    }

    async fn run(&self, out: SegmentSender) -> Result<SourceSummary> {
        let read = match &self.read {
            Some(read) => read.clone(),
            None => Arc::new(self.fetch().await?),
        };
        let mut sql = SqlOut::new(&Out::new(out), SqlSection::Globals);
        for chunk in &read.chunks {
            sql.push(chunk).await?;
        }
        let bytes = sql.finish().await?;
        Ok(SourceSummary { files: read.roles, bytes, ..SourceSummary::default() })
    }
}

/// `pg_dumpall` reads this as a connection string or a name: a connection string is unambiguous.
fn database_argument(name: &str) -> String {
    format!("dbname='{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[async_trait]
impl BackupSource for PostgresGlobals {
    fn payload(&self) -> PayloadKind {
        PayloadKind::SQL
    }

    async fn dump(&self, out: SegmentSender, cx: &Context) -> Result<SourceSummary> {
        tokio::select! {
            summary = self.run(out) => summary,
            () = cx.cancel().triggered() => Err(Error::cancelled("postgres.globals")),
        }
    }
}
