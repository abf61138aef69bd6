//! A cron schedule in the syntax of systemd and of crontab(5).

mod fields;
mod gap;

use seaworthy_core::{Result, Schedule, TimeZone};

use fields::{Fields, Set};
use gap::{Gap, gaps};

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// The values of `OnCalendar=` that elapse when `schedule` is due in the time zone `zone`. Default:
/// the machine's.
///
/// Day of month and weekday are alternatives, which needs two values. systemd drops a time that a
/// daylight-saving change skips; if the zone is known, more values add the first time after the
/// gap.
///
/// Fails with [`ErrorKind::Unsupported`](seaworthy_core::ErrorKind::Unsupported) for what goes
/// beyond crontab(5), such as `L`.
///
/// ```
/// use seaworthy_core::TimeZone;
/// use seaworthy_service_config::on_calendar;
/// let paris = TimeZone::named("Europe/Paris")?;
/// assert_eq!(on_calendar(&"30 2 * * *".parse()?, Some(&paris))?, [
///     "*-*-* 02:30:00 Europe/Paris",
///     "Sun *-03-25..31 03:00:00 Europe/Paris",
/// ]);
/// assert_eq!(on_calendar(&"0 0 13 * 5".parse()?, None)?, [
///     "*-*-13 00:00:00",
///     "Fri *-*-* 00:00:00",
/// ]);
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
pub fn on_calendar(schedule: &Schedule, zone: Option<&TimeZone>) -> Result<Vec<String>> {
    let fields = Fields::parse(schedule)?;
    let suffix = zone.and_then(TimeZone::name).map_or(String::new(), |name| format!(" {name}"));
    let days = fields.days();
    let time = format!("{}:{}:00", list(&fields.hours, 2), list(&fields.minutes, 2));
    let mut lines: Vec<String> = days
        .iter()
        .map(|(days, weekdays)| {
            let date = format!("*-{}-{}", list(&fields.months, 2), list(days, 2));
            format!("{}{date} {time}{suffix}", weekday_prefix(weekdays))
        })
        .collect();
    for gap in zone.map(gaps).unwrap_or_default() {
        for (days, weekdays) in days.iter().filter(|_| fields.misses(&gap)) {
            lines.extend(after_gap(&gap, days, weekdays).map(|line| format!("{line}{suffix}")));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    Ok(lines)
}

/// The five fields of `schedule` as crontab(5) has them: numbers, and a star only if every value is
/// meant, so that no cron reads a step as a star.
///
/// Fails like [`on_calendar`].
pub fn crontab_fields(schedule: &Schedule) -> Result<String> {
    let fields = Fields::parse(schedule)?;
    let field = |set: &Set, star: bool| {
        if star || set.is_full() {
            return "*".to_owned();
        }
        let values: Vec<_> = set.iter().map(|value| value.to_string()).collect();
        values.join(",")
    };
    // A list of all days is not a star: otherwise the other field would count alone.
    let day = |set: &Set, star: bool| match (star, set.is_full()) {
        (true, _) => "*".to_owned(),
        (false, true) => format!("{}-{}", set.min(), set.max()),
        (false, false) => field(set, false),
    };
    Ok(format!(
        "{} {} {} {} {}",
        field(&fields.minutes, false),
        field(&fields.hours, false),
        day(&fields.month_days, fields.star_day),
        field(&fields.months, false),
        day(&fields.weekdays, fields.star_weekday),
    ))
}

/// The first time after `gap`, on the days that are in both.
fn after_gap(gap: &Gap, days: &Set, weekdays: &Set) -> Option<String> {
    if !weekdays.has(gap.weekday) {
        return None;
    }
    let days = days.within(gap.days.clone());
    if days.is_empty() {
        return None;
    }
    let (hour, minute) = (gap.to / 60, gap.to % 60);
    let date = match gap.year {
        // A date needs no weekday.
        Some(year) => format!("{year}-{:02}-{}", gap.month, list(&days, 2)),
        None => {
            let weekday = WEEKDAYS[usize::from(gap.weekday)];
            format!("{weekday} *-{:02}-{}", gap.month, list(&days, 2))
        }
    };
    Some(format!("{date} {hour:02}:{minute:02}:00"))
}

fn weekday_prefix(weekdays: &Set) -> String {
    if weekdays.is_full() {
        return String::new();
    }
    let name = |day: u8| WEEKDAYS[usize::from(day)].to_owned();
    let names: Vec<_> = weekdays.iter().map(name).collect();
    format!("{} ", names.join(","))
}

/// `*`, or values and ranges: `1,3..5`.
fn list(set: &Set, width: usize) -> String {
    if set.is_full() {
        return "*".to_owned();
    }
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for value in set.iter() {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == value => *end = value,
            _ => runs.push((value, value)),
        }
    }
    let text = |(start, end): (u8, u8)| match end - start {
        0 => format!("{start:0width$}"),
        1 => format!("{start:0width$},{end:0width$}"),
        _ => format!("{start:0width$}..{end:0width$}"),
    };
    runs.into_iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(schedule: &str, zone: &str) -> Vec<String> {
        on_calendar(&schedule.parse().unwrap(), Some(&TimeZone::named(zone).unwrap())).unwrap()
    }

    #[test]
    fn a_gap_counts_only_where_its_day_and_its_hour_are_meant() {
        let extra = |schedule| lines(schedule, "Europe/Paris").split_off(1);
        assert_eq!(extra("0 2 1 * *"), Vec::<String>::new());
        assert_eq!(extra("0 2 * * 1-5"), Vec::<String>::new());
        assert_eq!(extra("0 4 * * *"), Vec::<String>::new());
        assert_eq!(extra("*/5 * * * *"), Vec::<String>::new());
        assert_eq!(extra("0 2,3 * * *"), Vec::<String>::new());
        assert_eq!(extra("0 2 * 4 *"), Vec::<String>::new());
        assert_eq!(extra("0 2 28-31 * *"), ["Sun *-03-28..31 03:00:00 Europe/Paris"]);
        assert_eq!(extra("0,30 2,14 * * 0"), ["Sun *-03-25..31 03:00:00 Europe/Paris"]);
        assert_eq!(
            lines("30 2 1 * 0", "America/New_York"),
            [
                "*-*-01 02:30:00 America/New_York",
                "Sun *-*-* 02:30:00 America/New_York",
                "Sun *-03-08..14 03:00:00 America/New_York"
            ]
        );
        assert_eq!(lines("30 2 * * *", "UTC"), ["*-*-* 02:30:00 UTC"]);
    }

    #[test]
    fn a_zone_without_a_rule_gets_dates() {
        // Casablanca leaves daylight saving for Ramadan, which moves.
        let all = lines("30 2 * * *", "Africa/Casablanca");
        assert!(all.len() > 5 && all[1].starts_with("2026-"), "{all:?}");
    }

    #[test]
    fn what_only_some_crons_know_is_refused() {
        for bad in ["0 0 L * *", "0 0 15W * *", "0 0 * * 5#2", "0 0 * * 5L", "0 0 1 * +5"] {
            let Ok(schedule) = bad.parse() else { continue };
            assert!(on_calendar(&schedule, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn cron_gets_numbers() {
        let fields = |text: &str| crontab_fields(&text.parse().unwrap()).unwrap();
        assert_eq!(fields("*/20 2 * jan mon-wed"), "0,20,40 2 * 1 1,2,3");
        assert_eq!(fields("0 0 */10 * 7"), "0 0 1,11,21,31 * 0");
        assert_eq!(fields("0 0 1-31 * 5"), "0 0 1-31 * 5");
    }
}
