//! Snapshots that must stay in the first sink, because a replica still waits for them.

use std::collections::BTreeMap;

use seaworthy_core::{Context, Name, Span, TimeZone};

use crate::format::SnapshotId;

/// The snapshots of a first sink that replicas do not have yet, and which replicas.
///
/// A snapshot is held while it is younger than a limit, so that a replica that never comes back
/// does not fill the first sink.
#[derive(Clone, Debug, Default)]
pub struct Holds(BTreeMap<SnapshotId, Vec<Name>>);

impl Holds {
    /// The replicas that wait for `id`; empty if it may be removed.
    pub fn of(&self, id: &SnapshotId) -> &[Name] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }

    /// Holds what the replica called `replica` does not have, if it is younger than `max_hold`.
    pub fn add(&mut self, replica: &Name, lacks: &[SnapshotId], max_hold: Span, cx: &Context) {
        let limit = cx.now().minus(max_hold, &TimeZone::utc());
        for id in lacks.iter().filter(|id| id.time() > limit) {
            self.0.entry(id.clone()).or_default().push(replica.clone());
        }
    }
}
