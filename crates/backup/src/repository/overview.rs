//! All snapshots of a job in a sink with details of each, for monitoring.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use seaworthy_core::{Context, Name, Result};
use serde::{Deserialize, Serialize};

use super::{
    Repository,
    examine::{CachedSnapshot, Examined},
};
use crate::{
    format::{CheckKind, CheckRecord, ObjectKey, SnapshotId, SnapshotInfo},
    sinks::BackupSink,
};

/// How many snapshots are examined in parallel.
const SIDE_BY_SIDE: usize = 32;

/// One snapshot, with facts from its manifest and its checks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnapshotSummary {
    /// Its entry in a listing.
    pub info: SnapshotInfo,
    /// The name of the machine that made it; `None` if the manifest does not say.
    pub host_name: Option<String>,
    /// How long the backup took, in seconds.
    pub seconds: f64,
    /// How many files, databases or similar it contains.
    pub files: u64,
    /// How many rows, if rows are counted.
    pub rows: Option<u64>,
    /// Whether it looked suspicious and was accepted.
    pub accepted: bool,
    /// The result of its last drill.
    pub drill: Option<CheckRecord>,
    /// The result of its last verification.
    pub verified: Option<CheckRecord>,
}

/// A cache of what was read about the snapshots of one job in one sink, so that manifests, which
/// never change, are not read each time. An entry is only used while the sink lists the object with
/// the same size and time. Do not use a cache that was made with other trusted keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotCache {
    snapshots: BTreeMap<SnapshotId, CachedSnapshot>,
    #[serde(skip)]
    changed: bool,
}

impl SnapshotCache {
    /// Whether it has changed since it was loaded.
    pub fn is_changed(&self) -> bool {
        self.changed
    }
}

impl Repository {
    /// Every snapshot of the job, newest first, including those of other hosts. What is read is
    /// added to `remembered`, also on failure.
    ///
    /// # Errors
    /// Those of the sink.
    pub async fn overview(
        &self,
        remembered: &mut SnapshotCache,
        cx: &Context,
    ) -> Result<Vec<SnapshotSummary>> {
        let (whole, _) = self.folders(cx).await?;
        let present: BTreeSet<_> = whole.iter().map(|(id, _)| id.clone()).collect();
        let before = remembered.snapshots.len();
        remembered.snapshots.retain(|id, _| present.contains(id));
        remembered.changed |= remembered.snapshots.len() < before;
        let with_known: Vec<_> = whole
            .into_iter()
            .map(|(id, objects)| (remembered.snapshots.get(&id).cloned(), id, objects))
            .collect();
        let mut examined = stream::iter(with_known)
            .map(|(known, id, objects)| self.examine(id, objects, known))
            .buffered(SIDE_BY_SIDE);
        let mut summaries = Vec::with_capacity(present.len());
        while let Some(found) = examined.try_next().await? {
            cx.check("snapshot.overview")?;
            let Some(mut found) = found else { continue };
            if let Some(known) = found.known.take() {
                let id = found.info.id.clone();
                let same = remembered.snapshots.get(&id).is_some_and(|before| *before == known);
                if !same {
                    remembered.snapshots.insert(id, known);
                    remembered.changed = true;
                }
            }
            summaries.push(SnapshotSummary::from(found));
        }
        Ok(summaries)
    }
}

/// The jobs that have snapshots in `sink`, also those of other machines.
///
/// # Errors
/// Those of the sink.
pub async fn jobs_in(sink: &dyn BackupSink, cx: &Context) -> Result<BTreeSet<Name>> {
    let mut jobs = BTreeSet::new();
    let mut objects = sink.list(&ObjectKey::root());
    while let Some(object) = objects.try_next().await? {
        cx.check("snapshot.jobs")?;
        let mut names = object.key.names();
        let (Some(job), Some(id)) = (names.next(), names.next()) else { continue };
        if id.parse::<SnapshotId>().is_ok()
            && let Ok(job) = Name::new(job)
        {
            jobs.insert(job);
        }
    }
    Ok(jobs)
}

impl From<Examined> for SnapshotSummary {
    fn from(found: Examined) -> Self {
        let Examined { info, facts, checks, .. } = found;
        let last = |drill: bool| {
            let wanted = |check: &&CheckRecord| (check.kind == CheckKind::Drill) == drill;
            checks.iter().rev().find(wanted).cloned()
        };
        let (drill, verified) = (last(true), last(false));
        let facts = facts.as_ref();
        Self {
            info,
            host_name: facts.and_then(|facts| facts.host_name.clone()),
            seconds: facts.map_or(0.0, |f| f.finished.since(f.started).as_secs_f64()),
            files: facts.map_or(0, |facts| facts.files),
            rows: facts.and_then(|facts| facts.rows),
            accepted: facts.is_some_and(|facts| facts.accepted),
            drill,
            verified,
        }
    }
}
