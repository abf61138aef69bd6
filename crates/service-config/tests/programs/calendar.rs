//! Schedules in systemd's words elapse when the schedule is due: `systemd-analyze calendar` is the
//! oracle.

use seaworthy_core::{Schedule, TimeZone, Timestamp};
use seaworthy_service_config::on_calendar;

use crate::support::run;

const COUNT: usize = 50;

/// When `lines` elapse next after `base`, by systemd.
fn elapses(lines: &[String], base: Timestamp, count: usize) -> Vec<Timestamp> {
    let base = format!("@{}", base.as_unix());
    let mut all = Vec::new();
    for line in lines {
        let iterations = format!("--iterations={count}");
        let base = format!("--base-time={base}");
        let output = std::process::Command::new("systemd-analyze")
            .args(["calendar", &iterations, &base, line])
            .env("TZ", "UTC")
            .output()
            .expect("cannot run systemd-analyze: apt-get install systemd");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        for found in text.lines().filter(|l| l.contains("Next elapse") || l.contains("Iter. #")) {
            // A date that has passed.
            if found.ends_with("never") {
                continue;
            }
            let words: Vec<_> = found.split_whitespace().collect();
            let [.., date, time, "UTC"] = words.as_slice() else { panic!("{found}") };
            all.push(format!("{date}T{time}Z").parse().unwrap());
        }
    }
    all.sort();
    all.dedup();
    all.truncate(count);
    all
}

fn due(schedule: &Schedule, zone: &TimeZone, base: Timestamp, count: usize) -> Vec<Timestamp> {
    let mut after = base;
    let mut all = Vec::new();
    while all.len() < count {
        let Some(next) = schedule.next_after(after, zone) else { break };
        all.push(next);
        after = next;
    }
    all
}

#[test]
fn the_next_fifty_times_are_equal() {
    let utc = TimeZone::utc();
    let base: Timestamp = "2026-11-22T10:17:31Z".parse().unwrap();
    for text in [
        "30 2 * * *",
        "0 3 * * 0",
        "0 2 * * 7",
        "*/5 * * * *",
        "7-59/13 */6 * * *",
        "0 0 13 * 5",
        "15 10 1,15 * mon-wed",
        "0 0 31 * *",
        "0 0 29 2 *",
        "0 0 */10 * *",
        "0 0 */10 * 1",
        "0 12 * jan,jul *",
        "0,15,30,45 9-17 * * 1-5",
        "0 0 1-31 * 5",
        "0 0 1 * 0-7",
        "1 1 ? * sat",
        "59 23 28-31 2 *",
        "0 6 * * */2",
        "0 0 1 1 *",
    ] {
        let schedule: Schedule = text.parse().unwrap();
        let lines = on_calendar(&schedule, Some(&utc)).unwrap();
        let mut ours = due(&schedule, &utc, base, COUNT);
        // systemd's calendar ends with the year 2199.
        ours.retain(|moment| *moment < "2200-01-01T00:00:00Z".parse().unwrap());
        let theirs = elapses(&lines, base, ours.len());
        assert_eq!(theirs, ours, "{text} as {lines:?}");
        assert!(ours.len() >= COUNT || text.contains(" 2 *"), "{text}: {}", ours.len());
    }
}

#[test]
fn outside_changes_of_the_clock_zones_make_no_difference() {
    for (zone, base) in [
        ("Europe/Paris", "2026-04-10T00:00:00Z"),
        ("America/New_York", "2026-04-10T00:00:00Z"),
        ("Asia/Kolkata", "2026-11-22T00:00:00Z"),
    ] {
        let zone = TimeZone::named(zone).unwrap();
        let base: Timestamp = base.parse().unwrap();
        for text in ["30 2 * * *", "*/7 * * * *", "15 3 */3 * 1"] {
            let schedule: Schedule = text.parse().unwrap();
            let lines = on_calendar(&schedule, Some(&zone)).unwrap();
            let ours = due(&schedule, &zone, base, COUNT);
            assert_eq!(elapses(&lines, base, COUNT), ours, "{text} as {lines:?}");
        }
    }
}

/// A job runs at the first valid time after a gap, and once in a fold.
#[test]
fn a_change_of_the_clock_neither_loses_nor_doubles_a_run() {
    for (zone, day) in [
        ("Europe/Paris", "2026-03-28T12:00:00Z"),
        ("Europe/Paris", "2029-03-24T12:00:00Z"),
        ("Europe/Paris", "2026-10-24T12:00:00Z"),
        ("America/New_York", "2027-03-13T12:00:00Z"),
        ("America/New_York", "2026-10-31T12:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
        ("Africa/Casablanca", "2027-03-13T12:00:00Z"),
    ] {
        let zone_name = zone;
        let zone = TimeZone::named(zone).unwrap();
        let base: Timestamp = day.parse().unwrap();
        let single = ["30 2 * * *", "0 2 * * *", "15 2 * * 0", "30 2 1-31 * *", "0 3 * * *"];
        let lists = ["0 2,14 * * *", "30 1-3 * * *", "*/15 * * * *", "7 * * * *", "0 */2 * * *"];
        // If summer time is the standard time, systemd skips the rest of a day with a gap.
        let lists = if zone_name == "Africa/Casablanca" { &[][..] } else { &lists[..] };
        for text in single.iter().chain(lists) {
            let schedule: Schedule = text.parse().unwrap();
            let lines = on_calendar(&schedule, Some(&zone)).unwrap();
            let ours = due(&schedule, &zone, base, 80);
            let theirs = elapses(&lines, base, 80);
            assert_eq!(theirs, ours, "{text} in {zone_name} from {day} as {lines:?}");
        }
    }
    let paris = TimeZone::named("Europe/Paris").unwrap();
    let lines = on_calendar(&"30 2 * * *".parse().unwrap(), Some(&paris)).unwrap();
    let night = elapses(&lines, "2026-03-28T12:00:00Z".parse().unwrap(), 1);
    assert_eq!(night, ["2026-03-29T01:00:00Z".parse().unwrap()]);
}

#[test]
fn systemd_takes_every_line() {
    let output = run("systemd-analyze", &["calendar", "Sun *-03-25..31 03:00:00 Europe/Paris"]);
    assert!(output.status.success());
}
