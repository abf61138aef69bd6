//! What the planner knows of a database that was just loaded.

use std::sync::Arc;

use seaworthy_core::{Context, Result};
use tokio_postgres::Row;

use super::{
    post_data::{Job, together},
    session::Session,
};

/// Ordinary tables.
const TABLES: &str = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Tables below this many bytes are looked at several at a time.
const SMALL: i64 = 8 << 20;
const AT_ONCE: usize = 32;

/// Notes that all rows of all tables are visible to everybody, and gathers statistics, before there are
/// indexes: a foreign key is then checked in the indexes alone, in a fifth of the time.
pub(super) async fn gather(sessions: &[Arc<Session>], cx: &Context) -> Result<()> {
    let Some(main) = sessions.first() else { return Ok(()) };
    flush(main).await;
    let sql = format!(
        "SELECT format('%I.%I', n.nspname, c.relname), pg_relation_size(c.oid) FROM {TABLES}
         ORDER BY 2 DESC"
    );
    let tables = main.rows(&sql, &[]).await?;
    let is_large = |row: &Row| row.get::<_, i64>(1) >= SMALL;
    let (large, small) = tables.split_at(tables.partition_point(is_large));
    // One after the other: an ANALYZE may see older transactions of other databases, and what those
    // do not see a VACUUM beside it would not call visible.
    for command in ["VACUUM", "ANALYZE"] {
        let job = |tables: &[Row]| {
            let names: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
            Job::new(format!("{command} {}", names.join(", ")))
        };
        let jobs = large.chunks(1).chain(small.chunks(AT_ONCE)).map(job).collect();
        together(jobs, sessions, cx).await?;
    }
    Ok(())
}

/// Has everything written to the server's disk that was committed: until then, rows count as visible
/// to nobody. Something must be committed for that; a role that may not do this much restores as
/// well, but not as fast.
async fn flush(session: &Session) {
    let sql = "SET LOCAL synchronous_commit = on;
               CREATE TEMPORARY TABLE seaworthy_flush (); DROP TABLE seaworthy_flush";
    if let Err(error) = session.run(sql).await {
        tracing::debug!("what was committed is not flushed: {}", error.chain());
    }
}

/// Gathers the statistics that could not be had before: of expressions in indexes, of materialized
/// views, and of partitioned tables, whose contents are known only from their partitions.
pub(super) async fn complete(sessions: &[Arc<Session>], cx: &Context) -> Result<()> {
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

/// Runs the statements that `sql` gives, several at a time.
async fn run_all(sql: &str, sessions: &[Arc<Session>], cx: &Context) -> Result<()> {
    let Some(main) = sessions.first() else { return Ok(()) };
    let rows = main.rows(sql, &[]).await?;
    together(rows.iter().map(|row| Job::new(row.get(0))).collect(), sessions, cx).await
}
