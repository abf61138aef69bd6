//! Copies rows from the server into segments.
//!
//! A thread of its own reads a connection's rows. If there are not more processors than
//! connections, it compresses them as well: threads that pass rows to each other spend much time
//! waking one another, for every eight kilobytes that the server sends.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError},
};

use seaworthy_core::{Error, ErrorKind, Result};
use tokio_postgres::error::SqlState;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    out::{Compressing, Out},
    plan::{Piece, Queue, Task},
};
use crate::{
    format::index::{Entry, RowsRecord, TableHash},
    payload::{SEGMENT_SIZE, Segment, hints::CompressionHint},
    sources::postgres::connect::session::Session,
};

/// What ends a block of rows.
pub(crate) const END_OF_ROWS: &[u8] = b"\\.\n\n";

/// How many bytes of rows become a segment: few enough to be still in the processor's cache when
/// compressed.
const ROWS: usize = 1 << 20;

/// A row above this many bytes is cut across frames: several wait at a time, and each of them takes
/// memory twice.
const LARGEST_SEGMENT: usize = SEGMENT_SIZE;

/// Copies pieces until there are none left.
pub(crate) struct Worker {
    session: Arc<Session>,
    is_leader: bool,
    out: Out,
    /// Segments that other threads compress, if there are processors for them.
    compressing: Option<Compressing>,
    locked: HashSet<u32>,
    segment: Segment,
    /// The hint for the rows in the segment, if all are of one table.
    hint: Option<CompressionHint>,
}

impl Worker {
    /// A worker on `session`, which is the leader or shares its snapshot. It needs a thread of its
    /// own, and compresses on it if `alone`.
    pub(crate) fn new(session: Arc<Session>, is_leader: bool, alone: bool, out: Out) -> Self {
        let segment = Segment { data: out.buffer(), ..Segment::default() };
        let compressing = (!alone).then(Compressing::default);
        let locked = HashSet::new();
        Self { session, is_leader, out, compressing, locked, segment, hint: None }
    }

    pub(crate) async fn run(mut self, queue: &Queue) -> Result<()> {
        let encoding = self.session.encoding().to_owned();
        let named = !["UTF8", "SQL_ASCII"].contains(&encoding.as_str());
        let encoding = named.then_some(encoding);
        while let Some(piece) = queue.next(self.is_leader) {
            if self.is_leader || self.lock(&piece).await? {
                self.copy(&piece, encoding.as_deref()).await?;
            } else {
                queue.leave_to_leader(piece);
            }
        }
        self.flush().await?;
        match self.compressing.take() {
            Some(compressing) => compressing.finish().await,
            None => Ok(()),
        }
    }

    /// Locks the table, without queueing behind a session that waits for the leader's lock.
    async fn lock(&mut self, piece: &Piece) -> Result<bool> {
        if !self.locked.insert(piece.task.table.oid) {
            return Ok(true);
        }
        let name = piece.task.table.qualified();
        let sql = format!(
            "SAVEPOINT lock; LOCK TABLE ONLY {name} IN ACCESS SHARE MODE NOWAIT; \
             RELEASE SAVEPOINT lock"
        );
        match self.session.client().batch_execute(&sql).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                self.locked.remove(&piece.task.table.oid);
                self.session.run("ROLLBACK TO SAVEPOINT lock").await?;
                Ok(false)
            }
            Err(error) => Err(self.session.failed(&sql, error)),
        }
    }

    async fn copy(&mut self, piece: &Piece, encoding: Option<&str>) -> Result<()> {
        let sql = piece.sql(encoding);
        let session = self.session.clone();
        let failed = |error| {
            let name = piece.task.table.qualified();
            crate::sources::postgres::connect::error::failed(
                "postgres.dump",
                format!("cannot read the table {name}"),
                error,
            )
        };
        let mut rows = session.copy_out(&sql).await.map_err(failed)?;
        let task = &*piece.task;
        let (mut count, mut bytes, mut hash) = (0, 0, 0_u128);
        let mut block: Option<Block> = None;
        while rows.wait().await.map_err(failed)? {
            while let Some(row) = rows.next() {
                let Some(content) = row.strip_suffix(b"\n") else {
                    let message = "the server splits rows into several messages";
                    return Err(Error::new(ErrorKind::Unsupported, "postgres.dump", message)
                        .remedy_is("connect to the server itself, not through a pooler"));
                };
                hash = hash.wrapping_add(xxh3_128(content));
                count += 1;
                bytes += row.len() as u64;
                if row.len() > SEGMENT_SIZE {
                    self.end(block.take(), task);
                    self.flush().await?;
                    self.send_large(task, row).await?;
                    continue;
                }
                if self.segment.data.len() + row.len() > ROWS {
                    self.end(block.take(), task);
                    self.flush().await?;
                }
                let block = block.get_or_insert_with(|| {
                    let at = self.segment.data.len();
                    self.hint = match self.hint.take() {
                        _ if at == 0 => Some(task.hint.clone()),
                        known => known.filter(|known| known.is(&task.hint)),
                    };
                    self.segment.data.extend_from_slice(&task.header);
                    Block { at, rows: 0 }
                });
                block.rows += 1;
                self.segment.data.extend_from_slice(row);
            }
        }
        self.end(block, task);
        let mut totals = task.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.rows += count;
        totals.bytes += bytes;
        totals.hash.add(TableHash(hash));
        Ok(())
    }

    /// Ends a block of rows and records its position.
    fn end(&mut self, block: Option<Block>, task: &Task) {
        let Some(Block { at, rows }) = block else { return };
        self.segment.data.extend_from_slice(END_OF_ROWS);
        let len = self.segment.data.len() - at;
        self.segment.entries.push(entry(task, rows, at, len));
    }

    async fn flush(&mut self) -> Result<()> {
        if self.segment.data.is_empty() {
            return Ok(());
        }
        let next = Segment { data: self.out.buffer(), ..Segment::default() };
        let mut segment = std::mem::replace(&mut self.segment, next);
        segment.progress_bytes = segment.data.len() as u64;
        let hint = self.hint.take();
        match &mut self.compressing {
            Some(compressing) => self.out.send(segment, hint, compressing).await,
            None => self.out.reserve().await?.of(hint).fill(segment),
        }
    }

    /// Sends one large row as a block of its own, in as many frames as it takes.
    async fn send_large(&mut self, task: &Task, row: &[u8]) -> Result<()> {
        let len = task.header.len() + row.len() + END_OF_ROWS.len();
        let mut entries = vec![entry(task, 1, 0, len)];
        let starts = (0..row.len()).step_by(LARGEST_SEGMENT);
        let segments = starts.map(|start| {
            let end = row.len().min(start + LARGEST_SEGMENT);
            let (first, last) = (start == 0, end == row.len());
            let mut data = Vec::with_capacity(end - start + 1024);
            if first {
                data.extend_from_slice(&task.header);
            }
            data.extend_from_slice(&row[start..end]);
            if last {
                data.extend_from_slice(END_OF_ROWS);
            }
            let progress_bytes = data.len() as u64;
            Segment { data, entries: std::mem::take(&mut entries), progress_bytes }
        });
        let mut compressing = Compressing::default();
        self.out.send_together(segments, &mut compressing).await?;
        compressing.finish().await
    }
}

/// A block of rows that is being written: where it begins in the segment, and how many rows.
#[derive(Debug)]
struct Block {
    at: usize,
    rows: u64,
}

fn entry(task: &Task, rows: u64, at: usize, len: usize) -> Entry {
    let (schema, name) = (task.table.schema.clone(), task.table.name.clone());
    Entry::Rows(RowsRecord::new(schema, name, rows, at as u64, len as u64))
}
