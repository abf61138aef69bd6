//! Which worker copies what: whole tables, and large ones in ranges of pages.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use seaworthy_core::Result;

use super::catalog::{Size, Table};
use crate::{
    format::index::TableRecord,
    payload::hints::CompressionHint,
    sources::postgres::connect::session::{Session, qualified, quote},
};

/// The largest and smallest range of a large table, in bytes on disk.
const LARGEST: u64 = 32 << 20;
const SMALLEST: u64 = 2 << 20;

/// This fraction (1/n) of what is left to copy becomes a range.
const SHARE: u64 = 8;

/// A table to copy, and its progress.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) table: Table,
    /// `COPY … FROM stdin;` and a newline, in the database's encoding.
    pub(crate) header: Vec<u8>,
    pub(crate) totals: Mutex<TableRecord>,
    pub(crate) hint: CompressionHint,
}

/// A part of a table.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) task: Arc<Task>,
    /// From this page to before that one; the last range is open-ended. `None` for the whole table.
    pages: Option<(u64, Option<u64>)>,
}

impl Piece {
    /// The statement that returns its rows. `encoding` is given if it is not the session's.
    pub(crate) fn sql(&self, encoding: Option<&str>) -> String {
        let table = &self.task.table;
        let name = table.qualified();
        let columns = table.columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
        let mut sql = match self.pages {
            // Copied directly: the same rows as with FROM ONLY, without a query's overhead.
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
pub(crate) struct Queue {
    pieces: Mutex<VecDeque<Piece>>,
    /// What only the leader may copy: its lock is older than that of a waiting session.
    for_leader: Mutex<VecDeque<Piece>>,
}

impl Queue {
    pub(crate) fn next(&self, leader: bool) -> Option<Piece> {
        let take = |queue: &Mutex<VecDeque<Piece>>| {
            queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
        };
        let own = leader.then(|| take(&self.for_leader)).flatten();
        own.or_else(|| take(&self.pieces))
    }

    pub(crate) fn leave_to_leader(&self, piece: Piece) {
        self.for_leader.lock().unwrap_or_else(PoisonError::into_inner).push_back(piece);
    }
}

/// Plans the copying of `tables`: the largest first, so that the workers end together.
pub(crate) async fn plan(
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
        let (totals, hint) = (Mutex::new(totals), CompressionHint::default());
        tasks.push(Arc::new(Task { table, header, totals, hint }));
    }
    let size = |task: &Task| sizes.get(&task.table.oid).copied().unwrap_or_default();
    tasks.sort_by_cached_key(|task| std::cmp::Reverse(size(task).bytes));
    let mut left: u64 = tasks.iter().map(|task| size(task).bytes).sum();
    let mut pieces = VecDeque::new();
    for task in &tasks {
        // Before version 14 a range of pages needs a scan of the whole table.
        let divisible =
            session.version() >= 14_00_00 && task.table.is_heap && task.table.condition.is_empty();
        let ranges = if divisible { ranges(size(task), left) } else { vec![None] };
        pieces.extend(ranges.into_iter().map(|pages| Piece { task: task.clone(), pages }));
        left -= size(task).bytes;
    }
    Ok((tasks, Queue { pieces: Mutex::new(pieces), ..Queue::default() }))
}

/// The ranges of a table that is copied in parts, or none for the whole of it; of everything to
/// copy from here on, `left` bytes are left. The ranges become smaller towards the end, so that the
/// workers end together.
fn ranges(size: Size, mut left: u64) -> Vec<Option<(u64, Option<u64>)>> {
    if size.bytes <= LARGEST {
        return vec![None];
    }
    let page = size.bytes.div_ceil(size.pages.max(1)).max(1);
    let mut ranges = Vec::new();
    let mut from = 0;
    loop {
        let step = ((left / SHARE).clamp(SMALLEST, LARGEST) / page).max(1);
        let to = from + step;
        // The remainder is too small for a statement of its own.
        if to + step / 2 >= size.pages {
            ranges.push((from > 0).then_some((from, None)));
            return ranges;
        }
        ranges.push(Some((from, Some(to))));
        left = left.saturating_sub(step * page);
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_cover_a_table_once(pages in 0..200_000_u64, page in 1..20_000_u64, others in 0..1_u64 << 32) {
            let size = Size { pages, bytes: pages * page };
            let ranges = ranges(size, size.bytes + others);
            let mut next = 0;
            for (n, range) in ranges.iter().enumerate() {
                let is_last = n + 1 == ranges.len();
                match range {
                    None => prop_assert!(is_last && n == 0),
                    Some((from, to)) => {
                        prop_assert_eq!(*from, next);
                        prop_assert_eq!(to.is_none(), is_last);
                        next = to.unwrap_or(u64::MAX);
                        prop_assert!(next > *from && (to.is_none() || next < pages));
                    }
                }
            }
        }
    }

    #[test]
    fn ranges_become_smaller_towards_the_end() {
        let size = Size { pages: 50_000, bytes: 50_000 * 8192 };
        let pages: Vec<_> = ranges(size, size.bytes).into_iter().flatten().collect();
        let lengths: Vec<_> = pages.iter().filter_map(|(from, to)| Some((*to)? - from)).collect();
        assert_eq!(lengths[0] * 8192, LARGEST);
        assert!(lengths.is_sorted_by(|a, b| a >= b));
        let last = lengths[lengths.len() - 1];
        assert_eq!(last * 8192, SMALLEST);
        // Much is left for others to do.
        let early = ranges(size, 1 << 34).into_iter().flatten();
        let mut lengths = early.filter_map(|(from, to)| Some((to? - from) * 8192));
        assert!(lengths.all(|length| length == LARGEST));
        // Small tables keep their order.
        let size = Size { pages: 4000, bytes: 4000 * 8192 };
        assert_eq!(ranges(size, size.bytes), [None]);
    }
}
