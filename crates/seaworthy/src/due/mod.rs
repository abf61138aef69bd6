//! What is due. Pure: no clock, no disk, no network.
//!
//! A scheduled task is due if a scheduled time is between its last run and now: however long the
//! machine was off, it runs once. A failed run waits for its next scheduled time; an interrupted
//! one is started again.

mod memory;

use std::time::Duration;

use seaworthy_core::{Schedule, TimeZone, Timestamp};
use serde::Serialize;

pub(crate) use memory::{Memory, Ran};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// How far ahead of the clock a time may be and still count as past: clocks are set back.
const AHEAD: u64 = HOUR;
/// How often a run that is always interrupted is immediately started again.
const CUT_OFF_MOST: u32 = 3;

/// Why something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// It never ran.
    Never,
    /// Its scheduled time has come.
    Scheduled {
        /// The scheduled time.
        at: Timestamp,
    },
    /// The last run was interrupted.
    CutOff {
        /// When that began.
        began: Timestamp,
    },
    /// The last attempt failed a while ago.
    Failed,
    /// It is checked once a day.
    Daily,
    /// There was a good backup since the last time.
    NewBackup,
    /// According to the rules for certificates.
    Certificate {
        /// What is due about it.
        action: seaworthy_tls::Action,
    },
}

/// When something should be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Now(Reason),
    At(Timestamp),
    Never,
}

/// When a scheduled task should run. `newest` is when its result was last made by anybody.
pub(crate) fn by_schedule(
    now: Timestamp,
    schedule: &Schedule,
    zone: &TimeZone,
    ran: &Ran,
    newest: Option<Timestamp>,
) -> When {
    let happened = |moment: &Timestamp| moment.since(now).as_secs() <= AHEAD;
    let (began, newest) = (ran.began.filter(happened), newest.filter(happened));
    let Some(last) = began.max(newest) else { return When::Now(Reason::Never) };
    if began == Some(last) && ran.is_cut_off() && ran.cut_off < CUT_OFF_MOST {
        return When::Now(Reason::CutOff { began: last });
    }
    match schedule.next_after(last, zone) {
        Some(at) if at <= now => When::Now(Reason::Scheduled { at }),
        Some(at) => When::At(at),
        None => When::Never,
    }
}

/// When copies should be checked: once a day, and after failures in 5, 30 and 120 minutes.
pub(crate) fn copies(now: Timestamp, ran: &Ran) -> When {
    let Some(began) = ran.began.filter(|began| *began <= now) else {
        return When::Now(Reason::Never);
    };
    let (pause, reason) = match ran.failures {
        0 if ran.is_cut_off() => (0, Reason::CutOff { began }),
        0 => (DAY, Reason::Daily),
        1 => (5 * MINUTE, Reason::Failed),
        2 => (30 * MINUTE, Reason::Failed),
        _ => (2 * HOUR, Reason::Failed),
    };
    after(now, began, pause, reason)
}

/// When an append-only sink should be pruned: after a good backup, at most once a day.
pub(crate) fn prune(now: Timestamp, backup: &Ran, ran: &Ran) -> When {
    let Some(backup) = backup.well else { return When::Never };
    match ran.began.filter(|began| *began <= now) {
        None => When::Now(Reason::NewBackup),
        Some(began) if ran.well.is_some_and(|well| well >= backup) && began >= backup => {
            When::Never
        }
        Some(began) => after(now, began, DAY, Reason::NewBackup),
    }
}

fn after(now: Timestamp, began: Timestamp, seconds: u64, reason: Reason) -> When {
    if now.since(began) >= Duration::from_secs(seconds) {
        return When::Now(reason);
    }
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    When::At(Timestamp::from_unix(began.as_unix().saturating_add(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn ran(began: &str, ended: Option<&str>) -> Ran {
        let mut ran = Ran::default();
        ran.begin(at(began));
        if let Some(ended) = ended {
            ran.end(at(ended), true);
        }
        ran
    }

    fn nightly(now: &str, ran: &Ran, newest: Option<&str>) -> When {
        let schedule = "30 2 * * *".parse().unwrap();
        by_schedule(at(now), &schedule, &TimeZone::utc(), ran, newest.map(at))
    }

    const NIGHT: &str = "2026-11-22T02:30:00Z";
    const NEXT: &str = "2026-11-23T02:30:00Z";

    #[test]
    fn a_night_is_done_once() {
        let scheduled = |text| When::Now(Reason::Scheduled { at: at(text) });
        let last = ran("2026-11-21T02:31:00Z", Some("2026-11-21T02:40:00Z"));
        assert_eq!(nightly("2026-11-22T02:29:59Z", &last, None), When::At(at(NIGHT)));
        assert_eq!(nightly(NIGHT, &last, None), scheduled(NIGHT));
        let now = ran(NIGHT, Some("2026-11-22T02:40:00Z"));
        assert_eq!(nightly("2026-11-22T02:41:00Z", &now, None), When::At(at(NEXT)));
        // Off for three weeks: one run.
        assert_eq!(nightly("2026-12-13T09:00:00Z", &last, None), scheduled(NIGHT));
        let made_up = ran("2026-12-13T09:00:00Z", Some("2026-12-13T09:10:00Z"));
        let next = When::At(at("2026-12-14T02:30:00Z"));
        assert_eq!(nightly("2026-12-13T09:11:00Z", &made_up, None), next);
    }

    #[test]
    fn a_backup_by_hand_counts() {
        let last = ran("2026-11-21T02:30:00Z", Some("2026-11-21T02:40:00Z"));
        let by_hand = Some("2026-11-22T02:35:00Z");
        assert_eq!(nightly("2026-11-22T03:00:00Z", &last, by_hand), When::At(at(NEXT)));
        assert_eq!(nightly("2026-11-22T03:00:00Z", &Ran::default(), by_hand), When::At(at(NEXT)));
        let never = nightly(NIGHT, &Ran::default(), None);
        assert_eq!(never, When::Now(Reason::Never));
    }

    #[test]
    fn a_failure_waits_and_what_was_cut_off_is_begun_again_three_times() {
        let mut failed = ran(NIGHT, None);
        failed.end(at("2026-11-22T02:35:00Z"), false);
        assert_eq!(nightly("2026-11-22T03:00:00Z", &failed, None), When::At(at(NEXT)));
        let mut cut_off = ran(NIGHT, None);
        for minute in 31..=33 {
            let again = nightly("2026-11-22T03:00:00Z", &cut_off, None);
            assert!(matches!(again, When::Now(Reason::CutOff { .. })), "{minute}: {again:?}");
            cut_off.begin(at(&format!("2026-11-22T02:{minute}:00Z")));
        }
        assert_eq!(nightly("2026-11-22T03:00:00Z", &cut_off, None), When::At(at(NEXT)));
        // One was made by hand since then.
        let cut_off = ran(NIGHT, None);
        let by_hand = Some("2026-11-22T02:50:00Z");
        assert_eq!(nightly("2026-11-22T03:00:00Z", &cut_off, by_hand), When::At(at(NEXT)));
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let ahead = ran("2027-11-22T02:30:00Z", Some("2027-11-22T02:40:00Z"));
        assert_eq!(nightly("2026-11-22T03:00:00Z", &ahead, None), When::Now(Reason::Never));
        assert_eq!(copies(at(NIGHT), &ahead), When::Now(Reason::Never));
    }

    #[test]
    fn copies_are_tried_again_ever_later() {
        let mut ran = Ran::default();
        let begin = at(NIGHT);
        for (failures, minutes) in [(1, 5), (2, 30), (3, 120), (4, 120)] {
            ran.begin(begin);
            ran.end(begin, false);
            assert_eq!(ran.failures, failures);
            let due = Timestamp::from_unix(begin.as_unix() + minutes * 60);
            assert_eq!(copies(begin, &ran), When::At(due));
            assert_eq!(copies(due, &ran), When::Now(Reason::Failed));
        }
        ran.begin(begin);
        ran.end(begin, true);
        assert_eq!(copies(at("2026-11-23T02:29:00Z"), &ran), When::At(at(NEXT)));
    }

    #[test]
    fn pruning_follows_good_backups_once_a_day() {
        let backup = ran(NIGHT, Some("2026-11-22T02:40:00Z"));
        let now = at("2026-11-22T02:41:00Z");
        assert_eq!(prune(now, &Ran::default(), &Ran::default()), When::Never);
        assert_eq!(prune(now, &backup, &Ran::default()), When::Now(Reason::NewBackup));
        let pruned = ran("2026-11-22T02:41:00Z", Some("2026-11-22T02:42:00Z"));
        assert_eq!(prune(at("2026-11-24T00:00:00Z"), &backup, &pruned), When::Never);
        let hour_later = ran("2026-11-22T03:30:00Z", Some("2026-11-22T03:31:00Z"));
        let tomorrow = at("2026-11-23T02:41:00Z");
        assert_eq!(prune(at("2026-11-22T03:32:00Z"), &hour_later, &pruned), When::At(tomorrow));
        assert_eq!(prune(tomorrow, &hour_later, &pruned), When::Now(Reason::NewBackup));
    }

    proptest! {
        /// If every scheduled time is followed by a check, there is exactly one run for each
        /// interval between scheduled times with a check.
        #[test]
        fn every_moment_is_made_up_for_once(mut looks in prop::collection::vec(0_i64..20 * 86_400, 1..60)) {
            looks.sort_unstable();
            let begin = at("2026-11-22T00:00:00Z");
            let mut memory = ran("2026-11-22T00:00:00Z", Some("2026-11-22T00:00:00Z"));
            let mut nights = std::collections::BTreeSet::new();
            let mut runs = 0;
            for look in looks {
                let now = Timestamp::from_unix(begin.as_unix() + look);
                // The number of the last 2:30 before this look.
                let night = (look - 9_000).div_euclid(86_400);
                if night >= 0 {
                    nights.insert(night);
                }
                if let When::Now(_) = nightly(&now.to_string(), &memory, None) {
                    memory.begin(now);
                    memory.end(now, true);
                    runs += 1;
                }
                prop_assert_eq!(runs, nights.len());
            }
        }
    }
}
