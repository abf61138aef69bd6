//! What a source held.

use serde::{Deserialize, Serialize};

/// Counts of a source's items and of its losses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SourceSummary {
    /// Files, databases or other items, without folders.
    pub files: u64,
    /// Their size in bytes, including holes.
    pub bytes: u64,
    /// Rows of tables, if it counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Items that could not be read and are missing.
    #[serde(skip_serializing_if = "is_zero")]
    pub unreadable: u64,
    /// Items that no longer existed when they should be read.
    #[serde(skip_serializing_if = "is_zero")]
    pub vanished: u64,
    /// Items that changed while they were read.
    #[serde(skip_serializing_if = "is_zero")]
    pub changed: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
