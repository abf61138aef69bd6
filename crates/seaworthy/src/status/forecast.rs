//! Forecast of the space that the snapshots of a job need in a sink, including retention. Pure.

use seaworthy_backup::{
    RetentionPolicy, SnapshotId, SnapshotInfo,
    format::{HostId, SnapshotKind},
    retention::decide,
};
use seaworthy_core::{Schedule, Span, TimeZone, Timestamp};

/// The days from now for which it is computed.
pub(super) const DAYS: [u16; 11] = [1, 2, 3, 5, 7, 10, 14, 21, 30, 60, 90];
/// The largest number of future runs that are considered.
const MOST_RUNS: usize = 3_000;
/// How many of the last backups are used to estimate the size of a backup, and its growth.
const SAMPLE: usize = 10;

/// The additional space (negative if less) compared with now, in bytes, for the first of [`DAYS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Forecast(pub(super) Vec<i64>);

/// Adds backups to `snapshots` (newest first) according to `schedule`, or, without one, at the
/// interval of the last ones, and removes what `policy` removes. `None` if no forecast is possible.
pub(super) fn forecast(
    snapshots: &[SnapshotInfo],
    policy: Option<&dyn RetentionPolicy>,
    schedule: Option<&Schedule>,
    host: &HostId,
    now: Timestamp,
    zone: &TimeZone,
) -> Option<Forecast> {
    let is_ours = |s: &&SnapshotInfo| s.host.as_ref() == Some(host);
    let mut held: Vec<_> = snapshots.iter().filter(is_ours).cloned().collect();
    let size = |held: &[SnapshotInfo]| held.iter().map(|s| s.stored).sum::<u64>();
    let before = size(&held);
    let last: Vec<_> = held
        .iter()
        .filter(|s| s.is_good() && s.kind == SnapshotKind::Backup && s.time() <= now)
        .take(SAMPLE)
        .map(|s| (s.time(), s.stored))
        .collect();
    let (newest, stored) = *last.first()?;
    let (oldest, stored_then) = *last.last()?;
    let steps = last.len() as u64 - 1;
    let grows = stored.saturating_sub(stored_then).checked_div(steps).unwrap_or(0);
    let gap = newest.since(oldest).as_secs().checked_div(steps);
    let gap = match (schedule, gap) {
        (None, None | Some(0)) => return None,
        (_, gap) => u32::try_from(gap.unwrap_or(0)).unwrap_or(u32::MAX),
    };
    let next = |after: Timestamp| match schedule {
        Some(schedule) => schedule.next_after(after, zone),
        None => Some(after.plus(Span::seconds(gap), &TimeZone::utc())),
    };
    let (mut runs, mut changes) = (0, Vec::new());
    let mut coming = next(if schedule.is_some() { now } else { newest.max(now) });
    for day in DAYS {
        let end = now.plus(Span::days(day), &TimeZone::utc());
        while let Some(moment) = coming.filter(|moment| *moment <= end) {
            if runs == MOST_RUNS {
                return Some(Forecast(changes));
            }
            runs += 1;
            let mut added = SnapshotInfo::new(SnapshotId::from_parts(moment, [0; 3]), host.clone());
            added.stored = stored.saturating_add(grows.saturating_mul(runs as u64));
            held.push(added);
            coming = next(moment);
        }
        let plan = decide(policy, &held, host, end);
        held.retain(|s| plan.get(&s.id).is_none_or(|decision| decision.keep));
        let change = i128::from(size(&held)) - i128::from(before);
        changes.push(i64::try_from(change).unwrap_or(i64::MAX));
    }
    Some(Forecast(changes))
}

/// In how many days more than `free` bytes are needed, if the forecast reaches that far.
pub(super) fn full_in(changes: &[i64], free: u64) -> Option<u64> {
    let free = i64::try_from(free).unwrap_or(i64::MAX);
    let (mut day_before, mut change_before) = (0.0, 0.0);
    for (day, change) in DAYS.iter().zip(changes) {
        let (day, now) = (f64::from(*day), *change as f64);
        if *change > free {
            // Between two computed days the growth is linear.
            let part = (free as f64 - change_before) / (now - change_before);
            return Some((day_before + part.max(0.0) * (day - day_before)) as u64);
        }
        (day_before, change_before) = (day, now);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_backup::{Keep, KeepPolicy};

    const NOW: i64 = 1_795_000_000;

    fn snapshots(sizes: &[u64]) -> Vec<SnapshotInfo> {
        let one = |(i, size): (usize, &u64)| {
            let time = Timestamp::from_unix(NOW - 86_400 * i as i64);
            let id = SnapshotId::from_parts(time, [0; 3]);
            let mut info = SnapshotInfo::new(id, HostId::from_machine_id("here"));
            info.stored = *size;
            info
        };
        sizes.iter().enumerate().map(one).collect()
    }

    fn told(sizes: &[u64], keep: Option<Keep>, schedule: Option<&str>) -> Option<Vec<i64>> {
        let policy = keep.map(|keep| KeepPolicy::new(keep, TimeZone::utc()).unwrap());
        let policy = policy.as_ref().map(|policy| policy as &dyn RetentionPolicy);
        let schedule = schedule.map(|schedule| schedule.parse().unwrap());
        let (host, now) = (HostId::from_machine_id("here"), Timestamp::from_unix(NOW));
        let all = snapshots(sizes);
        let zone = TimeZone::utc();
        forecast(&all, policy, schedule.as_ref(), &host, now, &zone).map(|told| told.0)
    }

    #[test]
    fn without_a_policy_everything_stays() {
        let told = told(&[100, 100], None, Some("0 0 * * *")).unwrap();
        assert_eq!((told[0], told[4], told[8], told.len()), (100, 700, 3_000, DAYS.len()));
    }

    #[test]
    fn what_a_policy_removes_makes_room() {
        let keep = Keep::new().daily(7);
        let told = told(&[100, 100], Some(keep), Some("0 0 * * *")).unwrap();
        assert_eq!((told[0], told[8], told[10]), (100, 500, 500));
    }

    #[test]
    fn growing_backups_go_on_growing() {
        // 10 more each day: 110 + 120.
        assert_eq!(told(&[100, 90, 80], None, Some("0 0 * * *")).unwrap()[1], 230);
        assert_eq!(told(&[80, 90, 100], None, Some("0 0 * * *")).unwrap()[1], 160);
    }

    #[test]
    fn without_a_schedule_habit_tells() {
        assert_eq!(told(&[100, 100, 100], None, None).unwrap()[4], 700);
        assert_eq!(told(&[100], None, None), None);
        assert_eq!(told(&[], None, Some("0 0 * * *")), None);
    }

    #[test]
    fn so_many_runs_are_not_all_looked_at() {
        assert_eq!(told(&[1, 1], None, Some("* * * * *")).unwrap().len(), 2);
    }

    #[test]
    fn the_day_is_found_between_the_days() {
        assert_eq!(full_in(&[10, 20, 30, 50, 70], 60), Some(6));
        assert_eq!(full_in(&[10, 20, 30, 50, 70], 70), None);
        assert_eq!(full_in(&[10], 0), Some(0));
        assert_eq!(full_in(&[-10, -5], 1), None);
    }
}
