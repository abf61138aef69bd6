//! Timestamps, time zones and calendar spans, on top of a calendar library that stays private.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, ErrorKind, Result};

/// A point in time, to the nanosecond, between the years -9999 and 9999.
///
/// ```
/// use seaworthy_core::Timestamp;
/// let t: Timestamp = "2026-11-22T02:30:00Z".parse()?;
/// assert_eq!(t.compact(), "20261122T023000Z");
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub(crate) jiff::Timestamp);

impl Timestamp {
    /// The start of 1970 in UTC.
    pub const UNIX_EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// The time `seconds` after the start of 1970 in UTC; clamped to the years that this type can
    /// hold.
    pub fn from_unix(seconds: i64) -> Self {
        Self(jiff::Timestamp::from_second(seconds).unwrap_or(if seconds < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        }))
    }

    /// Whole seconds since the start of 1970 in UTC.
    pub fn as_unix(self) -> i64 {
        self.0.as_second()
    }

    /// `YYYYMMDDTHHMMSSZ`, in UTC: sorts by time.
    pub fn compact(self) -> String {
        self.0.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// Reads what [`compact`](Self::compact) wrote.
    pub fn from_compact(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(
                ErrorKind::InvalidInput,
                "time.parse",
                format!("{text:?} is not a timestamp"),
            )
            .remedy_is("write it like 20261122T023000Z")
        };
        if text.len() != 16 || !text.is_ascii() {
            return Err(invalid());
        }
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text)
            .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC))
            .map(|zoned| Self(zoned.timestamp()))
            .map_err(|source| invalid().caused_by(source))
    }

    /// This time in the time zone `zone`: `2026-11-22 03:30:00`.
    pub fn in_zone(self, zone: &TimeZone) -> String {
        self.0.to_zoned(zone.0.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `span` earlier, by the calendar of `zone`. If the clock skips that local time, the result is
    /// as far before the gap as it would be into it: never too late.
    pub fn minus(self, span: Span, zone: &TimeZone) -> Self {
        let [years, weeks, days, ..] = span.parts();
        let calendar = jiff::Span::new().years(years).weeks(weeks).days(days);
        let clock = span.0.years(0).weeks(0).days(0);
        let day = || -> std::result::Result<jiff::Zoned, jiff::Error> {
            let zoned = self.0.to_zoned(zone.0.clone());
            if calendar.is_zero() {
                return zoned.checked_sub(clock);
            }
            let civil = zoned.datetime().checked_sub(calendar)?;
            zone.0.to_ambiguous_zoned(civil).earlier()?.checked_sub(clock)
        };
        Self(day().map_or(jiff::Timestamp::MIN, |zoned| zoned.timestamp()))
    }

    /// `span` later, by the calendar of `zone`.
    pub fn plus(self, span: Span, zone: &TimeZone) -> Self {
        let zoned = self.0.to_zoned(zone.0.clone());
        Self(zoned.checked_add(span.0).map_or(jiff::Timestamp::MAX, |zoned| zoned.timestamp()))
    }

    /// How much later this is than `earlier`; zero if it is not later.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        self.0.duration_since(earlier.0).try_into().unwrap_or_default()
    }

    /// The calendar fields of this time in `zone`.
    pub fn civil(self, zone: &TimeZone) -> Civil {
        let zoned = self.0.to_zoned(zone.0.clone());
        let week = zoned.date().iso_week_date();
        Civil {
            year: zoned.year(),
            month: zoned.month(),
            day: zoned.day(),
            hour: zoned.hour(),
            week_year: week.year(),
            week: week.week(),
            offset_seconds: zoned.offset().seconds(),
        }
    }
}

/// A time as a calendar and a clock show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Civil {
    /// The year.
    pub year: i16,
    /// The month, from 1.
    pub month: i8,
    /// The day of the month, from 1.
    pub day: i8,
    /// The hour, from 0.
    pub hour: i8,
    /// The year that the ISO 8601 week belongs to.
    pub week_year: i16,
    /// The ISO 8601 week, from 1.
    pub week: i8,
    /// Seconds east of UTC: distinguishes the two hours of a fold.
    pub offset_seconds: i32,
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads RFC 3339.
    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|source: jiff::Error| {
            Error::new(
                ErrorKind::InvalidInput,
                "time.parse",
                format!("{text:?} is not a timestamp"),
            )
            .remedy_is("write it like 2026-11-22T02:30:00Z")
            .caused_by(source)
        })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        crate::text::deserialize_from_str(deserializer, "a timestamp such as 2026-11-22T02:30:00Z")
    }
}

impl From<std::time::SystemTime> for Timestamp {
    fn from(time: std::time::SystemTime) -> Self {
        Self(jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX))
    }
}

/// A time zone, such as `Europe/Paris`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(pub(crate) jiff::tz::TimeZone);

impl TimeZone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// The machine's time zone.
    pub fn system() -> Self {
        Self(jiff::tz::TimeZone::system())
    }

    /// Looks `name` up in the machine's database of time zones.
    pub fn named(name: &str) -> Result<Self> {
        jiff::tz::TimeZone::get(name).map(Self).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "time_zone", format!("unknown time zone {name:?}"))
                .remedy_is("use a name from the IANA database, such as \"Europe/Paris\"")
                .caused_by(source)
        })
    }

    /// Its name in the IANA database, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.0.iana_name()
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name().unwrap_or("UTC"))
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).map_err(|error| de::Error::custom(error.in_one_line()))
    }
}

/// A calendar duration: `1y`, `8w`, `30d`, `12h`, `5m`, `90s`, or several of them
/// (`1d12h`), largest unit first. A day is a calendar day, not 24 hours.
///
/// ```
/// use seaworthy_core::Span;
/// assert_eq!("8w".parse::<Span>()?.to_string(), "8w");
/// assert!("8".parse::<Span>().is_err());
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Span(jiff::Span);

const UNITS: [(&str, i64); 6] =
    [("y", 365 * 86_400), ("w", 7 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

impl Span {
    /// A span of `days` calendar days.
    pub fn days(days: u16) -> Self {
        Self(jiff::Span::new().days(i64::from(days)))
    }

    /// A span of `hours` hours.
    pub fn hours(hours: u16) -> Self {
        Self(jiff::Span::new().hours(i64::from(hours)))
    }

    /// A span of `seconds` seconds.
    pub fn seconds(seconds: u32) -> Self {
        Self(jiff::Span::new().seconds(i64::from(seconds)))
    }

    /// As a fixed duration, with 24 hours a day and 365 days a year: for time limits.
    pub fn as_duration(&self) -> std::time::Duration {
        let seconds = self.parts().iter().zip(UNITS).map(|(n, (_, unit))| n * unit).sum::<i64>();
        std::time::Duration::from_secs(seconds.unsigned_abs())
    }

    fn parts(&self) -> [i64; 6] {
        let span = &self.0;
        [
            i64::from(span.get_years()),
            i64::from(span.get_weeks()),
            i64::from(span.get_days()),
            i64::from(span.get_hours()),
            span.get_minutes(),
            span.get_seconds(),
        ]
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(ErrorKind::InvalidInput, "span.parse", format!("{text:?} is not a duration"))
                .remedy_is("write it like 1y, 8w, 30d, 12h, 5m or 90s")
        };
        let mut span = jiff::Span::new();
        let mut rest = text;
        let mut smallest = None;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: i64 = rest[..digits].parse().map_err(|_| invalid())?;
            let unit = rest[digits..].chars().next().ok_or_else(invalid)?;
            let rank =
                UNITS.iter().position(|(name, _)| name.starts_with(unit)).ok_or_else(invalid)?;
            if smallest.is_some_and(|smallest| rank <= smallest) {
                return Err(invalid());
            }
            smallest = Some(rank);
            rest = &rest[digits + unit.len_utf8()..];
            span = match unit {
                'y' => span.try_years(number),
                'w' => span.try_weeks(number),
                'd' => span.try_days(number),
                'h' => span.try_hours(number),
                'm' => span.try_minutes(number),
                _ => span.try_seconds(number),
            }
            .map_err(|source| invalid().caused_by(source))?;
        }
        if smallest.is_none() || span.is_zero() { Err(invalid()) } else { Ok(Self(span)) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (unit, _)) in self.parts().iter().zip(UNITS) {
            if *number != 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({self})")
    }
}

impl PartialEq for Span {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        crate::text::deserialize_from_str(deserializer, "a duration such as 30d")
    }
}

#[cfg(feature = "schema")]
mod schema {
    use super::{Span, TimeZone, Timestamp};

    crate::text::string_schema!(Timestamp, "Timestamp", "A timestamp in RFC 3339");
    crate::text::string_schema!(TimeZone, "TimeZone", "A time zone of the IANA database");
    crate::text::string_schema!(
        Span,
        "Span",
        "A duration: 1y, 8w, 30d, 12h, 5m, 90s",
        r"^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_follows_the_wall_clock_over_daylight_saving() {
        let zone = TimeZone::named("Europe/Paris").unwrap();
        let after: Timestamp = "2026-03-29T10:00:00Z".parse().unwrap();
        // Noon in Paris, UTC+2; a day before noon was UTC+1.
        assert_eq!(after.minus(Span::days(1), &zone).to_string(), "2026-03-28T11:00:00Z");
        assert_eq!(after.minus(Span::hours(24), &zone).to_string(), "2026-03-28T10:00:00Z");
    }

    #[test]
    fn a_time_that_the_clock_skips_counts_as_before_the_gap() {
        let zone = TimeZone::named("Europe/Paris").unwrap();
        let after: Timestamp = "2026-03-30T00:30:00Z".parse().unwrap();
        // 2:30 in Paris; the night before, 2:30 was skipped.
        assert_eq!(after.minus(Span::days(1), &zone).to_string(), "2026-03-29T00:30:00Z");
        // Apia had no 30 December 2011.
        let zone = TimeZone::named("Pacific/Apia").unwrap();
        let after: Timestamp = "2011-12-30T20:00:00Z".parse().unwrap();
        assert_eq!(after.minus(Span::days(1), &zone).to_string(), "2011-12-29T20:00:00Z");
        assert_eq!(after.minus(Span::days(2), &zone).to_string(), "2011-12-29T20:00:00Z");
        assert_eq!(after.minus(Span::days(3), &zone).to_string(), "2011-12-28T20:00:00Z");
    }

    #[test]
    fn compact_moments_read_back() {
        let t = Timestamp::from_unix(1_795_000_000);
        assert_eq!(Timestamp::from_compact(&t.compact()).unwrap(), t);
        for bad in ["", "20261322T000000Z", "2026-11-22", "20261122T0230000", "2026112ÄT02300Z"] {
            assert!(Timestamp::from_compact(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_refuse_what_could_mean_two_things() {
        for bad in ["", "5", "d", "5x", "-5d", "5d1y", "1d1d", "0d", "5 d", "99999999999999y"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        assert_eq!("1y2w3d4h5m6s".parse::<Span>().unwrap().to_string(), "1y2w3d4h5m6s");
        assert_eq!("1d12h".parse::<Span>().unwrap().as_duration().as_secs(), 129_600);
    }
}
