//! What the planner knows of a database that was just loaded.

use std::sync::Arc;

use seaworthy_core::{Context, Result};

use super::{
    post_data::{Job, together},
    session::Session,
};

/// Ordinary tables, the largest first.
const TABLES: &str = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Gathers statistics of every table before it has indexes, and notes that all of its rows are
/// visible to everybody: a foreign key is then checked in the indexes alone, in a fifth of the time.
pub(super) async fn gather(sessions: &[Arc<Session>], cx: &Context) -> Result<()> {
    let sql = format!(
        "SELECT format('VACUUM (ANALYZE) %I.%I', n.nspname, c.relname) FROM {TABLES}
         ORDER BY pg_relation_size(c.oid) DESC"
    );
    run_all(&sql, sessions, cx).await
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
