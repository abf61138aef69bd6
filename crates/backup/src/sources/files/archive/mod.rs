//! The tar format as this crate writes and reads it: ustar headers with PAX extensions.

mod header;
mod parse;
mod pax;
mod scan;
mod sparse;

use crate::format::index::{FileRecord, FileType, PathBytes};

pub(crate) use header::write_headers;
pub(crate) use parse::{Parsed, parse_entry, parse_map};
pub(crate) use scan::TarScanner;
pub(crate) use sparse::{Extent, SparseMap, Stored};

/// Tar counts in blocks of this many bytes.
pub(crate) const BLOCK: u64 = 512;

/// What ends an archive: two blocks of zeros.
pub(crate) const TRAILER: [u8; 1024] = [0; 1024];

/// The most bytes that the headers of one entry may take, its sparse map not counted.
pub(crate) const MAX_HEADERS: usize = 8 << 20;

/// `len` rounded up to whole blocks.
pub(crate) fn padded(len: u64) -> u64 {
    len.next_multiple_of(BLOCK)
}

/// Fills the last block of `out` with zeros.
pub(crate) fn pad(out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start.next_multiple_of(BLOCK as usize), 0);
}

/// Everything that an entry says about a file except its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryMeta {
    pub(crate) path: PathBytes,
    pub(crate) file_type: FileType,
    /// The file's size, including holes; 0 for entries without content.
    pub(crate) size: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Whole seconds since 1970, rounded down.
    pub(crate) mtime: i64,
    /// Nanoseconds after that.
    pub(crate) nanos: u32,
    pub(crate) link: Option<PathBytes>,
    /// Major and minor number of a device.
    pub(crate) device: (u32, u32),
    /// Extended attributes, sorted by name.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl EntryMeta {
    /// The index entry for this entry.
    pub(crate) fn record(&self, at: u64, len: u64) -> FileRecord {
        let mut record = FileRecord::new(self.path.clone(), self.file_type, at, len);
        record.size = self.size;
        record.mode = self.mode;
        record.uid = self.uid;
        record.gid = self.gid;
        record.mtime = self.mtime;
        record.link = self.link.clone();
        record
    }
}
