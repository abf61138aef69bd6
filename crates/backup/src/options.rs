//! How a run works.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{format::SnapshotKind, payload::Compression, workers::MAX_WORKERS};

/// How a job runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunOptions {
    /// How payloads and the index are compressed.
    pub compression: Compression,
    /// How many threads read and compress in parallel.
    pub workers: usize,
    /// How the stored snapshot is verified before retention is applied.
    pub verify_after: VerifyAfter,
    /// Whether a suspect result is accepted as good.
    pub accept: bool,
    /// Why the snapshot is made.
    pub kind: SnapshotKind,
    /// Where temporary files go.
    pub temp: PathBuf,
    /// The name of this machine, stored in the snapshot for people who monitor several.
    pub host_name: Option<String>,
}

impl Default for RunOptions {
    /// zstd at level 3, a worker per processor (32 at most), everything read back, the system's folder for
    /// temporary files.
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            workers: std::thread::available_parallelism().map_or(2, usize::from).min(MAX_WORKERS),
            verify_after: VerifyAfter::default(),
            accept: false,
            kind: SnapshotKind::default(),
            temp: std::env::temp_dir(),
            host_name: None,
        }
    }
}

/// How a run verifies what it stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VerifyAfter {
    /// Every byte is read back and checked.
    #[default]
    Read,
    /// Each object exists with the right size.
    Stat,
}
