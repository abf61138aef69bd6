//! What could not be restored exactly: one warning for each kind, not one for each file.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::format::index::PathBytes;

/// Collects warnings.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<BTreeMap<String, (u64, PathBytes)>>);

impl Warnings {
    /// `what` happened to `path`.
    pub(super) fn add(&self, what: impl Into<String>, path: &PathBytes) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, _) = kinds.entry(what.into()).or_insert_with(|| (0, path.clone()));
        *count += 1;
    }

    /// A sentence for each kind.
    pub(super) fn take(&self) -> Vec<String> {
        let kinds = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let sentence = |(what, (count, first))| match count {
            1_u64 => format!("{what}: {first}"),
            _ => format!("{what}: {first} and {} more", count - 1),
        };
        kinds.into_iter().map(sentence).collect()
    }
}
