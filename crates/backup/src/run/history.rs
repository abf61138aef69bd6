//! The results of earlier runs: what a new snapshot is compared with, and how it is named.

use seaworthy_core::{Context, Result, Span, TimeZone, Timestamp};

use super::suspicion;
use crate::{
    format::{Manifest, SnapshotState, Suspicion},
    repository::Repository,
    retention::latest,
};

/// The results of earlier runs.
pub(crate) struct History {
    /// The summary of the last good snapshot.
    pub(crate) last_good: Option<Manifest>,
    /// When the newest of this host's snapshots began, ignoring those dated in the future.
    newest: Option<Timestamp>,
    /// The suspicions of the newest two snapshots, if both are suspect.
    last_two: Option<[Vec<Suspicion>; 2]>,
}

impl History {
    pub(crate) async fn read(repository: &Repository, cx: &Context) -> Result<Self> {
        let survey = repository.survey(cx).await?;
        let mut newest = survey.backups_of(repository.host());
        let suspect = |state: &SnapshotState| match state {
            SnapshotState::Suspect { suspicions } => Some(suspicions.clone()),
            _ => None,
        };
        let mut next = || newest.next().and_then(|info| suspect(&info.state));
        let last_two = next().zip(next()).map(|(a, b)| [a, b]);
        let soon = cx.now().plus(Span::hours(1), &TimeZone::utc());
        let ours = survey.snapshots.iter().filter(|s| s.host.as_ref() == Some(repository.host()));
        let newest = ours.map(|s| s.time()).filter(|time| *time <= soon).max();
        let last_good = latest(&survey.snapshots, repository.host(), cx.now());
        let last_good = match last_good {
            Some(info) => Some(repository.open(&info.id).await?.manifest().clone()),
            None => None,
        };
        Ok(Self { last_good, newest, last_two })
    }

    /// The time in the id of a new snapshot: later than that of every earlier one, also if two
    /// begin in the same second or the clock was set back, so that the last one made is the newest.
    pub(crate) fn next_moment(&self, now: Timestamp) -> Timestamp {
        let second = Span::seconds(1);
        let after = self.newest.map(|newest| newest.plus(second, &TimeZone::utc()));
        after.map_or(now, |after| after.max(now))
    }

    /// Whether a run that ends with `suspicions` is the third in a row of its kind.
    pub(crate) fn third_alike(&self, suspicions: &[Suspicion]) -> bool {
        let last_two = self.last_two.as_ref();
        last_two.is_some_and(|two| two.iter().all(|one| suspicion::alike(one, suspicions)))
    }
}
