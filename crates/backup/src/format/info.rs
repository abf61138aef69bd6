//! What a listing says of a snapshot.

use seaworthy_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HostId, SnapshotId, SnapshotKind, Suspicion};

/// One snapshot in a listing: what retention, `latest` and people decide by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// Its name.
    pub id: SnapshotId,
    /// What it is worth.
    #[serde(default = "good")]
    pub state: SnapshotState,
    /// Why it was made. A manifest that cannot be read counts as a backup's.
    #[serde(default)]
    pub kind: SnapshotKind,
    /// The machine that made it; `None` where the manifest cannot be read.
    pub host: Option<HostId>,
    /// Whether somebody pinned it.
    #[serde(default)]
    pub pinned: bool,
    /// Its data before compression, in bytes.
    #[serde(default)]
    pub plain: u64,
    /// What it takes in the sink, in bytes.
    #[serde(default)]
    pub stored: u64,
}

impl SnapshotInfo {
    /// A good, unpinned backup of this host, of no size.
    pub fn new(id: SnapshotId, host: HostId) -> Self {
        Self {
            id,
            state: SnapshotState::Good,
            kind: SnapshotKind::Backup,
            host: Some(host),
            pinned: false,
            plain: 0,
            stored: 0,
        }
    }

    /// When it began.
    pub fn time(&self) -> Timestamp {
        self.id.time()
    }

    /// Whether it is good.
    pub fn is_good(&self) -> bool {
        self.state == SnapshotState::Good
    }
}

fn good() -> SnapshotState {
    SnapshotState::Good
}

/// What a stored snapshot is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SnapshotState {
    /// Whole, trusted and plausible.
    Good,
    /// Whole, but perhaps not what the user wants.
    Suspect {
        /// Why.
        suspicions: Vec<Suspicion>,
    },
    /// Not what was written.
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// Whole, but not by whom we trust.
    Untrusted {
        /// What is wrong.
        why: String,
    },
    /// Written by a newer version.
    NewerFormat {
        /// What is wrong.
        why: String,
    },
}

impl SnapshotState {
    /// One word: `good`, `suspect`, `damaged`, `untrusted` or `newer format`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Suspect { .. } => "suspect",
            Self::Damaged { .. } => "damaged",
            Self::Untrusted { .. } => "untrusted",
            Self::NewerFormat { .. } => "newer format",
        }
    }
}
