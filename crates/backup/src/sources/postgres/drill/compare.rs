//! Whether a database contains the rows that an index lists.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use seaworthy_core::{Context, Error, ErrorKind, Result};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    format::index::{TableHash, TableRecord},
    sources::postgres::connect::{
        options::ConnectOptions,
        session::{Session, qualified, quote},
    },
};

/// A table that differs from the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableDifference {
    /// The table, as `"schema"."name"`; for rows that may change their partition, the partitioned
    /// table.
    pub table: String,
    /// How many rows the index lists.
    pub expected: u64,
    /// How many rows there are; `None` if there is no such table.
    pub found: Option<u64>,
}

/// Reads every table of `expected` in the database that `options` leads to, over so many
/// `connections`, and returns those whose number of rows or contents differ.
///
/// Contents depend on how the server writes values as text, which may change from one major version
/// to the next: a difference on a version other than the dumped one proves nothing.
pub async fn compare_tables(
    options: &ConnectOptions,
    expected: Vec<TableRecord>,
    connections: usize,
    cx: &Context,
) -> Result<Vec<TableDifference>> {
    let queue = Arc::new(Mutex::new(expected));
    let mut workers = JoinSet::new();
    for _ in 0..connections.max(1) {
        let session = Session::open(options, "postgres.compare").await?;
        session.set_up(Duration::ZERO).await?;
        workers.spawn(compare_all(session, queue.clone(), cx.clone()));
    }
    let mut differences = Vec::new();
    // Rows that may change their partition are only counted, over all partitions.
    let mut together: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    while let Some(done) = workers.join_next().await {
        let done = done.map_err(|source| {
            Error::new(ErrorKind::Internal, "postgres.compare", "a worker panicked")
                .caused_by(source)
        })?;
        for (expected, found) in done? {
            let rows = found.map(|(rows, _)| rows);
            if let Some(root) = &expected.through {
                let sums = together.entry(root.clone()).or_default();
                sums.0 += expected.rows;
                sums.1 += rows.unwrap_or_default();
            } else if found != Some((expected.rows, expected.hash)) {
                let table = qualified(&expected.schema, &expected.name);
                differences.push(TableDifference { table, expected: expected.rows, found: rows });
            }
        }
    }
    for (table, (expected, found)) in together {
        if expected != found {
            differences.push(TableDifference { table, expected, found: Some(found) });
        }
    }
    differences.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(differences)
}

/// The contents of a table: how many rows, and their hash.
type Contents = (u64, TableHash);

async fn compare_all(
    session: Session,
    queue: Arc<Mutex<Vec<TableRecord>>>,
    cx: Context,
) -> Result<Vec<(TableRecord, Option<Contents>)>> {
    let mut done = Vec::new();
    loop {
        cx.check("postgres.compare")?;
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(table) = next else { break };
        let found = contents(&session, &table).await?;
        done.push((table, found));
    }
    session.close().await;
    Ok(done)
}

async fn contents(session: &Session, table: &TableRecord) -> Result<Option<Contents>> {
    let name = qualified(&table.schema, &table.name);
    let columns = table.columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
    let encoding = match session.encoding() {
        "UTF8" | "SQL_ASCII" => String::new(),
        other => format!(" WITH (ENCODING '{other}')"),
    };
    let condition = &table.condition;
    let sql = format!("COPY (SELECT {columns} FROM ONLY {name} {condition}) TO STDOUT{encoding}");
    let missing =
        [&SqlState::UNDEFINED_TABLE, &SqlState::UNDEFINED_COLUMN, &SqlState::INVALID_SCHEMA_NAME];
    let mut rows = match session.copy_out(&sql).await {
        Err(error) if error.code().is_some_and(|code| missing.contains(&code)) => return Ok(None),
        rows => rows.map_err(|error| session.failed(&sql, error))?,
    };
    let (mut count, mut hash) = (0, TableHash::default());
    while rows.wait().await.map_err(|error| session.failed(&sql, error))? {
        while let Some(row) = rows.next() {
            count += 1;
            hash.add(TableHash(xxh3_128(row.strip_suffix(b"\n").unwrap_or(row))));
        }
    }
    Ok(Some((count, hash)))
}
