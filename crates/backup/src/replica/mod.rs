//! Replicas: sinks that get copies of the snapshots in the first sink of a job.
//!
//! A [`Replica`] is brought up to date by [`Replica::sync`]: what its own policy would keep and it
//! lacks is copied, newest first, and proved before its manifest makes it a snapshot. What never
//! arrived is [held](crate::retention::Holds) on the first sink for a while.

mod copy;
mod hold;

use std::sync::Arc;

use seaworthy_core::{Context, ErrorKind, Event, Name, Result};
use serde::Serialize;

use crate::{
    format::{SnapshotId, SnapshotInfo, SnapshotKind, SnapshotState},
    options::{RunOptions, VerifyAfter},
    prune::{Prune, PruneReport},
    repository::Repository,
    retention::{RetentionPolicy, decide},
    state::{JobState, StateFolder},
};

pub use copy::CopyReport;

/// A sink that snapshots are copied to from the first sink of their job.
#[derive(Clone, Debug)]
pub struct Replica {
    name: Name,
    repository: Repository,
    policy: Option<Arc<dyn RetentionPolicy>>,
    verify_after: VerifyAfter,
}

/// The result of syncing a replica.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ReplicaReport {
    /// The name of the sink.
    pub sink: Name,
    /// Where it is, for people.
    pub place: String,
    /// What was copied, newest first.
    pub copied: Vec<CopyReport>,
    /// The snapshots that it should have but does not, newest first; `None` if it could not be
    /// asked.
    pub lacks: Option<Vec<SnapshotId>>,
    /// The result of retention there; `None` if it was not applied.
    pub prune: Option<PruneReport>,
    /// The first error.
    pub error: Option<String>,
}

impl ReplicaReport {
    /// Whether the replica has all that it should.
    pub fn is_good(&self) -> bool {
        self.error.is_none()
    }
}

impl Replica {
    /// The snapshots in `repository`, whose sink is called `name`, as a replica. By default
    /// everything is copied, kept, and read back.
    pub fn new(name: Name, repository: Repository) -> Self {
        Self { name, repository, policy: None, verify_after: VerifyAfter::default() }
    }

    /// Copies only what `policy` would keep, and applies it afterwards.
    #[must_use]
    pub fn retention(mut self, policy: Arc<dyn RetentionPolicy>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// How a copy is verified before it counts.
    #[must_use]
    pub fn verify_after(mut self, verify_after: VerifyAfter) -> Self {
        self.verify_after = verify_after;
        self
    }

    /// The name of its sink.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The snapshots in it.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Which of the snapshots `first`, those of the first sink, this replica should have but does
    /// not, newest first.
    ///
    /// # Errors
    /// Those of listing the replica.
    pub async fn lacks(&self, first: &[SnapshotInfo], cx: &Context) -> Result<Vec<SnapshotId>> {
        let held = self.repository.list(cx).await?;
        Ok(self.lacks_beside(first, held, cx))
    }

    /// [`lacks`](Self::lacks) for a replica that is known to have the snapshots `held`.
    pub fn lacks_beside(
        &self,
        first: &[SnapshotInfo],
        held: Vec<SnapshotInfo>,
        cx: &Context,
    ) -> Vec<SnapshotId> {
        let host = self.repository.host();
        let worth_copying = |s: &&SnapshotInfo| {
            s.kind == SnapshotKind::Backup
                && s.host.as_ref() == Some(host)
                && matches!(s.state, SnapshotState::Good | SnapshotState::Suspect { .. })
                && held.iter().all(|there| there.id != s.id)
        };
        // A pin protects in its own sink only.
        let candidates: Vec<SnapshotInfo> = first
            .iter()
            .filter(worth_copying)
            .map(|s| SnapshotInfo { pinned: false, ..s.clone() })
            .collect();
        let wanted: Vec<_> = candidates.iter().map(|s| s.id.clone()).collect();
        let all: Vec<_> = held.into_iter().chain(candidates).collect();
        // Do not copy what the policy would remove immediately.
        let plan = decide(self.policy.as_deref(), &all, host, cx.now());
        plan.kept().filter(|id| wanted.contains(id)).cloned().collect()
    }

    /// Copies what this replica does not have of `first`, then applies its policy. Failures are in
    /// the report: the rest is still copied if possible.
    ///
    /// A copy that was cut off is resumed: complete objects are not sent again.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`], and [`ErrorKind::Locked`] if another run is active there.
    /// Everything else is in the report.
    pub async fn sync(
        &self,
        first: &Repository,
        state: Option<&StateFolder>,
        options: &RunOptions,
        cx: &Context,
    ) -> Result<ReplicaReport> {
        let place = self.repository.sink().to_string();
        let state = state.map(|state| state.job(&place, self.repository.job()));
        let purpose = format!("sync {}", self.repository.job());
        let _lock = state.as_ref().map(|state| state.lock(&purpose)).transpose()?;
        let mut report = ReplicaReport {
            sink: self.name.clone(),
            place,
            copied: Vec::new(),
            lacks: None,
            prune: None,
            error: None,
        };
        match self.bring_up_to_date(first, state.as_ref(), options, &mut report, cx).await {
            Ok(()) => Ok(report),
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            Err(error) => {
                cx.emit(Event::warning(format!("{}: {}", self.name, error.chain())));
                report.error = Some(error.chain());
                Ok(report)
            }
        }
    }

    async fn bring_up_to_date(
        &self,
        first: &Repository,
        state: Option<&JobState>,
        options: &RunOptions,
        report: &mut ReplicaReport,
        cx: &Context,
    ) -> Result<()> {
        let there = first.list(cx).await?;
        let held = self.repository.list(cx).await?;
        let mut arrived: Vec<_> = held.iter().map(|s| s.id.clone()).collect();
        let wanted = self.lacks_beside(&there, held, cx);
        let lacks = report.lacks.insert(Vec::new());
        let mut failed = None;
        for (n, id) in wanted.iter().enumerate() {
            match self.copy(first, id, options, cx).await {
                Ok(copied) => {
                    arrived.push(id.clone());
                    report.copied.push(copied);
                }
                Err(error) => {
                    if error.kind() == ErrorKind::Cancelled {
                        return Err(error);
                    }
                    // A damaged object does not affect the other snapshots; any other error may.
                    let is_one_alone = error.kind() == ErrorKind::Damaged;
                    failed = failed.or(Some(error));
                    if !is_one_alone {
                        lacks.extend_from_slice(&wanted[n..]);
                        break;
                    }
                    lacks.push(id.clone());
                }
            }
        }
        if let Some(state) = state {
            state.note_arrived(&arrived)?;
        }
        match (failed, &self.policy) {
            (Some(error), _) => Err(error),
            (None, Some(policy)) if self.repository.sink().capabilities().delete => {
                let prune = Prune::new(self.repository.clone()).policy(&**policy).state(state);
                report.prune = Some(prune.run_locked(cx).await?);
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }
}
