//! A worker: takes a batch in the walk's order, reads it, compresses it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use seaworthy_core::Result;

use super::{
    batch::{Batch, Batches},
    hooks::Hooks,
    item::{Item, SMALL},
    small::{self, Outcome},
};
use crate::{
    format::{
        SourceSummary,
        index::{Entry, FileType, Loss},
    },
    payload::{SEGMENT_SIZE, Segment, SegmentSender},
    sources::files::archive::write_headers,
};

/// No more files are read into a segment that is larger than this.
const MOST: usize = 4 * SEGMENT_SIZE;

/// What the workers of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    batches: Mutex<Batches>,
    /// Items that a worker could not take after all. Apart from the batches: whoever holds
    /// those may be waiting for a place, and whoever has a place must never wait for them.
    returned: Mutex<Vec<Item>>,
    hooks: Hooks,
    /// Whether a worker failed and the others should stop.
    stop: AtomicBool,
    /// Losses from segments without data; they go into the next segment with data.
    unreported_losses: Mutex<Vec<Entry>>,
    pub(super) summary: Mutex<SourceSummary>,
}

impl Shared {
    pub(super) fn new(batches: Batches) -> Self {
        Self {
            hooks: batches.hooks().clone(),
            batches: Mutex::new(batches),
            returned: Mutex::default(),
            stop: AtomicBool::new(false),
            unreported_losses: Mutex::default(),
            summary: Mutex::default(),
        }
    }

    /// Keeps `item` for the worker that takes the next batch: this one, if no other is first.
    fn give_back(&self, item: Item) {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    /// Losses that are not in a segment yet.
    pub(super) fn unreported_losses(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.unreported_losses.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Works until the walk is done.
pub(super) fn work(shared: &Shared, out: &SegmentSender) -> Result<()> {
    let worked = work_until_done(shared, out);
    if worked.is_err() {
        shared.stop.store(true, Ordering::Relaxed);
    }
    worked
}

fn work_until_done(shared: &Shared, out: &SegmentSender) -> Result<()> {
    while !shared.stop.load(Ordering::Relaxed) {
        let (slot, batch) = {
            // The slot is reserved first: a worker with a batch must be able to send it, or those
            // after it would wait forever.
            let mut batches = shared.batches.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = out.reserve_blocking()?;
            let mut returned = shared.returned.lock().unwrap_or_else(PoisonError::into_inner);
            returned.drain(..).for_each(|item| batches.put_back(item));
            drop(returned);
            match batches.next_batch()? {
                Some(batch) => (slot, batch),
                None => break,
            }
        };
        let mut segment = Segment { data: out.buffer(), ..Segment::default() };
        read(shared, batch, &mut segment)?;
        count(shared, &segment.entries);
        if segment.data.is_empty() {
            let mut unreported_losses =
                shared.unreported_losses.lock().unwrap_or_else(PoisonError::into_inner);
            unreported_losses.append(&mut segment.entries);
        } else {
            segment.entries.append(&mut shared.unreported_losses());
        }
        slot.fill(segment)?;
    }
    Ok(())
}

fn read(shared: &Shared, batch: Batch, segment: &mut Segment) -> Result<()> {
    let Segment { data, entries, progress_bytes } = segment;
    if let Some(piece) = batch.piece {
        *progress_bytes += piece.data();
        piece.read(data, entries, &shared.hooks);
    }
    for item in batch.items {
        match item {
            Item::Known(meta) => {
                let start = data.len();
                write_headers(data, &meta, None)?;
                let len = (data.len() - start) as u64;
                entries.push(Entry::File(meta.record(start as u64, len)));
            }
            Item::Loss(loss) => entries.push(Entry::Loss(loss)),
            Item::Opened { file, path, .. } => {
                small::read(data, entries, &file, &path, true, &shared.hooks)?;
            }
            // Attributes may be far larger than the files that have them.
            item @ Item::Listed { .. } if data.len() > MOST => {
                shared.give_back(item);
            }
            Item::Listed { folder, name, path, .. } => {
                let hooks = &shared.hooks;
                let outcome = small::read_listed(data, entries, &folder, &name, &path, hooks)?;
                if let Outcome::Grown { size } = outcome {
                    shared.give_back(Item::Listed { folder, name, path, size });
                }
            }
        }
    }
    for entry in entries {
        if let Entry::File(file) = entry
            && file.size <= SMALL
        {
            *progress_bytes += file.size;
        }
    }
    Ok(())
}

fn count(shared: &Shared, entries: &[Entry]) {
    let mut summary = shared.summary.lock().unwrap_or_else(PoisonError::into_inner);
    for entry in entries {
        match entry {
            Entry::File(file) if file.file_type == FileType::Directory => {}
            Entry::File(file) => {
                summary.files += 1;
                summary.bytes += file.size;
            }
            Entry::Loss(loss) => match loss.loss {
                Loss::Unreadable => summary.unreadable += 1,
                Loss::Vanished => summary.vanished += 1,
                Loss::Changed => summary.changed += 1,
                Loss::Socket => {}
            },
            _ => {}
        }
    }
}
