//! Which snapshots are kept, and why.
//!
//! A [`RetentionPolicy`] only decides about good backups of one host. [`decide`] is between it and
//! the sink: it protects what a policy must not remove, and decides on the snapshots that the
//! policy does not get. [`KeepPolicy`] is the policy of the file's `keep`.
//!
//! ```
//! use seaworthy_backup::retention::{Keep, KeepPolicy, decide};
//! use seaworthy_backup::format::{HostId, SnapshotId, SnapshotInfo};
//! use seaworthy_core::{TimeZone, Timestamp};
//!
//! let host = HostId::from_machine_id("example");
//! let snapshots: Vec<_> = (0..10)
//!     .map(|day| Timestamp::from_unix(1_795_000_000 + day * 86_400))
//!     .map(|time| SnapshotInfo::new(SnapshotId::from_parts(time, [0; 3]), host.clone()))
//!     .collect();
//! let policy = KeepPolicy::new(Keep::new().daily(7), TimeZone::utc())?;
//! let plan = decide(Some(&policy), &snapshots, &host, snapshots[9].time());
//! assert_eq!(plan.removed().count(), 3);
//! assert_eq!(plan.decisions()[2].to_string(), "keep  daily 3 of 7 (2026-11-25)");
//! assert_eq!(plan.decisions()[9].to_string(), "remove  no rule keeps it");
//! # Ok::<(), seaworthy_core::Error>(())
//! ```

mod decide;
mod holds;
mod keep;
mod policy;
mod reason;

use std::fmt;

pub use decide::{decide, latest};
pub use holds::Holds;
pub use keep::Keep;
pub use policy::KeepPolicy;
pub use reason::{Period, Reason};
use seaworthy_core::Timestamp;
use serde::Serialize;

use crate::format::{SnapshotId, SnapshotInfo};

/// Decides which of a host's good backups to keep.
///
/// Pure: no I/O, and the clock is passed in. A snapshot that the plan does not contain is kept.
pub trait RetentionPolicy: fmt::Debug + Send + Sync {
    /// Decides on `snapshots`, at `now`.
    fn plan(&self, snapshots: &[SnapshotInfo], now: Timestamp) -> RetentionPlan;
}

/// A decision for each snapshot, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct RetentionPlan(Vec<Decision>);

impl RetentionPlan {
    /// The plan of these decisions, in any order. Of two about one snapshot, keeping wins.
    pub fn new(decisions: impl IntoIterator<Item = Decision>) -> Self {
        let mut decisions = Vec::from_iter(decisions);
        decisions.sort_by(|a, b| b.id.cmp(&a.id).then(b.keep.cmp(&a.keep)));
        decisions.dedup_by(|later, first| later.id == first.id);
        Self(decisions)
    }

    /// The same plan, but with everything kept that replicas still wait for.
    #[must_use]
    pub fn hold(mut self, holds: &Holds) -> Self {
        for decision in self.0.iter_mut().filter(|decision| !decision.keep) {
            let replicas = holds.of(&decision.id);
            if !replicas.is_empty() {
                let reasons = vec![Reason::Held { replicas: replicas.to_vec() }];
                *decision = Decision::keep(decision.id.clone(), reasons);
            }
        }
        self
    }

    /// Every decision, newest snapshot first.
    pub fn decisions(&self) -> &[Decision] {
        &self.0
    }

    /// The decision on `id`.
    pub fn get(&self, id: &SnapshotId) -> Option<&Decision> {
        let at = self.0.binary_search_by(|decision| id.cmp(&decision.id)).ok()?;
        self.0.get(at)
    }

    /// The snapshots to keep, newest first.
    pub fn kept(&self) -> impl Iterator<Item = &SnapshotId> {
        self.0.iter().filter(|decision| decision.keep).map(|decision| &decision.id)
    }

    /// The snapshots to remove, newest first.
    pub fn removed(&self) -> impl Iterator<Item = &SnapshotId> {
        self.0.iter().filter(|decision| !decision.keep).map(|decision| &decision.id)
    }
}

/// The decision on one snapshot. Prints as `keep  pinned, last 1 of 7`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// The snapshot.
    pub id: SnapshotId,
    /// Whether it is kept; otherwise it is removed.
    pub keep: bool,
    /// All reasons for it.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// To keep `id`.
    pub fn keep(id: SnapshotId, reasons: Vec<Reason>) -> Self {
        Self { id, keep: true, reasons }
    }

    /// To remove `id`.
    pub fn remove(id: SnapshotId, reason: Reason) -> Self {
        Self { id, keep: false, reasons: vec![reason] }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.keep { "keep" } else { "remove" })?;
        for (i, reason) in self.reasons.iter().enumerate() {
            write!(f, "{}{reason}", if i == 0 { "  " } else { ", " })?;
        }
        Ok(())
    }
}
