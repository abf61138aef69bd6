//! The names in a folder, sorted, in little memory.

use std::{io, mem::MaybeUninit, os::fd::BorrowedFd};

use rustix::fs::RawDir;

/// Sorted names, returned one after another.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// All names end to end.
    bytes: Vec<u8>,
    /// Where each begins and how long it is, sorted by name, last first.
    names: Vec<(u32, u16)>,
}

impl Listing {
    /// Lists an open folder.
    pub(super) fn read(folder: BorrowedFd<'_>) -> io::Result<Self> {
        let mut buffer = [MaybeUninit::uninit(); 32 << 10];
        let mut entries = RawDir::new(folder, &mut buffer);
        let mut listing = Self::default();
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let start = u32::try_from(listing.bytes.len()).map_err(|_| {
                io::Error::other("the folder's names are larger than 4 GiB in total")
            })?;
            let len = u16::try_from(name.len()).map_err(io::Error::other)?;
            listing.bytes.extend_from_slice(name);
            listing.names.push((start, len));
        }
        let Self { bytes, names } = &mut listing;
        let name = |(start, len): (u32, u16)| &bytes[start as usize..][..usize::from(len)];
        names.sort_unstable_by(|a, b| name(*b).cmp(name(*a)));
        Ok(listing)
    }

    /// The next name.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let (start, len) = self.names.pop()?;
        Some(&self.bytes[start as usize..][..usize::from(len)])
    }
}
