//! A consistent dump: locks first, then the snapshot, then `pg_dump` under it.
//!
//! A TRUNCATE or an ALTER TABLE that commits between the snapshot and the lock would make the
//! snapshot read the wrong rows, silently. So every table is locked before the snapshot is taken,
//! and the tables are listed again under it: if they differ, it starts again.

use std::{path::Path, time::Duration};

use seaworthy_core::{Context, Error, ErrorKind, Event, Result};
use tokio_postgres::error::SqlState;

use super::{
    catalog::{self, Scope, Table, Wanted},
    contents::Contents,
    pg_dump::Output,
};
use crate::sources::postgres::connect::{
    error::is_passing,
    options::ConnectOptions,
    session::{Session, quote, shorten},
};

/// How often locking is tried, and how often tables may change meanwhile.
const TRIES: u32 = 3;
const CHANGES: u32 = 10;

/// How many tables one statement locks.
const BATCH: usize = 200;

/// A snapshot that is held open, with every table locked and `pg_dump` running.
#[derive(Debug)]
pub(crate) struct Hold {
    /// Holds the snapshot and the locks on all tables.
    pub(crate) leader: Session,
    pub(crate) snapshot: String,
    pub(crate) scope: Scope,
    pub(crate) contents: Contents,
    pub(crate) pre_data: Output,
    pub(crate) post_data: Output,
}

/// The inputs for taking the locks and the snapshot.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) options: &'a ConnectOptions,
    pub(crate) wanted: &'a Wanted,
    pub(crate) pg_dump: &'a Path,
    pub(crate) lock_timeout: Duration,
}

/// Why one attempt failed.
enum Miss {
    /// Another session holds a lock; the error says which.
    Blocked(Error),
    /// A table was created, dropped or changed, or is about to be.
    Changed,
    Failed(Error),
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Request<'_> {
    /// Takes the locks and the snapshot. `side` lists the tables, and checks which sessions block
    /// us.
    pub(crate) async fn hold(&self, side: &Session, cx: &Context) -> Result<Hold> {
        let (mut blocked, mut changed) = (0, 0);
        loop {
            cx.check("postgres.dump")?;
            match self.attempt(side).await {
                Ok(hold) => return Ok(hold),
                Err(Miss::Failed(error)) => return Err(error),
                Err(Miss::Blocked(error)) => {
                    blocked += 1;
                    if blocked == TRIES {
                        return Err(error.with("tries", TRIES));
                    }
                    cx.emit(Event::warning(format!("{error}; trying again")));
                }
                Err(Miss::Changed) => {
                    changed += 1;
                    if changed == CHANGES {
                        let message = "tables keep being created and dropped while they are \
                                       being locked";
                        return Err(Error::new(ErrorKind::Locked, "postgres.dump", message)
                            .remedy_is("exclude their schema, or back up at a quieter time"));
                    }
                }
            }
        }
    }

    async fn attempt(&self, side: &Session) -> Result<Hold, Miss> {
        let list = async {
            let scope = Scope::resolve(self.wanted, side).await?;
            catalog::tables(side, &scope).await
        };
        let lead = async {
            let leader = Session::open(self.options, "postgres.dump").await?;
            leader.set_up(self.lock_timeout).await?;
            let pid: i32 = leader.row("SELECT pg_backend_pid()", &[]).await?.get(0);
            Ok((leader, pid))
        };
        let (tables, (leader, pid)) = tokio::try_join!(list, lead)?;

        let mut watch = Watch::new(side, pid, self);
        let locked = tokio::select! {
            locked = lock(&leader, &tables) => locked,
            () = watch.look() => return Err(Miss::Changed),
        };
        if let Err(error) = locked {
            return Err(match error.code() {
                Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED) => {
                    Miss::Blocked(watch.error())
                }
                _ if is_passing(&error) => Miss::Changed,
                _ => Miss::Failed(leader.failed("LOCK TABLE", error)),
            });
        }
        let snapshot: String = leader.row("SELECT pg_export_snapshot()", &[]).await?.get(0);

        // What is excluded, as seen by the snapshot: `pg_dump` will see the same.
        let scope = Scope::resolve(self.wanted, &leader).await?;
        // Both run in parallel and immediately, while no session is likely to queue behind our
        // locks.
        let start = |section| {
            let arguments = self.arguments(section, &snapshot, &scope);
            Output::start(self.pg_dump, arguments, self.options)
        };
        let (mut pre_data, mut post_data) = (start("pre-data")?, start("post-data")?);

        let names = |tables: &[Table]| -> Vec<_> {
            tables.iter().map(|t| (t.oid, t.schema.clone(), t.name.clone())).collect()
        };
        let before = names(&tables);
        let tables = catalog::tables(&leader, &scope).await?;
        if names(&tables) != before {
            return Err(Miss::Changed);
        }
        let started = tokio::select! {
            started = async {
                let contents = Contents::read(&leader, &scope, tables);
                tokio::try_join!(contents, pre_data.started(), post_data.started())
            } => started.map(|(contents, ..)| contents),
            () = watch.look() => return Err(Miss::Changed),
        };
        match started {
            Ok(contents) => Ok(Hold { leader, snapshot, scope, contents, pre_data, post_data }),
            Err(_) if !watch.seen.is_empty() => Err(Miss::Blocked(watch.error())),
            Err(error) => Err(Miss::Failed(error)),
        }
    }

    fn arguments(&self, section: &str, snapshot: &str, scope: &Scope) -> Vec<String> {
        let mut arguments = vec![
            format!("--section={section}"),
            format!("--snapshot={snapshot}"),
            format!("--lock-wait-timeout={}", self.lock_timeout.as_millis()),
            "--no-password".to_owned(),
            "--format=plain".to_owned(),
        ];
        let schemas = scope.schemas.iter().flatten();
        arguments.extend(schemas.map(|schema| format!("--schema={}", quote(schema))));
        arguments.extend(scope.excluded.values().map(|name| format!("--exclude-table={name}")));
        let without = scope.without_data.values();
        arguments.extend(without.map(|name| format!("--exclude-table-data={name}")));
        arguments.sort_unstable();
        arguments
    }
}

/// Begins the transaction and locks every table, before anything makes it take its snapshot.
async fn lock(leader: &Session, tables: &[Table]) -> Result<(), tokio_postgres::Error> {
    let client = leader.client();
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    for batch in tables.chunks(BATCH) {
        let names: Vec<_> = batch.iter().map(|t| format!("ONLY {}", t.qualified())).collect();
        let sql = format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "));
        client.batch_execute(&sql).await?;
    }
    Ok(())
}

/// Checks which sessions block us while we wait.
struct Watch<'a> {
    side: &'a Session,
    leader: i32,
    application_name: &'a str,
    every: Duration,
    /// Process id and query of each blocker, as last seen.
    seen: Vec<(i32, String)>,
}

impl<'a> Watch<'a> {
    fn new(side: &'a Session, leader: i32, request: &Request<'a>) -> Self {
        let every =
            (request.lock_timeout / 4).clamp(Duration::from_millis(10), Duration::from_millis(250));
        let application_name = request.options.application_name();
        Self { side, leader, application_name, every, seen: Vec::new() }
    }

    /// Ends if waiting is useless: a session waits for a lock of the leader's, and `pg_dump` waits
    /// behind it. The server does not see that the leader waits for `pg_dump`. A failed check is
    /// ignored.
    async fn look(&mut self) {
        loop {
            tokio::time::sleep(self.every).await;
            let sql = "SELECT b.pid, coalesce(b.query, ''),
                    bool_or(w.pid <> $1 AND $1 = ANY (pg_blocking_pids(b.pid)))
                FROM pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) p
                JOIN pg_stat_activity b ON b.pid = p
                WHERE w.wait_event_type = 'Lock' AND w.pid <> pg_backend_pid()
                  AND (w.pid = $1
                    OR w.application_name = $2 AND w.datname = current_database())
                GROUP BY 1, 2";
            if let Ok(rows) = self.side.rows(sql, &[&self.leader, &self.application_name]).await
                && !rows.is_empty()
            {
                self.seen = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
                if rows.iter().any(|row| row.get(2)) {
                    return;
                }
            }
        }
    }

    fn error(&self) -> Error {
        let mut message = "a table stayed locked by another session".to_owned();
        let mut pids = Vec::new();
        for (pid, query) in &self.seen {
            message.push_str(&format!("; process {pid} runs `{}`", shorten(query)));
            pids.push(pid.to_string());
        }
        let mut remedy =
            "wait for it to end, or end it with `SELECT pg_terminate_backend(pid)`".to_owned();
        if let [pid] = pids.as_slice() {
            remedy =
                format!("wait for it to end, or end it with `SELECT pg_terminate_backend({pid})`");
        }
        Error::new(ErrorKind::Locked, "postgres.dump", message).remedy_is(remedy)
    }
}
