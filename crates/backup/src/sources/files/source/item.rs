//! An item found by the walk.

use std::{io, os::fd::OwnedFd, sync::Arc};

use rustix::{fs::Stat, io::Errno};

use crate::{
    format::index::{Loss, LossRecord, PathBytes},
    payload::SEGMENT_SIZE,
    sources::files::archive::EntryMeta,
};

/// Files up to this size are read at once.
pub(super) const SMALL: u64 = SEGMENT_SIZE as u64;

/// Something that the walk came upon.
#[derive(Debug)]
pub(super) enum Item {
    /// Something whose entry has no data.
    Known(EntryMeta),
    /// A regular file with one name, opened by the worker that reads it.
    Listed { folder: Arc<OwnedFd>, name: Vec<u8>, path: Vec<u8>, size: u64 },
    /// A regular file that had to be opened immediately.
    Opened { file: OwnedFd, path: Vec<u8>, stat: Box<Stat> },
    /// Something that is missing.
    Loss(LossRecord),
}

/// A socket, of which nothing is stored.
pub(super) fn socket(path: Vec<u8>) -> Item {
    Item::Loss(LossRecord::new(PathBytes(path), Loss::Socket, "a socket has no data"))
}

/// What could not be opened or read because of `error`.
pub(super) fn lost(path: Vec<u8>, error: &io::Error) -> Item {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            let why = "it no longer existed when it should be read";
            Item::Loss(LossRecord::new(PathBytes(path), Loss::Vanished, why))
        }
        _ => Item::Loss(LossRecord::new(PathBytes(path), Loss::Unreadable, in_words(error))),
    }
}

/// Something else is in the place of the file.
pub(super) fn replaced(path: Vec<u8>) -> Item {
    let why = "it had been replaced by something else when it should be read";
    Item::Loss(LossRecord::new(PathBytes(path), Loss::Vanished, why))
}

/// What could not be read of the extended attributes of `path`.
pub(super) fn attributes_lost(path: &[u8], error: &io::Error) -> Item {
    let why = format!("its extended attributes are missing: {}", in_words(error));
    Item::Loss(LossRecord::new(PathBytes(path.to_vec()), Loss::Unreadable, why))
}

/// The error without its number.
pub(super) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
}
