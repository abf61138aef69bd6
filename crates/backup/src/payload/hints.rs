//! What is learnt of contents while they are compressed.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
};

/// After so many segments it is learnt anew.
const SEGMENTS: u32 = 64;

/// How contents of one kind, such as the rows of a table, are best compressed: learnt from the first
/// segment of them, and anew from a later one now and then. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompressionHint(Arc<Learnt>);

#[derive(Debug, Default)]
struct Learnt {
    segments: AtomicU32,
    /// The number of the way, from one on; zero is the usual one.
    way: AtomicUsize,
}

impl CompressionHint {
    /// Whether something is to be learnt from the next segment, which is counted by this.
    pub(crate) fn is_due(&self) -> bool {
        self.0.segments.fetch_add(1, Relaxed).is_multiple_of(SEGMENTS)
    }

    /// Which of the quicker ways is good; none until one is known to be.
    pub(crate) fn way(&self) -> Option<usize> {
        self.0.way.load(Relaxed).checked_sub(1)
    }

    /// Remembers it.
    pub(crate) fn learn(&self, way: Option<usize>) {
        self.0.way.store(way.map_or(0, |way| way + 1), Relaxed);
    }

    /// Whether `other` is about the same contents.
    #[cfg(feature = "postgres")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
