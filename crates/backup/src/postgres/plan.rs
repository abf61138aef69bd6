//! Which worker copies what: whole tables, and large ones in ranges of pages.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use seaworthy_core::Result;

use super::{
    catalog::{Size, Table},
    session::{Session, qualified, quote},
};
use crate::{payload::texture::Texture, snapshot::index::TableRecord};

/// How large a range of a large table is, in bytes on disk: the workers end this far apart.
const RANGE: u64 = 32 << 20;

/// A table to copy, and what was copied of it so far.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) table: Table,
    /// `COPY … FROM stdin;` and a newline, in the database's encoding.
    pub(super) header: Vec<u8>,
    pub(super) totals: Mutex<TableRecord>,
    pub(super) texture: Texture,
}

/// A part of a table.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) task: Arc<Task>,
    /// From this page on to before that one; the last is open-ended. The whole table without.
    pages: Option<(u64, Option<u64>)>,
}

impl Piece {
    /// The statement that gives its rows. `encoding` is named where it is not the session's.
    pub(super) fn sql(&self, encoding: Option<&str>) -> String {
        let table = &self.task.table;
        let name = table.qualified();
        let columns = table.columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
        let mut sql = match self.pages {
            // Copied directly: the same rows as FROM ONLY gives, without a query's overhead.
            None if table.condition.is_empty() && !columns.is_empty() => {
                format!("COPY {name} ({columns}) TO STDOUT")
            }
            None => {
                format!("COPY (SELECT {columns} FROM ONLY {name} {}) TO STDOUT", table.condition)
            }
            Some((from, None)) => {
                format!(
                    "COPY (SELECT {columns} FROM ONLY {name} WHERE ctid >= '({from},0)') TO STDOUT"
                )
            }
            Some((from, Some(to))) => format!(
                "COPY (SELECT {columns} FROM ONLY {name} \
                 WHERE ctid >= '({from},0)' AND ctid < '({to},0)') TO STDOUT"
            ),
        };
        if let Some(encoding) = encoding {
            sql.push_str(&format!(" WITH (ENCODING '{encoding}')"));
        }
        sql
    }
}

/// The pieces that are left to copy, taken from any thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pieces: Mutex<VecDeque<Piece>>,
    /// What only the leader may copy: its lock is older than somebody's who waits.
    for_leader: Mutex<VecDeque<Piece>>,
}

impl Queue {
    pub(super) fn next(&self, leader: bool) -> Option<Piece> {
        let take = |queue: &Mutex<VecDeque<Piece>>| {
            queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
        };
        let own = leader.then(|| take(&self.for_leader)).flatten();
        own.or_else(|| take(&self.pieces))
    }

    pub(super) fn leave_to_leader(&self, piece: Piece) {
        self.for_leader.lock().unwrap_or_else(PoisonError::into_inner).push_back(piece);
    }
}

/// Plans the copying of `tables`: the largest first, so that the workers end together.
pub(super) async fn plan(
    session: &Session,
    tables: Vec<Table>,
    sizes: &HashMap<u32, Size>,
) -> Result<(Vec<Arc<Task>>, Queue)> {
    let mut tasks = Vec::new();
    for table in tables.into_iter().filter(|table| table.has_data) {
        let (into, through) = match &table.through {
            Some((schema, name)) => (qualified(schema, name), Some(qualified(schema, name))),
            None => (table.qualified(), None),
        };
        let columns = table.columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
        let columns = if columns.is_empty() { columns } else { format!(" ({columns})") };
        let header = session.encode(format!("COPY {into}{columns} FROM stdin;\n")).await?;
        let mut totals = TableRecord::new(table.schema.clone(), table.name.clone());
        totals.columns = table.columns.clone();
        totals.through = through;
        totals.condition = table.condition.clone();
        let (totals, texture) = (Mutex::new(totals), Texture::default());
        tasks.push(Arc::new(Task { table, header, totals, texture }));
    }
    let size = |task: &Task| sizes.get(&task.table.oid).copied().unwrap_or_default();
    tasks.sort_by_cached_key(|task| std::cmp::Reverse(size(task).bytes));
    let mut pieces = VecDeque::new();
    for task in &tasks {
        let size = size(task);
        // Before version 14 a range of pages costs a scan of the whole table.
        let divisible =
            session.version() >= 14_00_00 && task.table.is_heap && task.table.condition.is_empty();
        let ranges = size.bytes.div_ceil(RANGE).min(size.pages);
        if !divisible || ranges < 2 {
            pieces.push_back(Piece { task: task.clone(), pages: None });
            continue;
        }
        let step = size.pages.div_ceil(ranges);
        let mut from = 0;
        while from < size.pages {
            let to = from + step;
            let pages = Some((from, (to < size.pages).then_some(to)));
            pieces.push_back(Piece { task: task.clone(), pages });
            from = to;
        }
    }
    Ok((tasks, Queue { pieces: Mutex::new(pieces), ..Queue::default() }))
}
