//! Which parts of a file hold data, and the map of them in front of a sparse entry's data.

use std::io::Write as _;

use super::{pad, padded};

/// A part of a file that holds data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// The most extents that a map keeps; with more, the smallest holes are stored as zeros. So a map
/// takes 256 KiB in memory and under 700 KiB in the archive.
const MAX_EXTENTS: usize = 16_384;

/// The parts of a file that hold data, in order, apart from one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SparseMap {
    extents: Vec<Extent>,
    /// Holes of at most this size are filled; grows when there are too many extents.
    filled: u64,
}

impl SparseMap {
    /// Adds an extent after all others.
    pub(crate) fn push(&mut self, extent: Extent) {
        if self.extents.len() >= 2 * MAX_EXTENTS {
            self.coarsen();
        }
        self.add(extent);
    }

    fn add(&mut self, extent: Extent) {
        match self.extents.last_mut() {
            Some(last) if extent.offset - (last.offset + last.len) <= self.filled => {
                last.len = extent.offset + extent.len - last.offset;
            }
            _ => self.extents.push(extent),
        }
    }

    fn coarsen(&mut self) {
        while self.extents.len() > MAX_EXTENTS {
            self.filled = (self.filled * 2).max(4096);
            for extent in std::mem::take(&mut self.extents) {
                self.add(extent);
            }
        }
    }

    /// The extents of a file of `size` bytes; `None` if it has no holes. An empty extent at the end
    /// gives the file's size, as in GNU tar.
    pub(crate) fn finish(mut self, size: u64) -> Option<Vec<Extent>> {
        self.coarsen();
        match *self.extents.as_slice() {
            [Extent { offset: 0, len }] if len == size => return None,
            [.., Extent { offset, len }] if offset + len == size => {}
            _ => self.extents.push(Extent { offset: size, len: 0 }),
        }
        Some(self.extents)
    }
}

/// The map as written in front of the data, in whole blocks.
pub(super) fn encode(extents: &[Extent]) -> Vec<u8> {
    let mut map = Vec::with_capacity(512);
    // Writing to a vector cannot fail.
    let _ = writeln!(map, "{}", extents.len());
    for extent in extents {
        let _ = write!(map, "{}\n{}\n", extent.offset, extent.len);
    }
    pad(&mut map);
    map
}

/// Reads a map at the beginning of `data`: the extents, and how many bytes it takes.
pub(super) fn decode(data: &[u8]) -> Option<(Vec<Extent>, u64)> {
    let mut rest = data;
    let mut number = || -> Option<u64> {
        let end = rest.iter().take(21).position(|byte| *byte == b'\n')?;
        let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        rest = &rest[end + 1..];
        Some(number)
    };
    let count = usize::try_from(number()?).ok().filter(|count| *count <= data.len() / 4)?;
    let mut extents = Vec::with_capacity(count);
    let mut end = 0;
    for _ in 0..count {
        let extent = Extent { offset: number()?, len: number()? };
        if extent.offset < end {
            return None;
        }
        end = extent.offset.checked_add(extent.len)?;
        extents.push(extent);
    }
    Some((extents, padded((data.len() - rest.len()) as u64)))
}

/// Finds where in a file the stored bytes of its extents belong.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Each extent and where its bytes begin among the stored ones.
    parts: Vec<(u64, Extent)>,
    len: u64,
}

impl Stored {
    pub(crate) fn new(extents: &[Extent]) -> Self {
        let mut len = 0;
        let parts = extents.iter().map(|extent| {
            let at = len;
            len += extent.len;
            (at, *extent)
        });
        Self { parts: parts.collect(), len }
    }

    /// How many bytes are stored.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The parts of the file that the stored bytes from `from` up to `to` belong to, in order.
    pub(crate) fn range(&self, from: u64, to: u64) -> impl Iterator<Item = Extent> {
        let first = self.parts.partition_point(|(at, extent)| at + extent.len <= from);
        self.parts[first..].iter().take_while(move |(at, _)| *at < to).filter_map(
            move |(at, extent)| {
                let skip = from.saturating_sub(*at);
                let end = (to - at).min(extent.len);
                (end > skip).then(|| Extent { offset: extent.offset + skip, len: end - skip })
            },
        )
    }
}
