//! What a source held.

use serde::{Deserialize, Serialize};

/// Counts of what a source held and of what its payload lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SourceSummary {
    /// Files, databases or whatever it counts, without folders.
    pub files: u64,
    /// The size of those, in bytes, holes included.
    pub bytes: u64,
    /// Rows of tables, where it counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Items that could not be read and are missing.
    #[serde(skip_serializing_if = "is_zero")]
    pub unreadable: u64,
    /// Items that were gone when they were to be read.
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
