//! Which snapshots a policy must not remove, and which it is not asked about.

use seaworthy_core::{Span, TimeZone, Timestamp};

use super::{Decision, Reason, RetentionPlan, RetentionPolicy};
use crate::format::{HostId, SnapshotInfo, SnapshotKind, SnapshotState};

/// How far a snapshot may be ahead of the clock, in hours, and still count.
const FUTURE_HOURS: u16 = 1;

/// How long a safety snapshot is kept, in days of 24 hours.
const SAFETY_DAYS: u16 = 14;

/// Decides on every snapshot of a job in one sink, for `host`, at `now`.
///
/// The policy gets the good backups of `host` that are not dated in the future, newest first,
/// including pinned ones. Whatever it decides, these are kept:
///
/// - the newest of them, and any that it does not mention
/// - pinned snapshots
/// - snapshots dated more than an hour after `now`
/// - damaged and untrusted ones and those of a newer format
/// - snapshots of another or an unknown host
///
/// Two kinds are removed without asking the policy. Safety snapshots are removed when the newest
/// good backup, or `now` if that is earlier, is more than 14 days later. Suspect ones are removed
/// when they are older than every good backup that is kept. Without a good backup, or without a
/// policy, nothing is removed.
pub fn decide(
    policy: Option<&dyn RetentionPolicy>,
    snapshots: &[SnapshotInfo],
    host: &HostId,
    now: Timestamp,
) -> RetentionPlan {
    let mut counted: Vec<_> = counted(snapshots, host, now).cloned().collect();
    counted.sort_by(|a, b| b.id.cmp(&a.id));
    counted.dedup_by(|a, b| a.id == b.id);
    let verdict = policy.map(|policy| policy.plan(&counted, now));
    let newest = counted.first();

    let good: Vec<_> = counted
        .iter()
        .map(|snapshot| {
            let mut reasons = Vec::new();
            if newest.is_some_and(|newest| newest.id == snapshot.id) {
                reasons.push(Reason::NewestGood);
            }
            if snapshot.pinned {
                reasons.push(Reason::Pinned);
            }
            match verdict.as_ref().map(|verdict| verdict.get(&snapshot.id)) {
                None => reasons.push(Reason::NoPolicy),
                Some(None) => reasons.push(Reason::Unmentioned),
                Some(Some(said)) if said.keep => reasons.extend_from_slice(&said.reasons),
                Some(Some(said)) if reasons.is_empty() => return said.clone(),
                Some(Some(_)) => {}
            }
            Decision::keep(snapshot.id.clone(), reasons)
        })
        .collect();

    let others = Others {
        removes: policy.is_some(),
        host,
        now,
        base: newest.map(|newest| newest.time().min(now)),
        oldest_kept: good.iter().filter(|good| good.keep).map(|good| good.id.time()).min(),
    };
    let rest = snapshots
        .iter()
        .filter(|snapshot| !is_counted(snapshot, host, now))
        .map(|snapshot| others.decide(snapshot));
    RetentionPlan::new(rest.chain(good.iter().cloned()))
}

/// The newest good backup that `host` made and that is not dated in the future.
pub fn latest<'a>(
    snapshots: &'a [SnapshotInfo],
    host: &HostId,
    now: Timestamp,
) -> Option<&'a SnapshotInfo> {
    counted(snapshots, host, now).max_by(|a, b| a.id.cmp(&b.id))
}

fn counted<'a>(
    snapshots: &'a [SnapshotInfo],
    host: &HostId,
    now: Timestamp,
) -> impl Iterator<Item = &'a SnapshotInfo> {
    snapshots.iter().filter(move |snapshot| is_counted(snapshot, host, now))
}

fn is_counted(snapshot: &SnapshotInfo, host: &HostId, now: Timestamp) -> bool {
    snapshot.is_good()
        && snapshot.kind == SnapshotKind::Backup
        && snapshot.host.as_ref() == Some(host)
        && !is_future(snapshot, now)
}

fn is_future(snapshot: &SnapshotInfo, now: Timestamp) -> bool {
    snapshot.time() > now.plus(Span::hours(FUTURE_HOURS), &TimeZone::utc())
}

/// The criteria for snapshots that the policy does not see.
struct Others<'a> {
    removes: bool,
    host: &'a HostId,
    now: Timestamp,
    /// The time from which ages are counted; `None` without a good backup.
    base: Option<Timestamp>,
    /// When the oldest good backup that is kept began.
    oldest_kept: Option<Timestamp>,
}

impl Others<'_> {
    fn decide(&self, snapshot: &SnapshotInfo) -> Decision {
        let id = snapshot.id.clone();
        let mut reasons = self.untouchable(snapshot);
        if !reasons.is_empty() {
            return Decision::keep(id, reasons);
        }
        let (keep, reason) = if snapshot.kind == SnapshotKind::Safety {
            let over = self.base.is_some_and(|base| {
                snapshot.time() < base.minus(Span::days(SAFETY_DAYS), &TimeZone::utc())
            });
            if over { (false, Reason::SafetyOver) } else { (true, Reason::Safety) }
        } else {
            match self.oldest_kept {
                None => (true, Reason::SuspectAlone),
                Some(oldest) if snapshot.time() < oldest => (false, Reason::SuspectOver),
                Some(_) => (true, Reason::Suspect),
            }
        };
        if keep {
            reasons.push(reason);
        } else if self.removes {
            return Decision::remove(id, reason);
        } else {
            reasons.push(Reason::NoPolicy);
        }
        Decision::keep(id, reasons)
    }

    /// All reasons not to remove `snapshot`, whatever its age.
    fn untouchable(&self, snapshot: &SnapshotInfo) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if snapshot.pinned {
            reasons.push(Reason::Pinned);
        }
        if is_future(snapshot, self.now) {
            reasons.push(Reason::Future { time: snapshot.time() });
        }
        match &snapshot.state {
            SnapshotState::Good | SnapshotState::Suspect { .. } => {}
            SnapshotState::Damaged { why } => reasons.push(Reason::Damaged { why: why.clone() }),
            SnapshotState::Untrusted { why } => {
                reasons.push(Reason::Untrusted { why: why.clone() });
            }
            SnapshotState::NewerFormat { why } => {
                reasons.push(Reason::NewerFormat { why: why.clone() });
            }
        }
        match &snapshot.host {
            Some(host) if host == self.host => {}
            Some(host) => reasons.push(Reason::OtherHost { host: host.clone() }),
            None => reasons.push(Reason::UnknownHost),
        }
        reasons
    }
}
