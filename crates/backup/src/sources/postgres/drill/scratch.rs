//! A database that is created for one drill and dropped.

use std::time::Duration;

use seaworthy_core::{Error, ErrorKind, Result};
use tokio_postgres::SimpleQueryMessage;

use crate::{
    format::index::ServerRecord,
    sources::postgres::{
        connect::{
            options::ConnectOptions,
            session::{Session, quote},
        },
        server,
    },
};

/// The prefix of the names of such databases.
const PREFIX: &str = "seaworthy_drill_";

/// How much of the original name they contain, in bytes: 63 are allowed in total.
const LONGEST_PART: usize = 30;

/// An empty database of its own, like the one that was backed up. Dropped by
/// [`drop_it`](Self::drop_it), or by a later drill if this one was killed.
#[derive(Debug)]
pub(crate) struct ScratchDatabase {
    options: ConnectOptions,
    /// A connection that marks it as in use: it ends when this process ends, for any reason.
    _owner: Session,
    /// The database from which it is created and dropped.
    maintenance: ConnectOptions,
    version: u32,
}

impl ScratchDatabase {
    /// Creates one on the server of `server`, from the database that it names.
    ///
    /// If it cannot be created, that is not a fault of the snapshot.
    pub(crate) async fn create(server: &ConnectOptions, record: &ServerRecord) -> Result<Self> {
        let session = Session::open(server, "drill").await?;
        let sql = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user";
        if !session.row(sql, &[]).await?.get::<_, bool>(0) {
            let message = "the role is not allowed to create a scratch database";
            return Err(Error::new(ErrorKind::PermissionDenied, "drill", message).remedy_is(
                "ALTER ROLE … CREATEDB, or `server` in [backup.NAME.drill]: another server, or \
                 \"throw-away\"",
            ));
        }
        let mut end = record.database.len().min(LONGEST_PART);
        while !record.database.is_char_boundary(end) {
            end -= 1;
        }
        let pid: i32 = session.row("SELECT pg_backend_pid()", &[]).await?.get(0);
        let name = format!("{PREFIX}{}_{}", &record.database[..end], suffix(pid)?);
        let version = session.version();
        sweep(&session).await?;
        session.run(&server::create(record, &name, version)).await.map_err(|error| {
            let kind = match error.kind() {
                ErrorKind::Source => ErrorKind::Unsupported,
                kind => kind,
            };
            let message = "the server cannot make a database like the one that was backed up";
            Error::new(kind, "drill", message).caused_by(error)
        })?;
        let options = server.clone().with_database(name);
        let owner = Session::open(&options, "drill").await?;
        session.close().await;
        Ok(Self { options, _owner: owner, maintenance: server.clone(), version })
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    pub(crate) fn name(&self) -> &str {
        self.options.database()
    }

    /// The name of the database from which it is created and dropped.
    pub(crate) fn maintenance(&self) -> &str {
        self.maintenance.database()
    }

    /// The server's version as a number: 150018 for 15.18.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Gives it the settings of the one that was backed up, such as its search path. Owner and
    /// privileges are not changed: we must be able to use it.
    pub(crate) async fn apply_settings(&self, record: &ServerRecord) -> Result<()> {
        let session = Session::open(&self.maintenance, "drill").await?;
        let database = format!("ALTER DATABASE {} SET ", quote(self.name()));
        let is_setting = |sql: &str| {
            let own =
                sql.strip_prefix(&database).is_some_and(|set| !set.starts_with("TABLESPACE "));
            own || sql.starts_with("ALTER ROLE ")
        };
        for sql in server::properties(record, self.name()).iter().filter(|sql| is_setting(sql)) {
            session.run(sql).await?;
        }
        session.close().await;
        Ok(())
    }

    /// How many large objects it contains.
    pub(crate) async fn large_objects(&self) -> Result<u64> {
        let session = Session::open(&self.options, "drill").await?;
        let sql = "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata";
        let objects: i64 = session.row(sql, &[]).await?.get(0);
        session.close().await;
        Ok(u64::try_from(objects).unwrap_or_default())
    }

    /// The first value of the first row that `sql` returns, as text.
    pub(crate) async fn ask(&self, sql: &str) -> Result<Option<String>> {
        let session = Session::open(&self.options, "drill").await?;
        session.notice_our_end().await;
        let answer = session.client().simple_query(sql).await;
        let messages = answer.map_err(|error| session.failed(sql, error))?;
        session.close().await;
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(row.and_then(|row| row.try_get(0).ok().flatten()).map(str::to_owned))
    }

    /// Drops it, with the sessions that are left in it.
    pub(crate) async fn drop_it(&self) -> Result<()> {
        self.detach_subscriptions().await;
        let session = Session::open(&self.maintenance, "drill").await?;
        session.set_up(Duration::ZERO).await?;
        let name = quote(self.name());
        let force = if session.version() >= 13_00_00 { " WITH (FORCE)" } else { "" };
        session.run(&format!("DROP DATABASE IF EXISTS {name}{force}")).await?;
        session.close().await;
        Ok(())
    }

    /// Restored subscriptions keep a database from being dropped, and dropping one would drop the
    /// real one's slot at the publisher.
    async fn detach_subscriptions(&self) {
        let Ok(session) = Session::open(&self.options, "drill").await else { return };
        let sql = "SELECT s.subname FROM pg_catalog.pg_subscription s
                   JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
                   WHERE d.datname = current_database()";
        for row in session.rows(sql, &[]).await.unwrap_or_default() {
            let name = quote(row.get(0));
            for sql in [
                format!("ALTER SUBSCRIPTION {name} DISABLE"),
                format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
                format!("DROP SUBSCRIPTION {name}"),
            ] {
                // What is left is reported when the database cannot be dropped.
                let _ = session.run(&sql).await;
            }
        }
        session.close().await;
    }
}

/// Drops databases that killed drills of this role left behind: no session is connected to them,
/// and the process that created them is gone. One that cannot be dropped stays; one that has just
/// come into use cannot be dropped, since this does not use FORCE.
async fn sweep(session: &Session) -> Result<()> {
    let mine = "SELECT datname FROM pg_database
                WHERE starts_with(datname, $1) AND datdba = current_user::regrole
                  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = pg_database.oid)";
    let left = session.rows(mine, &[&PREFIX]).await?;
    let sessions = session.rows("SELECT pid FROM pg_stat_activity", &[]).await?;
    let sessions: Vec<Option<i32>> = sessions.iter().map(|row| row.get(0)).collect();
    for row in left {
        let name: String = row.get(0);
        if maker(&name).is_some_and(|pid| sessions.contains(&Some(pid))) {
            continue;
        }
        if let Err(error) = session.run(&format!("DROP DATABASE {}", quote(&name))).await {
            tracing::warn!(database = name, "a scratch database is left: {}", error.chain());
        }
    }
    Ok(())
}

/// The end of a name: the process that creates the database, and a random part.
fn suffix(pid: i32) -> Result<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Internal, "drill", "the system has no random numbers")
            .caused_by(std::io::Error::other(error.to_string()))
    })?;
    Ok(format!("{pid:08x}{:08x}", u32::from_be_bytes(bytes)))
}

/// The process of the server that made the database `name`, by its [`suffix`].
fn maker(name: &str) -> Option<i32> {
    let (_, suffix) = name.rsplit_once('_')?;
    i32::from_str_radix(suffix.get(..8)?, 16).ok().filter(|_| suffix.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_who_made_it_and_is_short_enough() {
        for pid in [1, 4711, i32::MAX] {
            let name = format!("{PREFIX}{}_{}", "x".repeat(LONGEST_PART), suffix(pid).unwrap());
            assert_eq!(maker(&name), Some(pid));
            assert!(name.len() <= 63);
        }
        assert_eq!(maker("seaworthy_drill_app_0123456789ab"), None);
        assert_eq!(maker("seaworthy_drill_app_of_somebody_els"), None);
    }
}
