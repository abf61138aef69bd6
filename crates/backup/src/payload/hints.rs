//! What is measured about contents while they are compressed.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
};

/// After this many segments it is measured again.
const SEGMENTS: u32 = 64;

/// How contents of one kind, such as the rows of a table, are best compressed: measured on their
/// first segment, and again on a later one from time to time. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompressionHint(Arc<Learnt>);

#[derive(Debug, Default)]
struct Learnt {
    segments: AtomicU32,
    /// The number of the preset, from one; zero is the usual level.
    way: AtomicUsize,
}

impl CompressionHint {
    /// Whether to measure on the next segment, which is counted by this.
    pub(crate) fn is_due(&self) -> bool {
        self.0.segments.fetch_add(1, Relaxed).is_multiple_of(SEGMENTS)
    }

    /// The index of the best fast preset; `None` until one is known.
    pub(crate) fn way(&self) -> Option<usize> {
        self.0.way.load(Relaxed).checked_sub(1)
    }

    /// Stores it.
    pub(crate) fn learn(&self, way: Option<usize>) {
        self.0.way.store(way.map_or(0, |way| way + 1), Relaxed);
    }

    /// Whether `other` is about the same contents.
    #[cfg(feature = "postgres")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
