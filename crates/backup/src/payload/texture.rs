//! What is learnt of contents while they are compressed.

use std::sync::{Arc, OnceLock};

/// How contents of one kind, such as the rows of a table, are best compressed: learnt from the first
/// segment of them. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texture(Arc<OnceLock<bool>>);

impl Texture {
    /// Whether the quick way makes them as small, or nearly; nobody knows at first.
    pub(crate) fn is_plain(&self) -> Option<bool> {
        self.0.get().copied()
    }

    /// Remembers it, where nobody else was first.
    pub(crate) fn learn(&self, is_plain: bool) {
        let _ = self.0.set(is_plain);
    }

    /// Whether `other` is about the same contents.
    #[cfg(feature = "postgres")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
