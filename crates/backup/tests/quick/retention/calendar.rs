//! Rules by the calendar: the policies in use, and the days on which clocks change.

use super::*;

/// Good backups at these moments.
fn at(times: &[&str]) -> Vec<SnapshotInfo> {
    times.iter().map(|text| good(time(text))).collect()
}

/// A backup every night at 2:30 UTC, `count` of them, the newest on 22 November 2026.
fn nightly(count: i64) -> Vec<SnapshotInfo> {
    let newest = time("2026-11-22T02:30:00Z");
    (0..count).map(|night| good(plus(newest, -night * DAY))).collect()
}

#[test]
fn the_database_is_kept_for_30_days_and_uploads_for_60() {
    let snapshots = nightly(100);
    let now = time("2026-11-22T02:31:00Z");
    for (within, nights) in [("30d", 31), ("60d", 61)] {
        let policy = policy(Keep::new().within(within.parse().unwrap()), "UTC");
        let plan = plan(&policy, &snapshots, now);
        assert_eq!(plan.kept().count(), nights, "{within}");
        assert_eq!(words(&plan)[nights - 1], format!("keep  within {within}"));
        assert_eq!(words(&plan)[nights], "remove  no rule keeps it");
    }
}

#[test]
fn the_weekly_copy_replaces_the_one_before() {
    let snapshots = at(&["2026-11-15T04:00:00Z", "2026-11-22T04:00:00Z"]);
    let plan = plan(&policy(Keep::new().last(1), "UTC"), &snapshots, snapshots[1].time());
    assert_eq!(
        words(&plan),
        ["keep  newest good snapshot, last 1 of 1", "remove  no rule keeps it"]
    );
}

#[test]
fn within_counts_from_the_newest_snapshot_when_backups_stopped() {
    let snapshots = nightly(40);
    let policy = policy(Keep::new().within("30d".parse().unwrap()), "UTC");
    let today = plan(&policy, &snapshots, time("2026-11-22T03:00:00Z"));
    let a_year_on = plan(&policy, &snapshots, time("2027-11-22T03:00:00Z"));
    assert_eq!(today.kept().count(), 31);
    assert_eq!(a_year_on, today);
}

#[test]
fn within_counts_from_now_when_the_newest_is_ahead() {
    let now = time("2026-11-22T02:00:00Z");
    let snapshots = at(&["2026-11-22T02:30:00Z", "2026-11-21T02:10:00Z", "2026-11-21T01:50:00Z"]);
    let plan = plan(&policy(Keep::new().within("1d".parse().unwrap()), "UTC"), &snapshots, now);
    assert_eq!(kept(&plan), ["2026-11-22T02:30:00Z", "2026-11-21T02:10:00Z"]);
}

#[test]
fn rules_add_up_and_each_says_its_part() {
    let snapshots = nightly(40);
    let keep = Keep::new().daily(3).weekly(2).monthly(2).yearly(1);
    let plan = plan(&policy(keep, "Europe/Paris"), &snapshots, snapshots[0].time());
    let kept: Vec<_> = words(&plan).into_iter().filter(|word| word.starts_with("keep")).collect();
    assert_eq!(
        kept,
        [
            "keep  newest good snapshot, daily 1 of 3 (2026-11-22), weekly 1 of 2 (2026-W47), \
             monthly 1 of 2 (2026-11), yearly 1 of 1 (2026)",
            "keep  daily 2 of 3 (2026-11-21)",
            "keep  daily 3 of 3 (2026-11-20)",
            "keep  weekly 2 of 2 (2026-W46)",
            "keep  monthly 2 of 2 (2026-10)",
        ]
    );
}

#[test]
fn a_day_is_a_day_of_the_time_zone() {
    // 23:30 and 0:30 in Paris: one day in UTC, two there.
    let snapshots = at(&["2026-11-20T22:30:00Z", "2026-11-20T23:30:00Z"]);
    let now = time("2026-11-21T00:00:00Z");
    let paris = plan(&policy(Keep::new().daily(7), "Europe/Paris"), &snapshots, now);
    assert_eq!(paris.kept().count(), 2);
    let utc = plan(&policy(Keep::new().daily(7), "UTC"), &snapshots, now);
    assert_eq!(kept(&utc), ["2026-11-20T23:30:00Z"]);
}

#[test]
fn a_day_of_23_hours_and_one_of_25_are_one_day_each() {
    let daily = policy(Keep::new().daily(9), "Europe/Paris");
    // 29 March 2026 begins at 23:00Z and ends at 22:00Z.
    let spring = at(&[
        "2026-03-28T22:59:59Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00:00Z",
    ]);
    let plan_spring = plan(&daily, &spring, time("2026-03-30T00:00:00Z"));
    assert_eq!(
        kept(&plan_spring),
        ["2026-03-29T22:00:00Z", "2026-03-29T21:59:59Z", "2026-03-28T22:59:59Z"]
    );
    // 25 October 2026 begins at 22:00Z and ends at 23:00Z.
    let autumn = at(&[
        "2026-10-24T21:59:59Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T22:59:59Z",
        "2026-10-25T23:00:00Z",
    ]);
    let plan_autumn = plan(&daily, &autumn, time("2026-10-26T00:00:00Z"));
    assert_eq!(
        kept(&plan_autumn),
        ["2026-10-25T23:00:00Z", "2026-10-25T22:59:59Z", "2026-10-24T21:59:59Z"]
    );
}

#[test]
fn the_two_hours_of_a_fold_are_two() {
    // 2:10 and 2:50 in summer time, then both again in winter time.
    let snapshots = at(&[
        "2026-10-25T00:10:00Z",
        "2026-10-25T00:50:00Z",
        "2026-10-25T01:10:00Z",
        "2026-10-25T01:50:00Z",
    ]);
    let hourly = policy(Keep::new().hourly(24), "Europe/Paris");
    let plan = plan(&hourly, &snapshots, time("2026-10-25T02:00:00Z"));
    assert_eq!(
        words(&plan),
        [
            "keep  newest good snapshot, hourly 1 of 24 (2026-10-25 02:00+01:00)",
            "remove  no rule keeps it",
            "keep  hourly 2 of 24 (2026-10-25 02:00+02:00)",
            "remove  no rule keeps it",
        ]
    );
}

#[test]
fn within_follows_the_wall_clock_over_a_change() {
    let day = policy(Keep::new().within("1d".parse().unwrap()), "Europe/Paris");
    // From noon to noon over the change: 23 hours in spring, 25 in autumn.
    for (newest, inside, outside) in [
        ("2026-03-29T10:00:00Z", "2026-03-28T11:00:00Z", "2026-03-28T10:59:59Z"),
        ("2026-10-25T11:00:00Z", "2026-10-24T10:00:00Z", "2026-10-24T09:59:59Z"),
    ] {
        let plan = plan(&day, &at(&[outside, inside, newest]), time(newest));
        assert_eq!(kept(&plan), [newest, inside]);
    }
}

#[test]
fn weeks_are_those_of_iso_8601_at_the_edge_of_a_year() {
    // 28 December 2026 to 3 January 2027 is 2026-W53, over two years and two months.
    let snapshots = at(&[
        "2026-12-27T12:00:00Z",
        "2026-12-28T12:00:00Z",
        "2027-01-03T12:00:00Z",
        "2027-01-04T12:00:00Z",
    ]);
    let now = time("2027-01-04T13:00:00Z");
    let weekly = plan(&policy(Keep::new().weekly(9), "UTC"), &snapshots, now);
    assert_eq!(
        words(&weekly),
        [
            "keep  newest good snapshot, weekly 1 of 9 (2027-W01)",
            "keep  weekly 2 of 9 (2026-W53)",
            "remove  no rule keeps it",
            "keep  weekly 3 of 9 (2026-W52)",
        ]
    );
    let yearly = plan(&policy(Keep::new().yearly(9), "UTC"), &snapshots, now);
    assert_eq!(kept(&yearly), ["2027-01-04T12:00:00Z", "2026-12-28T12:00:00Z"]);
}

#[test]
fn the_year_ends_at_midnight_of_the_time_zone() {
    let snapshots = at(&["2026-12-31T22:59:59Z", "2026-12-31T23:00:00Z"]);
    let yearly = policy(Keep::new().yearly(2), "Europe/Paris");
    let plan = plan(&yearly, &snapshots, snapshots[1].time());
    assert_eq!(
        words(&plan),
        ["keep  newest good snapshot, yearly 1 of 2 (2027)", "keep  yearly 2 of 2 (2026)"]
    );
}

#[test]
fn a_day_that_a_time_zone_skips_costs_no_snapshot() {
    // In Apia, 29 December 2011 ended at 10:00Z on the 30th, and the 31st began.
    let snapshots = at(&[
        "2011-12-29T09:59:59Z",
        "2011-12-29T20:00:00Z",
        "2011-12-30T09:59:59Z",
        "2011-12-30T10:00:00Z",
        "2011-12-30T20:00:00Z",
    ]);
    let now = time("2011-12-30T20:00:00Z");
    let daily = plan(&policy(Keep::new().daily(3), "Pacific/Apia"), &snapshots, now);
    assert_eq!(
        words(&daily),
        [
            "keep  newest good snapshot, daily 1 of 3 (2011-12-31)",
            "remove  no rule keeps it",
            "keep  daily 2 of 3 (2011-12-29)",
            "remove  no rule keeps it",
            "keep  daily 3 of 3 (2011-12-28)",
        ]
    );
    let within = policy(Keep::new().within("1d".parse().unwrap()), "Pacific/Apia");
    assert_eq!(plan(&within, &snapshots, now).kept().count(), 4);
}

#[test]
fn a_day_that_comes_twice_is_one() {
    // In St. John's, clocks went from 0:01 back to 23:01: 29 October 2006 came, went and came.
    let snapshots = at(&["2006-10-29T02:30:30Z", "2006-10-29T03:00:00Z", "2006-10-29T03:30:30Z"]);
    let daily = policy(Keep::new().daily(9), "America/St_Johns");
    let plan = plan(&daily, &snapshots, time("2006-10-29T04:00:00Z"));
    assert_eq!(
        words(&plan),
        [
            "keep  newest good snapshot, daily 1 of 9 (2006-10-29)",
            "keep  daily 2 of 9 (2006-10-28)",
            "remove  no rule keeps it",
        ]
    );
}
