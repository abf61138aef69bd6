//! An entry of a snapshot in a listing.

use seaworthy_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HostId, SnapshotId, SnapshotKind, Suspicion};

/// One snapshot in a listing: the facts for retention, `latest` and people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// Its name.
    pub id: SnapshotId,
    /// Its state.
    #[serde(default = "good")]
    pub state: SnapshotState,
    /// Why it was made. A manifest that cannot be read counts as a backup's.
    #[serde(default)]
    pub kind: SnapshotKind,
    /// The machine that made it; `None` if the manifest cannot be read.
    pub host: Option<HostId>,
    /// Whether it is pinned.
    #[serde(default)]
    pub pinned: bool,
    /// Its data before compression, in bytes.
    #[serde(default)]
    pub plain: u64,
    /// Its size in the sink, in bytes.
    #[serde(default)]
    pub stored: u64,
}

impl SnapshotInfo {
    /// A good, unpinned backup of this host, with size 0.
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

/// The state of a stored snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SnapshotState {
    /// Complete, trusted and plausible.
    Good,
    /// Complete, but perhaps not what the user wants.
    Suspect {
        /// Why.
        suspicions: Vec<Suspicion>,
    },
    /// Its content differs from what was written.
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// Complete, but not signed by a trusted key.
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
