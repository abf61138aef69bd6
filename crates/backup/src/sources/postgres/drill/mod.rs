//! PostgreSQL: restored into a scratch database, compared table by table with the index, and
//! queried.

mod compare;
mod scratch;
mod temporary_server;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};

use super::{ConnectOptions, PostgresGlobals, PostgresTarget};
use crate::{
    drill::{Drill, DrillPayload, Found, ReadBack, Scratch, is_true, panicked, read_frames},
    format::index::{Record, ServerRecord, SqlSection, TableRecord},
    snapshot::PayloadReader,
};
use scratch::ScratchDatabase;
use temporary_server::RunningServer;

pub use compare::{TableDifference, compare_tables};
pub use temporary_server::TemporaryServer;

/// How many roles and tablespaces are created on a temporary server because a restore needed them.
const MOST_MISSING: usize = 200;

/// The drill of a PostgreSQL database: restored into a scratch database, compared table by table,
/// and asked. Without a server that is named it cannot be tried out.
#[derive(Clone, Debug, Default)]
pub struct PostgresDrill(Option<Server>);

/// Where the database is restored to.
#[derive(Clone, Debug)]
enum Server {
    Running { options: ConnectOptions, connections: usize },
    ThrowAway { server: TemporaryServer, connections: usize },
}

impl PostgresDrill {
    /// Restores into a scratch database of the server that `options` leads to, over this many
    /// connections.
    pub fn on_server(options: ConnectOptions, connections: usize) -> Self {
        Self(Some(Server::Running { options, connections }))
    }

    /// Restores into a temporary server, over this many connections.
    pub fn on_temporary_server(server: TemporaryServer, connections: usize) -> Self {
        Self(Some(Server::ThrowAway { server, connections }))
    }
}

#[async_trait]
impl Drill for PostgresDrill {
    async fn run(&self, payload: DrillPayload<'_>, cx: &Context) -> Result<Found> {
        let Some((record, tables)) = expected(payload.reader(cx).await?).await? else {
            // Roles and tablespaces of the whole server.
            return ReadBack.run(payload, cx).await;
        };
        let drill = Tried { payload, record, tables, cx };
        match &self.0 {
            None => {
                let message = "no server is configured to restore it to";
                Err(Error::new(ErrorKind::Unsupported, "drill", message))
            }
            Some(Server::Running { options, connections }) => {
                drill.in_scratch_database(options, *connections).await
            }
            Some(Server::ThrowAway { server, connections }) => {
                let scratch = Scratch::new(&payload.options.temp)?;
                let major = drill.record.version / 10_000;
                let running = server.start(scratch.path(), major, cx).await?;
                let done = drill.on_temporary_server(&running, *connections).await;
                running.stop().await;
                tokio::task::spawn_blocking(move || drop(scratch)).await.map_err(panicked)?;
                done
            }
        }
    }
}

/// What the index says about the database; `None` if the payload holds the globals of a server.
///
/// Fails if the index does not know the payload's content: one that was rebuilt.
async fn expected(payload: PayloadReader) -> Result<Option<(ServerRecord, Vec<TableRecord>)>> {
    let reading = tokio::task::spawn_blocking(move || {
        let (mut server, mut tables) = (None, Vec::new());
        for record in payload.records()? {
            match record? {
                Record::Server(record) => server = Some(*record),
                Record::Table(table) => tables.push(table),
                Record::Sql(sql) if sql.section == SqlSection::Globals => return Ok(None),
                _ => {}
            }
        }
        if let Some(server) = server {
            return Ok(Some((server, tables)));
        }
        let message = "the index does not say what the database contained";
        Err(Error::new(ErrorKind::Unsupported, "drill", message)
            .remedy_is("try it by hand: `zstd -dc … | psql -v ON_ERROR_STOP=1 NEW_DATABASE`"))
    });
    reading.await.map_err(panicked)?
}

/// A database that is tried out.
struct Tried<'a> {
    payload: DrillPayload<'a>,
    record: ServerRecord,
    tables: Vec<TableRecord>,
    cx: &'a Context,
}

impl Tried<'_> {
    /// Restores into a database of its own on a running server, and always drops it afterwards.
    async fn in_scratch_database(
        &self,
        server: &ConnectOptions,
        connections: usize,
    ) -> Result<Found> {
        let scratch = ScratchDatabase::create(server, &self.record).await?;
        let done = self.restore_and_compare(&scratch, connections).await;
        if let Err(error) = scratch.drop_it().await {
            let message = format!(
                "the scratch database {} could not be dropped: {}",
                scratch.name(),
                error.chain()
            );
            self.cx.emit(Event::warning(message));
        }
        done
    }

    /// The same on a server that has no roles and no tablespaces yet.
    async fn on_temporary_server(
        &self,
        server: &RunningServer,
        connections: usize,
    ) -> Result<Found> {
        for role in self.roles().await? {
            server.make_role(&role).await?;
        }
        let mut tries = 0;
        loop {
            let done = self.in_scratch_database(server.options(), connections).await;
            let missing = done.as_ref().err().and_then(|error| Missing::in_error(&error.chain()));
            tries += 1;
            match missing {
                Some(Missing::Role(name)) if tries < MOST_MISSING => {
                    server.make_role(&name).await?
                }
                Some(Missing::Tablespace(name)) if tries < MOST_MISSING => {
                    server.make_tablespace(&name).await?;
                }
                _ => return done,
            }
        }
    }

    /// The roles that the payload of the globals creates.
    async fn roles(&self) -> Result<Vec<String>> {
        let name = PostgresGlobals::name_beside(self.payload.source)?;
        if !self.payload.snapshot.manifest().sources.iter().any(|held| held.name == name) {
            return Ok(Vec::new());
        }
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = text.clone();
        let globals = DrillPayload { source: &name, ..self.payload };
        read_frames(globals.reader(self.cx).await?, self.cx, move |plain| {
            sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(plain);
        })
        .await?;
        let text = std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(String::from_utf8_lossy(&text).lines().filter_map(role_made_by).collect())
    }

    async fn restore_and_compare(
        &self,
        scratch: &ScratchDatabase,
        connections: usize,
    ) -> Result<Found> {
        let cancelled = self.cx.cancel().triggered();
        let mut found = Found::default();
        let work = async {
            let target = PostgresTarget::to_database(scratch.options().clone())
                .connections(connections)
                .maintenance_database(scratch.maintenance());
            let report = match self.payload.restore(target, self.cx).await {
                Ok(report) => report,
                Err(error) => return self.failed(scratch, error, &mut found),
            };
            found.bytes = report.bytes;
            found.notes = report.warnings;
            self.compare(scratch, connections, &mut found).await?;
            scratch.apply_settings(&self.record).await?;
            self.ask(scratch, &mut found).await
        };
        let done = tokio::select! {
            done = work => done,
            () = cancelled => Err(Error::cancelled("drill")),
        };
        done?;
        if !found.faults.is_empty() {
            found.doubt = self.doubt(scratch);
        }
        Ok(found)
    }

    /// A restore that failed is a finding about the snapshot only where nothing else explains it.
    fn failed(&self, scratch: &ScratchDatabase, error: Error, found: &mut Found) -> Result<()> {
        if error.kind() == ErrorKind::Source && self.doubt(scratch).is_some() {
            found.faults.push(error.chain());
            return Ok(());
        }
        Err(error)
    }

    /// Another major version may write and read values differently.
    fn doubt(&self, scratch: &ScratchDatabase) -> Option<String> {
        let (made, here) = (self.record.version / 10_000, scratch.version() / 10_000);
        (made != here).then(|| {
            format!(
                "it was made on PostgreSQL {made} and drilled on {here}, so a difference \
                     proves nothing"
            )
        })
    }

    async fn compare(
        &self,
        scratch: &ScratchDatabase,
        connections: usize,
        found: &mut Found,
    ) -> Result<()> {
        found.compared = self.tables.len() as u64;
        found.rows = Some(self.tables.iter().map(|table| table.rows).sum());
        let differences =
            compare_tables(scratch.options(), self.tables.clone(), connections, self.cx).await?;
        for difference in differences {
            let (table, expected) = (&difference.table, difference.expected);
            found.faults.push(match difference.found {
                None => format!("the table {table} is missing"),
                Some(rows) if rows == expected => format!("the rows of {table} differ"),
                Some(rows) => format!("{table} has {rows} rows instead of {expected}"),
            });
        }
        let (objects, expected) = (scratch.large_objects().await?, self.record.large_objects);
        if objects != expected {
            found.faults.push(format!("it has {objects} large objects instead of {expected}"));
        }
        Ok(())
    }

    async fn ask(&self, scratch: &ScratchDatabase, found: &mut Found) -> Result<()> {
        for sql in self.payload.checks {
            match scratch.ask(sql).await {
                Ok(answer) if answer.as_deref().is_some_and(is_true) => found.checks += 1,
                Ok(answer) => {
                    let answer = answer.unwrap_or_else(|| "nothing".to_owned());
                    found.faults.push(format!("`{sql}` returns {answer:?}, not true"));
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => found.faults.push(format!("`{sql}` fails: {}", error.chain())),
            }
        }
        Ok(())
    }
}

/// What a restore needs that a new server does not have.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    Role(String),
    Tablespace(String),
}

impl Missing {
    /// Found in the server's message, in English.
    fn in_error(text: &str) -> Option<Self> {
        let named = |what: &str| {
            let (_, rest) = text.split_once(&format!("{what} \""))?;
            rest.split_once("\" does not exist").map(|(name, _)| name.to_owned())
        };
        named("role").map(Self::Role).or_else(|| named("tablespace").map(Self::Tablespace))
    }
}

/// The role that a line of `pg_dumpall --globals-only` makes.
fn role_made_by(line: &str) -> Option<String> {
    let name = line.strip_prefix("CREATE ROLE ")?.strip_suffix(';')?;
    let unquoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    Some(unquoted.map_or_else(|| name.to_owned(), |name| name.replace("\"\"", "\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_new_server_lacks_is_read_from_its_answers() {
        let text = r#"the server refused `ALTER TABLE …`: role "the "odd" one" does not exist"#;
        assert_eq!(Missing::in_error(text), Some(Missing::Role("the \"odd\" one".into())));
        let text = r#"…: tablespace "fast" does not exist"#;
        assert_eq!(Missing::in_error(text), Some(Missing::Tablespace("fast".into())));
        assert_eq!(Missing::in_error("relation \"x\" does not exist"), None);
    }

    #[test]
    fn roles_are_found_in_the_globals() {
        assert_eq!(role_made_by("CREATE ROLE alice;").unwrap(), "alice");
        assert_eq!(role_made_by(r#"CREATE ROLE "Big ""Bob""";"#).unwrap(), "Big \"Bob\"");
        assert_eq!(role_made_by("ALTER ROLE alice WITH LOGIN;"), None);
    }
}
