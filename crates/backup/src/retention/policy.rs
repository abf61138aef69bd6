//! The policy that follows the rules of `keep`.

use std::collections::{BTreeMap, HashSet};

use seaworthy_core::{Result, TimeZone, Timestamp};

use super::{Decision, Keep, Reason, RetentionPlan, RetentionPolicy};
use crate::format::{SnapshotId, SnapshotInfo};

/// Keeps what any rule of a [`Keep`] keeps, by the calendar of a time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepPolicy {
    keep: Keep,
    time_zone: TimeZone,
}

impl KeepPolicy {
    /// The policy with the rules of `keep`.
    ///
    /// # Errors
    /// Rules that would keep nothing; see [`Keep::check`].
    pub fn new(keep: Keep, time_zone: TimeZone) -> Result<Self> {
        keep.check()?;
        Ok(Self { keep, time_zone })
    }

    /// Its rules.
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    /// The time zone whose calendar it follows.
    pub fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// Whether any rule counts snapshots; see [`Keep::counts`].
    pub fn counts(&self) -> bool {
        self.keep.counts()
    }
}

impl RetentionPolicy for KeepPolicy {
    fn plan(&self, snapshots: &[SnapshotInfo], now: Timestamp) -> RetentionPlan {
        let mut reasons: BTreeMap<&SnapshotId, Vec<Reason>> =
            snapshots.iter().map(|snapshot| (&snapshot.id, Vec::new())).collect();

        if let Some(of) = self.keep.last {
            for (nth, (_, reasons)) in (1..=of).zip(reasons.iter_mut().rev()) {
                reasons.push(Reason::Last { nth, of });
            }
        }
        for (every, of) in self.keep.periods() {
            let Some(of) = of else { continue };
            let mut seen = HashSet::new();
            let mut nth = 0;
            for (id, reasons) in reasons.iter_mut().rev() {
                // A set, not a comparison with the last one: if clocks go back over midnight, a day
                // occurs twice.
                let period = every.of(&id.time().civil(&self.time_zone));
                if nth < of && seen.insert(period.clone()) {
                    nth += 1;
                    reasons.push(Reason::Period { every, nth, of, period });
                }
            }
        }
        let newest = reasons.keys().next_back().map(|id| id.time());
        if let (Some(within), Some(newest)) = (self.keep.within, newest) {
            let since = now.min(newest).minus(within, &self.time_zone);
            for (_, reasons) in reasons.iter_mut().filter(|(id, _)| id.time() >= since) {
                reasons.push(Reason::Within { within, since });
            }
        }

        RetentionPlan::new(reasons.into_iter().map(|(id, reasons)| {
            if reasons.is_empty() {
                Decision::remove(id.clone(), Reason::NoRule)
            } else {
                Decision::keep(id.clone(), reasons)
            }
        }))
    }
}
