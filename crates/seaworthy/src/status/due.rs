//! When a job should have run.

use seaworthy_core::{Schedule, Span, TimeZone, Timestamp};

/// How long a run may take from its scheduled time until its snapshot exists, in seconds: half an
/// hour, which includes the interval of the timer.
const GRACE: u64 = 30 * 60;
/// How far back a schedule is followed, in hours: five years.
const FARTHEST: u64 = 5 * 366 * 24;

/// The last scheduled time of `schedule` at or before `now`; `None` if there was none in five
/// years.
pub(super) fn last_due(schedule: &Schedule, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    // Schedules only return the next time: look back farther and farther until there is one.
    let mut hours: u64 = 1;
    loop {
        let from = now.minus(Span::hours(u16::try_from(hours).ok()?), &TimeZone::utc());
        let mut last = None;
        let mut next = schedule.next_after(from, zone);
        while let Some(moment) = next.filter(|moment| *moment <= now) {
            last = Some(moment);
            next = schedule.next_after(moment, zone);
        }
        if last.is_some() {
            return last;
        }
        if hours >= FARTHEST {
            return None;
        }
        hours = (hours * 4).min(FARTHEST);
    }
}

/// The time since which a good snapshot should have begun: the last scheduled time of `schedule`
/// that is long enough ago for a run as long as the last one, which took `seconds`.
pub(crate) fn expected_since(
    schedule: &Schedule,
    now: Timestamp,
    seconds: f64,
    zone: &TimeZone,
) -> Option<Timestamp> {
    // The conversion of a float saturates.
    let grace = GRACE.max((seconds * 2.0) as u64).min(24 * 3600);
    let grace = Span::seconds(u32::try_from(grace).unwrap_or(u32::MAX));
    last_due(schedule, now.minus(grace, &TimeZone::utc()), zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(schedule: &str, now: &str) -> Option<String> {
        let zone = TimeZone::named("Europe/Paris").unwrap();
        let schedule = schedule.parse().unwrap();
        last_due(&schedule, now.parse().unwrap(), &zone).map(|moment| moment.to_string())
    }

    #[test]
    fn the_last_moment_is_found_however_far_it_lies_back() {
        let now = "2026-11-22T14:00:30Z";
        for (schedule, expected) in [
            ("* * * * *", "2026-11-22T14:00:00Z"),
            ("30 2 * * *", "2026-11-22T01:30:00Z"),
            ("0 15 * * *", "2026-11-22T14:00:00Z"),
            ("0 0 * * 0", "2026-11-21T23:00:00Z"),
            ("0 0 1 * *", "2026-10-31T23:00:00Z"),
            ("0 0 29 2 *", "2024-02-28T23:00:00Z"),
        ] {
            assert_eq!(last(schedule, now).as_deref(), Some(expected), "{schedule}");
        }
        assert_eq!(last("0 0 30 2 *", now), None);
        // 2:30 did not exist on that night.
        let gap = last("30 2 * * *", "2026-03-29T08:00:00Z");
        assert_eq!(gap.as_deref(), Some("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn a_run_that_is_still_at_work_is_not_overdue() {
        let (zone, schedule) = (TimeZone::utc(), "0 2 * * *".parse().unwrap());
        let since = |now: &str, seconds| {
            let since = expected_since(&schedule, now.parse().unwrap(), seconds, &zone);
            since.map(|since| since.to_string())
        };
        let (yesterday, today) = ("2026-11-21T02:00:00Z", "2026-11-22T02:00:00Z");
        assert_eq!(since("2026-11-22T02:20:00Z", 1.0).as_deref(), Some(yesterday));
        assert_eq!(since("2026-11-22T02:31:00Z", 1.0).as_deref(), Some(today));
        assert_eq!(since("2026-11-22T02:31:00Z", 3600.0).as_deref(), Some(yesterday));
    }
}
