//! Files above one segment: size and holes fixed when they are opened, read piece by piece.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::fs::{Stat, fstat};
use seaworthy_core::Result;

use super::{
    hooks::{Hooks, Moment},
    inode,
    item::{SMALL, in_words},
};
use crate::{
    format::index::{Entry, FileType, Loss, LossRecord, PathBytes},
    sources::files::archive::{EntryMeta, Extent, Stored, pad, padded, write_headers},
};

/// A large file that is being archived.
#[derive(Debug)]
pub(super) struct Large {
    file: OwnedFd,
    meta: EntryMeta,
    stat: Stat,
    headers: Vec<u8>,
    stored: Stored,
    /// How many bytes of data are still to be read.
    left: AtomicU64,
    /// The first error while it was read.
    trouble: Mutex<Option<LossRecord>>,
}

/// A part of a large file's data, with the headers if it is the first.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) file: Arc<Large>,
    from: u64,
    pub(super) to: u64,
}

impl Large {
    /// Measures an open file; returns errors of its attributes, too.
    pub(super) fn new(
        file: OwnedFd,
        path: Vec<u8>,
        stat: &Stat,
    ) -> Result<(Self, Option<io::Error>)> {
        let mut meta = inode::meta(&path, FileType::File, stat);
        let attributes = inode::xattrs(&file).map(|xattrs| meta.xattrs = xattrs).err();
        let extents = inode::extents(&file, stat);
        let mut headers = Vec::new();
        let data = write_headers(&mut headers, &meta, extents.as_deref())?;
        let whole = [Extent { offset: 0, len: meta.size }];
        let stored = Stored::new(extents.as_deref().unwrap_or(&whole));
        let large = Self {
            file,
            meta,
            stat: *stat,
            headers,
            stored,
            left: AtomicU64::new(data),
            trouble: Mutex::default(),
        };
        Ok((large, attributes))
    }

    pub(super) fn path(&self) -> &[u8] {
        &self.meta.path.0
    }

    /// How many bytes of data there are.
    pub(super) fn data(&self) -> u64 {
        self.stored.len()
    }

    /// The piece of its data that begins at `from`.
    pub(super) fn piece(self: &Arc<Self>, from: u64) -> Piece {
        let headers = if from == 0 { self.headers.len() as u64 } else { 0 };
        let to = self.data().min(from + SMALL.saturating_sub(headers).max(1 << 20));
        Piece { file: self.clone(), from, to }
    }

    fn troubled(&self, loss: Loss, why: String) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let worse = trouble.as_ref().is_none_or(|t| t.loss == Loss::Changed);
        if worse {
            *trouble = Some(LossRecord::new(PathBytes(self.path().to_vec()), loss, why));
        }
    }
}

impl Piece {
    /// How many bytes of the archive it is, without padding.
    pub(super) fn size(&self) -> u64 {
        let headers = if self.from == 0 { self.file.headers.len() } else { 0 };
        headers as u64 + self.to - self.from
    }

    /// How many bytes of data it is.
    pub(super) fn data(&self) -> u64 {
        self.to - self.from
    }

    /// Appends it to `out`, and its description to `entries`. The worker that reads the last piece
    /// checks whether the file has changed.
    pub(super) fn read(self, out: &mut Vec<u8>, entries: &mut Vec<Entry>, hooks: &Hooks) {
        let large = &*self.file;
        if self.from == 0 {
            let len = large.headers.len() as u64 + padded(large.data());
            entries.push(Entry::File(large.meta.record(out.len() as u64, len)));
            out.extend_from_slice(&large.headers);
        }
        let read = hooks.at(Moment::Read, large.path());
        for extent in large.stored.range(self.from, self.to) {
            let end = out.len() + extent.len as usize;
            let appended = match &read {
                Ok(()) => inode::append(out, &large.file, extent, false),
                Err(error) => Err(error.kind().into()),
            };
            match appended {
                Ok(true) => {}
                Ok(false) => large.troubled(Loss::Changed, "it shrank while it was read".into()),
                Err(error) => {
                    let words = in_words(&error);
                    large.troubled(Loss::Unreadable, format!("a part of it is zeros: {words}"));
                    out.resize(end, 0);
                }
            }
        }
        if self.to == large.data() {
            pad(out);
        }
        let data = self.to - self.from;
        if large.left.fetch_sub(data, Ordering::AcqRel) == data {
            if !fstat(&large.file).is_ok_and(|now| !inode::differs(&large.stat, &now)) {
                large.troubled(Loss::Changed, "it changed while it was read".into());
            }
            let mut trouble = large.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            entries.extend(trouble.take().map(Entry::Loss));
        }
    }
}
