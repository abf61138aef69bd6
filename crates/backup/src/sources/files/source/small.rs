//! Files up to one segment: read at once, and again if they change meanwhile.

use std::{io, os::fd::OwnedFd};

use rustix::fs::{OFlags, fstat};
use seaworthy_core::Result;

use super::{
    hooks::{Hooks, Moment},
    inode,
    item::{Item, SMALL, attributes_lost, in_words, lost, replaced},
};
use crate::{
    format::index::{Entry, FileType, Loss, LossRecord, PathBytes},
    sources::files::archive::{EntryMeta, Extent, pad, write_headers},
};

/// How often a file is read if it changes while it is read.
const TRIES: u32 = 3;

/// The result of reading a small file.
pub(super) enum Outcome {
    /// It is in the segment, or its loss is.
    Done,
    /// It has grown so much that it must be split into pieces.
    Grown { size: u64 },
}

/// Opens and appends a file that has one name.
pub(super) fn read_listed(
    out: &mut Vec<u8>,
    entries: &mut Vec<Entry>,
    folder: &OwnedFd,
    name: &[u8],
    path: &[u8],
    hooks: &Hooks,
) -> Result<Outcome> {
    let opened =
        hooks.at(Moment::Open, path).and_then(|()| Ok(inode::open(folder, name, OFlags::empty())?));
    match opened {
        Ok(file) => read(out, entries, &file, path, false, hooks),
        Err(error) => {
            push(entries, lost(path.to_vec(), &error));
            Ok(Outcome::Done)
        }
    }
}

/// Appends an open file. A file with `must_stand`, to which hard links will refer, is stored even
/// if it cannot be read, and never grows beyond a segment.
pub(super) fn read(
    out: &mut Vec<u8>,
    entries: &mut Vec<Entry>,
    file: &OwnedFd,
    path: &[u8],
    must_stand: bool,
    hooks: &Hooks,
) -> Result<Outcome> {
    let start = out.len();
    let mut attributes = None;
    for attempt in 1..=TRIES {
        out.truncate(start);
        let before = match fstat(file) {
            Ok(stat) => stat,
            Err(error) => {
                push(entries, lost(path.to_vec(), &error.into()));
                return Ok(Outcome::Done);
            }
        };
        if !inode::is_file(&before) {
            push(entries, replaced(path.to_vec()));
            return Ok(Outcome::Done);
        }
        let mut meta = inode::meta(path, FileType::File, &before);
        if meta.size > SMALL {
            if !must_stand {
                return Ok(Outcome::Grown { size: meta.size });
            }
            meta.size = SMALL;
        }
        match inode::xattrs(file) {
            Ok(xattrs) => meta.xattrs = xattrs,
            Err(error) => attributes = Some(attributes_lost(path, &error)),
        }
        let trouble = match append(out, file, &meta, &before, path, hooks)? {
            Ok(true) => None,
            Ok(false) if attempt < TRIES => continue,
            Ok(false) => Some((Loss::Changed, "it changed each time it was read".to_owned())),
            Err(error) if must_stand => {
                let why = format!("a part of it is zeros: {}", in_words(&error));
                Some((Loss::Unreadable, why))
            }
            Err(error) => {
                out.truncate(start);
                push(entries, lost(path.to_vec(), &error));
                return Ok(Outcome::Done);
            }
        };
        let len = (out.len() - start) as u64;
        entries.push(Entry::File(meta.record(start as u64, len)));
        if let Some((loss, why)) = trouble {
            entries.push(Entry::Loss(LossRecord::new(PathBytes(path.to_vec()), loss, why)));
        }
        break;
    }
    if let Some(item) = attributes {
        push(entries, item);
    }
    Ok(Outcome::Done)
}

/// Appends headers, data and padding, and returns whether the file did not change meanwhile. After
/// a read error, there are zeros in place of the data.
fn append(
    out: &mut Vec<u8>,
    file: &OwnedFd,
    meta: &EntryMeta,
    before: &rustix::fs::Stat,
    path: &[u8],
    hooks: &Hooks,
) -> Result<io::Result<bool>> {
    let extents = inode::extents(file, before);
    let extents = extents.filter(|_| meta.size == before.st_size.cast_unsigned());
    let data = write_headers(out, meta, extents.as_deref())?;
    let end = out.len() + data as usize;
    let whole = [Extent { offset: 0, len: meta.size }];
    let mut read = hooks.at(Moment::Read, path).map(|()| true);
    for extent in extents.as_deref().unwrap_or(&whole) {
        if let Ok(all) = &mut read {
            match inode::append(out, file, *extent, extents.is_none()) {
                Ok(had_all) => *all &= had_all,
                Err(error) => read = Err(error),
            }
        }
    }
    out.resize(end, 0);
    pad(out);
    Ok(read.map(|all| all && fstat(file).is_ok_and(|after| !inode::differs(before, &after))))
}

/// Adds the entry of a loss.
pub(super) fn push(entries: &mut Vec<Entry>, item: Item) {
    if let Item::Loss(loss) = item {
        entries.push(Entry::Loss(loss));
    }
}
