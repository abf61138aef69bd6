//! What a run of a job did.

use seaworthy_core::Name;
use serde::Serialize;

use crate::{
    format::{ManifestSource, ObjectKey, SnapshotId, Suspicion, index::LossRecord},
    prune::PruneReport,
    replica::ReplicaReport,
    verify::VerifyReport,
};

/// What a run did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// The job.
    pub job: Name,
    /// The snapshot's name.
    pub id: SnapshotId,
    /// The sink, for people.
    pub sink: String,
    /// The snapshot's folder in the sink.
    pub folder: ObjectKey,
    /// The result of each source.
    pub sources: Vec<ManifestSource>,
    /// The data before compression, in bytes.
    pub plain: u64,
    /// What is stored, in bytes.
    pub stored: u64,
    /// How long reading and storing took, in seconds, without verification and retention.
    pub seconds: f64,
    /// Why it may not be what the user wants.
    pub suspicions: Vec<Suspicion>,
    /// Whether these were overruled.
    pub accepted: bool,
    /// The first hundred items that are missing or inconsistent.
    pub losses: Vec<LossRecord>,
    /// The result of verification; `None` if only sizes were checked.
    pub verified: Option<VerifyReport>,
    /// The result of each replica.
    pub replicas: Vec<ReplicaReport>,
    /// The result of retention; `None` if it was not applied.
    pub prune: Option<PruneReport>,
    /// Why retention could not be completed; the snapshot itself is stored.
    pub prune_error: Option<String>,
}

impl BackupReport {
    /// Whether the snapshot is complete and plausible.
    pub fn is_good(&self) -> bool {
        (self.suspicions.is_empty() || self.accepted)
            && self.verified.as_ref().is_none_or(VerifyReport::is_good)
    }

    /// Whether each replica has all that it should.
    pub fn replicas_are_good(&self) -> bool {
        self.replicas.iter().all(ReplicaReport::is_good)
    }

    /// Whether something that should be in the snapshot is missing from it.
    pub fn has_losses(&self) -> bool {
        self.sources.iter().any(|source| source.summary.unreadable > 0)
    }
}
