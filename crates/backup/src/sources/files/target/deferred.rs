//! What must wait until all data is written: hard links, and the metadata of folders.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use seaworthy_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use crate::{
    format::index::{FileType, PathBytes},
    sources::files::archive::EntryMeta,
};

/// How much is kept in memory before it moves to an unnamed file.
const IN_MEMORY: usize = 4 << 20;

/// A deferred entry, and its destination.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) place: usize,
    /// Its destination, below the root of its place.
    pub(super) to: PathBytes,
    path: PathBytes,
    /// The target of a hard link, by its name in the archive; a folder has none.
    pub(super) link: Option<PathBytes>,
    mode: u32,
    uid: u64,
    gid: u64,
    mtime: i64,
    nanos: u32,
    xattrs: Vec<(PathBytes, PathBytes)>,
}

impl Waiting {
    pub(super) fn new(meta: EntryMeta, place: usize, to: Vec<u8>) -> Self {
        let xattrs = meta.xattrs.into_iter().map(|(n, v)| (PathBytes(n), PathBytes(v)));
        Self {
            place,
            to: PathBytes(to),
            path: meta.path,
            link: meta.link,
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            mtime: meta.mtime,
            nanos: meta.nanos,
            xattrs: xattrs.collect(),
        }
    }

    pub(super) fn meta(&self) -> EntryMeta {
        let xattrs = self.xattrs.iter().map(|(name, value)| (name.0.clone(), value.0.clone()));
        let is_link = self.link.is_some();
        EntryMeta {
            path: self.path.clone(),
            file_type: if is_link { FileType::Hardlink } else { FileType::Directory },
            size: 0,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime: self.mtime,
            nanos: self.nanos,
            link: self.link.clone(),
            device: (0, 0),
            xattrs: xattrs.collect(),
        }
    }
}

/// Stores deferred entries, in the order of the payload.
#[derive(Debug)]
pub(super) struct Deferred {
    spool: SpooledTempFile,
    /// The index of each frame in the payload, and the position of its entries in the spool.
    chunks: Vec<(u64, u64, u32)>,
    end: u64,
}

impl Deferred {
    /// Spools to the folder `temp`.
    pub(super) fn new(temp: &Path) -> Self {
        let spool = SpooledTempFile::new_in(IN_MEMORY, temp);
        Self { spool, chunks: Vec::new(), end: 0 }
    }

    /// Stores the deferred entries of the frame at `place`.
    pub(super) fn push(&mut self, place: u64, waiting: &[Waiting]) -> Result<()> {
        let chunk = serde_json::to_vec(waiting).map_err(broken)?;
        self.spool.write_all(&chunk).map_err(broken)?;
        let len = u32::try_from(chunk.len()).map_err(broken)?;
        self.chunks.push((place, self.end, len));
        self.end += u64::from(len);
        Ok(())
    }

    /// Calls `act` for everything in order, or in reverse.
    pub(super) fn each(
        &mut self,
        reverse: bool,
        mut act: impl FnMut(&Waiting) -> Result<()>,
    ) -> Result<()> {
        self.chunks.sort_unstable();
        if reverse {
            self.chunks.reverse();
        }
        for (_, start, len) in &self.chunks {
            let mut chunk = vec![0; *len as usize];
            self.spool.seek(SeekFrom::Start(*start)).map_err(broken)?;
            self.spool.read_exact(&mut chunk).map_err(broken)?;
            let mut waiting: Vec<Waiting> = serde_json::from_slice(&chunk).map_err(broken)?;
            if reverse {
                waiting.reverse();
            }
            waiting.iter().try_for_each(&mut act)?;
        }
        Ok(())
    }
}

fn broken(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = "cannot keep the list of folders and links in a temporary file";
    Error::new(ErrorKind::Io, "restore", message).caused_by(source)
}
