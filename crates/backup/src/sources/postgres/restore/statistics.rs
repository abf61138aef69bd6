//! Planner statistics of a database that was just loaded.

use std::{collections::HashMap, sync::Arc};

use seaworthy_core::{Context, Result};
use tokio_postgres::Row;

use super::jobs::{Job, together};
use crate::sources::postgres::connect::session::Session;

/// Ordinary tables.
const TABLES: &str = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Those with rows that a VACUUM could not mark as visible to everybody, apart from pages that the
/// server was just writing.
const HIDDEN: &str = "c.relallvisible < c.relpages - c.relpages / 10";

/// Tables smaller than this many bytes are handled several at a time.
const SMALL: u64 = 8 << 20;
const AT_ONCE: usize = 32;

/// About how many bytes of a table are sampled for its statistics.
const SAMPLE: u64 = 64 << 20;

/// The tables of a database, the largest first.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Their quoted names in SQL.
    names: Vec<String>,
    /// The size of each on disk, in bytes.
    sizes: HashMap<String, u64>,
}

impl Tables {
    async fn read(session: &Session, condition: &str) -> Result<Self> {
        let sql = format!(
            "SELECT format('%I.%I', n.nspname, c.relname), pg_relation_size(c.oid) FROM {TABLES}
               AND {condition} ORDER BY 2 DESC"
        );
        let rows = session.rows(&sql, &[]).await?;
        let size = |row: &Row| (row.get(0), u64::try_from(row.get::<_, i64>(1)).unwrap_or(0));
        Ok(Self {
            names: rows.iter().map(|row| row.get(0)).collect(),
            sizes: rows.iter().map(size).collect(),
        })
    }

    /// Tables of these names and sizes.
    #[cfg(test)]
    pub(crate) fn of(tables: &[(&str, u64)]) -> Self {
        let mut tables: Vec<(String, u64)> =
            tables.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
        tables.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        Self {
            names: tables.iter().map(|(name, _)| name.clone()).collect(),
            sizes: tables.into_iter().collect(),
        }
    }

    /// The size of the table on disk in bytes; `None` if it is not an ordinary table.
    pub(crate) fn size(&self, table: &str) -> Option<u64> {
        self.sizes.get(table).copied()
    }

    /// The tables of each statement that handles several.
    fn groups(&self) -> impl Iterator<Item = &[String]> {
        let (large, small) =
            self.names.split_at(self.names.partition_point(|name| self.size(name) >= Some(SMALL)));
        large.chunks(1).chain(small.chunks(AT_ONCE))
    }

    fn vacuum(&self) -> Vec<Job> {
        let job = |names: &[String]| {
            let cost = names.iter().filter_map(|name| self.size(name)).sum();
            Job::new(format!("VACUUM {}", names.join(", ")), cost)
        };
        self.groups().map(job).collect()
    }

    /// The statements that gather their statistics; no index may be built at the same time.
    pub(crate) fn analyze(&self) -> Vec<Job> {
        let job = |names: &[String]| {
            let cost =
                names.iter().filter_map(|name| self.size(name)).map(|size| size.min(SAMPLE)).sum();
            let locks = names.iter().map(|name| (name.clone(), true)).collect();
            Job::new(format!("ANALYZE {}", names.join(", ")), cost).locking(locks)
        };
        self.groups().map(job).collect()
    }
}

/// Marks all rows of all tables as visible to everybody: then a foreign key is checked with the
/// indexes alone, in a fifth of the time. This must run before anything else that reads the tables:
/// a reader's snapshot may be held back by older transactions of other databases, and a VACUUM at
/// the same time does not mark rows as visible that such a snapshot cannot see. Even a VACUUM takes
/// a short snapshot when it begins; so tables that several parallel ones could not finish are done
/// again by a single one.
pub(crate) async fn vacuum(sessions: &[Arc<Session>], cx: &Context) -> Result<Tables> {
    let Some(main) = sessions.first() else { return Ok(Tables::default()) };
    let tables = Tables::read(main, "true").await?;
    flush(main).await;
    together(tables.vacuum(), sessions, cx).await?;
    let hidden = Tables::read(main, HIDDEN).await?;
    if !hidden.names.is_empty() {
        flush(main).await;
        together(hidden.vacuum(), &sessions[..1], cx).await?;
    }
    Ok(tables)
}

/// Makes the server write all commits to disk: until then its rows are not marked as visible, nor
/// while a later commit of another session is not written. That needs a commit of our own; a role
/// that is not allowed to do this can still restore, but more slowly.
async fn flush(session: &Session) {
    let sql = "SET LOCAL synchronous_commit = on;
               CREATE TEMPORARY TABLE seaworthy_flush (); DROP TABLE seaworthy_flush";
    if let Err(error) = session.run(sql).await {
        tracing::debug!("the committed rows could not be flushed: {}", error.chain());
    }
}

/// Gathers the statistics that were not available before: of expressions in indexes, of
/// materialized views, and of partitioned tables, whose contents are known only from their
/// partitions.
pub(crate) async fn complete(sessions: &[Arc<Session>], cx: &Context) -> Result<()> {
    let with_expressions = format!(
        "SELECT format('ANALYZE %I.%I', n.nspname, c.relname) FROM {TABLES}
           AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indexprs IS NOT NULL)"
    );
    run_all(&with_expressions, sessions, cx).await?;
    let others = "SELECT format('ANALYZE %I.%I', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'm' OR c.relkind = 'p' AND NOT c.relispartition";
    run_all(others, sessions, cx).await
}

/// Runs the statements that `sql` returns, several at a time.
async fn run_all(sql: &str, sessions: &[Arc<Session>], cx: &Context) -> Result<()> {
    let Some(main) = sessions.first() else { return Ok(()) };
    let rows = main.rows(sql, &[]).await?;
    together(rows.iter().map(|row| Job::new(row.get(0), 0)).collect(), sessions, cx).await
}
