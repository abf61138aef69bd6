//! What may not leave the first sink yet, because a replica still waits for it.

use std::collections::BTreeMap;

use seaworthy_core::{Context, Name, Span, TimeZone};

use super::{Replica, ReplicaReport};
use crate::{
    StateFolder,
    snapshot::{SnapshotId, SnapshotInfo},
};

/// The snapshots of a first sink that replicas still lack, and which ones.
///
/// A snapshot is held while it is younger than a limit, so that a replica that is gone for good
/// does not fill the first sink.
#[derive(Clone, Debug, Default)]
pub struct Holds(BTreeMap<SnapshotId, Vec<Name>>);

impl Holds {
    /// The replicas that wait for `id`; none lets it go.
    pub fn of(&self, id: &SnapshotId) -> &[Name] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }

    /// Asks each of `replicas` what it lacks of the snapshots `first`. One that cannot be reached
    /// is taken to lack everything that `state` does not know to have arrived.
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

    /// What `report`, that of bringing `replica` up to date, leaves to wait for.
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

    /// Holds what `replica` could not be asked about: everything of `first` that `state` does not
    /// know to have arrived there.
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

    /// Holds what the replica called `replica` lacks, as far as it is younger than `max_hold`.
    pub fn add(&mut self, replica: &Name, lacks: &[SnapshotId], max_hold: Span, cx: &Context) {
        let limit = cx.now().minus(max_hold, &TimeZone::utc());
        for id in lacks.iter().filter(|id| id.time() > limit) {
            self.0.entry(id.clone()).or_default().push(replica.clone());
        }
    }
}

/// The snapshots of `first` of which nothing says that they arrived at `replica`.
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
