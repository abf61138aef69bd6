//! Asking replicas what they still lack.

use seaworthy_core::{Context, Span};

use super::{Replica, ReplicaReport};
use crate::{
    format::{SnapshotId, SnapshotInfo},
    retention::Holds,
    state::StateFolder,
};

impl Holds {
    /// Asks each of `replicas` which of the snapshots `first` it does not have. One that cannot be
    /// reached counts as having only what `state` knows to have arrived.
    pub async fn ask(
        replicas: &[Replica],
        first: &[SnapshotInfo],
        max_hold: Span,
        state: Option<&StateFolder>,
        cx: &Context,
    ) -> Self {
        let mut holds = Self::default();
        for replica in replicas {
            let lacks = match replica.lacks(first, cx).await {
                Ok(lacks) => lacks,
                Err(_) => unknown_to(replica, first, state),
            };
            holds.add(&replica.name, &lacks, max_hold, cx);
        }
        holds
    }

    /// What is still to be copied after `report`, the result of syncing `replica`.
    pub(crate) fn add_report(
        &mut self,
        replica: &Replica,
        report: &ReplicaReport,
        first: &[SnapshotInfo],
        max_hold: Span,
        state: Option<&StateFolder>,
        cx: &Context,
    ) {
        match &report.lacks {
            Some(lacks) => self.add(&replica.name, lacks, max_hold, cx),
            None => self.add_unreached(replica, first, max_hold, state, cx),
        }
    }

    /// Holds everything of `first` that `state` does not know to have arrived at `replica`, which
    /// could not be asked.
    pub fn add_unreached(
        &mut self,
        replica: &Replica,
        first: &[SnapshotInfo],
        max_hold: Span,
        state: Option<&StateFolder>,
        cx: &Context,
    ) {
        self.add(&replica.name, &unknown_to(replica, first, state), max_hold, cx);
    }
}

/// The snapshots of `first` that are not known to have arrived at `replica`.
fn unknown_to(
    replica: &Replica,
    first: &[SnapshotInfo],
    state: Option<&StateFolder>,
) -> Vec<SnapshotId> {
    let place = replica.repository.sink().to_string();
    let state = state.map(|state| state.job(&place, replica.repository.job()));
    let arrived = state.map(|state| state.arrived()).unwrap_or_default();
    first.iter().map(|s| s.id.clone()).filter(|id| !arrived.contains(id)).collect()
}
