//! When a job is due: five cron fields, read in a time zone.

use std::{fmt, str::FromStr};

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind, Result, TimeZone, Timestamp};

/// A cron schedule of five fields: minute, hour, day of month, month, weekday, as in crontab(5).
/// Day of month and weekday are alternatives.
///
/// Each time on the clock that it names is due once: if the clock shows it twice, the first time;
/// if the clock skips it, at the end of the gap.
///
/// ```
/// use seaworthy_core::{Schedule, TimeZone};
/// let nightly: Schedule = "30 2 * * *".parse()?;
/// let paris = TimeZone::named("Europe/Paris")?;
/// // 2:30 does not exist on that night: it runs at the first time after the gap.
/// let next = nightly.next_after("2026-03-28T12:00:00Z".parse()?, &paris).unwrap();
/// assert_eq!(next.to_string(), "2026-03-29T01:00:00Z");
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    cron: Cron,
}

impl Schedule {
    /// The first time after `after` at which this schedule is due, in the time zone `zone`; `None`
    /// for one that never comes, such as 30 February.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let zone = &zone.0;
        // The local time is stepped through as if the clock never changed. A later local time is
        // never an earlier instant, so whatever is before `after` in local time is past.
        let shown = zone.to_datetime(after.0);
        let mut wall = shown.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        loop {
            wall = self.cron.find_next_occurrence(&wall, false).ok()?;
            let moment = first_moment_of(wall.datetime(), zone)?;
            // In the second pass of a fold the times of the first one are past.
            if moment > after.0 {
                return Some(Timestamp(moment));
            }
        }
    }
}

/// When the clock of `zone` first shows `wall`, or skips it.
fn first_moment_of(
    wall: jiff::civil::DateTime,
    zone: &jiff::tz::TimeZone,
) -> Option<jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    let is_skipped = matches!(ambiguous.offset(), jiff::tz::AmbiguousOffset::Gap { .. });
    let earlier = ambiguous.earlier().ok()?;
    if !is_skipped {
        return Some(earlier);
    }
    // As far before the gap as the skipped time is before the end of the gap.
    zone.following(earlier).next().map(|change| change.timestamp())
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |message: String| {
            Error::new(ErrorKind::InvalidInput, "schedule.parse", message)
                .remedy_is("write five cron fields, such as \"30 2 * * *\" for every night at 2:30")
        };
        let fields = text.split_ascii_whitespace().count();
        if fields != 5 {
            return Err(invalid(format!("a schedule has five fields, {text:?} has {fields}")));
        }
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser
            .parse(text)
            .map_err(|source| invalid(format!("{text:?} is not a schedule: {source}")))?;
        Ok(Self { text: text.to_owned(), cron })
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        crate::text::deserialize_from_str(deserializer, "five cron fields such as \"30 2 * * *\"")
    }
}

#[cfg(feature = "schema")]
crate::text::string_schema!(Schedule, "Schedule", "Five cron fields, such as 30 2 * * *");

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str, zone: &str) -> String {
        let schedule: Schedule = schedule.parse().unwrap();
        let zone = TimeZone::named(zone).unwrap();
        schedule.next_after(after.parse().unwrap(), &zone).unwrap().to_string()
    }

    #[test]
    fn a_fold_runs_a_fixed_time_once() {
        // 25 October 2026, 2:30 comes twice in Paris: first at UTC+2.
        let first = next("30 2 * * *", "2026-10-24T12:00:00Z", "Europe/Paris");
        assert_eq!(first, "2026-10-25T00:30:00Z");
        assert_eq!(next("30 2 * * *", &first, "Europe/Paris"), "2026-10-26T01:30:00Z");
    }

    #[test]
    fn a_gap_loses_no_run_of_lists_and_ranges() {
        // 29 March 2026: in Paris 3:00 follows 1:59, at 1:00 in UTC.
        let night = "2026-03-29T00:45:00Z";
        for schedule in ["30 2 * * *", "0 2,14 * * *", "30 1-2 * * *", "7 * * * *", "*/15 * * * *"]
        {
            let first = next(schedule, night, "Europe/Paris");
            assert_eq!(first, "2026-03-29T01:00:00Z", "{schedule}");
        }
        let again = |schedule| next(schedule, "2026-03-29T01:00:00Z", "Europe/Paris");
        assert_eq!(again("0 2,14 * * *"), "2026-03-29T12:00:00Z");
        assert_eq!(again("30 1-3 * * *"), "2026-03-29T01:30:00Z");
        assert_eq!(again("*/15 * * * *"), "2026-03-29T01:15:00Z");
        // Apia had no 30 December 2011.
        let day = next("0 12 30 * *", "2011-12-29T00:00:00Z", "Pacific/Apia");
        assert_eq!(day, "2011-12-30T10:00:00Z");
    }

    #[test]
    fn day_of_month_and_weekday_are_alternatives() {
        // The 13th or any Friday: Friday 4 December comes before Sunday 13 December.
        assert_eq!(next("0 0 13 * 5", "2026-12-01T00:00:00Z", "UTC"), "2026-12-04T00:00:00Z");
        assert_eq!(next("0 0 13 * 5", "2026-12-11T12:00:00Z", "UTC"), "2026-12-13T00:00:00Z");
    }

    #[test]
    fn refuses_what_is_not_five_fields() {
        for bad in ["", "* * * *", "* * * * * *", "60 0 * * *", "x 0 * * *", "@daily"] {
            assert!(bad.parse::<Schedule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_that_never_comes_is_never_due() {
        let never: Schedule = "0 0 30 2 *".parse().unwrap();
        assert_eq!(never.next_after(Timestamp::UNIX_EPOCH, &TimeZone::utc()), None);
    }
}
