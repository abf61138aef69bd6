//! Files that continue beyond their first frame: several workers write to one.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::fs::ftruncate;
use seaworthy_core::{Error, Result};

use super::confine::{cannot, shown};
use crate::sources::files::archive::{EntryMeta, Stored};

/// A file that the worker with its first frame opens, and for which the others wait.
#[derive(Debug, Default)]
pub(super) struct LargeFile {
    state: Mutex<State>,
    known: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Waiting,
    Open(Arc<OpenFile>),
    Failed,
}

impl LargeFile {
    fn set(&self, state: State) {
        let mut current = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*current, State::Waiting) {
            *current = state;
            self.known.notify_all();
        }
    }

    /// Lets the others write.
    pub(super) fn opened(&self, file: Arc<OpenFile>) {
        self.set(State::Open(file));
    }

    /// Wakes the others with an error, unless it was opened.
    pub(super) fn failed_unless_opened(&self) {
        self.set(State::Failed);
    }

    /// Waits for the file. Its first frame was handed out before, so another worker is processing
    /// it.
    pub(super) fn wait(&self) -> Result<Arc<OpenFile>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*state {
                State::Open(file) => return Ok(file.clone()),
                // The other worker reports why.
                State::Failed => return Err(Error::cancelled("restore")),
                State::Waiting => {
                    state = self.known.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// A file being written.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: File,
    pub(super) meta: EntryMeta,
    stored: Stored,
    /// The offset of its data in the payload.
    data_at: u64,
    /// How many bytes of it are still to be written.
    left: AtomicU64,
}

impl OpenFile {
    pub(super) fn new(file: File, meta: EntryMeta, stored: Stored, data_at: u64) -> Self {
        let left = AtomicU64::new(stored.len());
        Self { file, meta, stored, data_at, left }
    }

    /// Writes the part in `plain`, whose first byte is the payload's at `start`; returns whether
    /// that was the last part.
    pub(super) fn write(&self, plain: &[u8], start: u64) -> Result<bool> {
        let end = start + plain.len() as u64;
        let from = start.max(self.data_at).min(end);
        let to = end.min(self.data_at + self.stored.len());
        if from >= to {
            return Ok(self.stored.len() == 0);
        }
        let mut bytes = &plain[(from - start) as usize..(to - start) as usize];
        for extent in self.stored.range(from - self.data_at, to - self.data_at) {
            let (part, rest) = bytes.split_at(extent.len as usize);
            self.file.write_all_at(part, extent.offset).map_err(|error| {
                Error::io("restore", format!("cannot write {}", shown(&self.meta.path.0)), error)
            })?;
            bytes = rest;
        }
        let is_last = self.left.fetch_sub(to - from, Ordering::AcqRel) == to - from;
        if is_last {
            // A file that ends in a hole is longer than what was written.
            ftruncate(&self.file, self.meta.size)
                .map_err(|error| cannot("set the size of", &self.meta.path.0, error))?;
        }
        Ok(is_last)
    }
}
