//! Timestamps as logs write them, parsed without the cost of a calendar library for each line.

use seaworthy_core::{TimeZone, Timestamp};

/// Nanoseconds since the start of 1970 in UTC.
pub(crate) type Nanos = i64;

const SECOND: i64 = 1_000_000_000;

/// Reads the times of lines. Times without a zone are in the given zone.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
    now: i64,
    /// The last quarter of an hour in local time that was looked up, and its offset in seconds.
    cached: Option<(i64, i64)>,
}

/// A time as written: local seconds, nanoseconds, and seconds east of UTC if given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    wall: i64,
    nanos: i64,
    offset: Option<i64>,
}

impl Clock {
    pub(crate) fn new(zone: TimeZone, now: Timestamp) -> Self {
        Self { zone, now: now.as_unix(), cached: None }
    }

    /// A date and a time at the beginning of `text`, such as `2026-11-22T02:30:00.123Z`,
    /// `2026-11-22 02:30:00,123` or `2026/11/22 02:30:00`, and how long it is.
    pub(crate) fn iso(&mut self, text: &[u8]) -> Option<(Nanos, usize)> {
        let (written, length) = iso(text)?;
        Some((self.nanos(written), length))
    }

    /// `22/Nov/2026:02:30:00 +0000`, of the combined format.
    pub(crate) fn common(&mut self, text: &[u8]) -> Option<Nanos> {
        let (day, month, year) =
            (number(text, 0, 2)?, month(text.get(3..6)?)?, number(text, 7, 4)?);
        if text[2] != b'/' || text[6] != b'/' || *text.get(11)? != b':' {
            return None;
        }
        let wall = days(year, month, day)? * 86_400 + clock(text, 12)?;
        let offset = text.get(20..).and_then(offset).map(|(offset, _)| offset);
        Some(self.nanos(Written { wall, nanos: 0, offset }))
    }

    /// `Nov 22 02:30:00`, of syslog: the last such time that is not in the future.
    pub(crate) fn syslog(&mut self, text: &[u8]) -> Option<(Nanos, usize)> {
        let month = month(text.get(..3)?)?;
        if text[3] != b' ' || *text.get(6)? != b' ' {
            return None;
        }
        let day = if text[4] == b' ' { number(text, 5, 1)? } else { number(text, 4, 2)? };
        let time = clock(text, 7)?;
        let this_year = year_of(self.now);
        // One day of tolerance, for time zones and for clocks that are ahead.
        let latest = self.now + 86_400;
        let wall = [this_year + 1, this_year, this_year - 1]
            .iter()
            .filter_map(|year| Some(days(*year, month, day)? * 86_400 + time))
            .find(|wall| *wall <= latest)?;
        Some((self.nanos(Written { wall, nanos: 0, offset: None }), 15))
    }

    /// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, by its size.
    pub(crate) fn number(text: &[u8]) -> Option<Nanos> {
        let text = std::str::from_utf8(text).ok()?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let whole: i64 = whole.parse().ok().filter(|n| *n >= 0)?;
        let unit = match whole.checked_ilog10().unwrap_or(0) {
            ..11 => SECOND,
            11..14 => 1_000_000,
            14..17 => 1_000,
            _ => 1,
        };
        let part: f64 = format!("0.{fraction}0").parse().ok()?;
        whole.checked_mul(unit)?.checked_add((part * unit as f64) as i64)
    }

    fn nanos(&mut self, written: Written) -> Nanos {
        let offset = written.offset.unwrap_or_else(|| self.offset_at(written.wall));
        (written.wall - offset).saturating_mul(SECOND).saturating_add(written.nanos)
    }

    /// Seconds east of UTC when the local time is `wall`.
    fn offset_at(&mut self, wall: i64) -> i64 {
        // Zones change at whole quarters of an hour.
        let quarter = wall.div_euclid(900);
        if let Some((cached, offset)) = self.cached
            && cached == quarter
        {
            return offset;
        }
        let at = |unix| i64::from(Timestamp::from_unix(unix).civil(&self.zone).offset_seconds);
        let guess = at(wall - at(wall));
        let offset = at(wall - guess);
        self.cached = Some((quarter, offset));
        offset
    }
}

/// Whether `text` begins with something like `[22/Nov/2026:02:30:00`.
pub(crate) fn looks_common(text: &[u8]) -> bool {
    text.len() > 22 && text[3] == b'/' && text[7] == b'/' && text[12] == b':' && text[15] == b':'
}

/// The length of the date and time at the beginning of `text`, without parsing it.
pub(crate) fn iso_length(text: &[u8]) -> Option<usize> {
    iso(text).map(|(_, length)| length)
}

fn iso(text: &[u8]) -> Option<(Written, usize)> {
    let head: &[u8; 19] = text.first_chunk()?;
    let separated = (head[4] == b'-' && head[7] == b'-') || (head[4] == b'/' && head[7] == b'/');
    if !separated || !matches!(head[10], b'T' | b't' | b' ') {
        return None;
    }
    let days = days(number(head, 0, 4)?, number(head, 5, 2)?, number(head, 8, 2)?)?;
    // apt writes two spaces.
    let begin = if head[10] == b' ' && head[11] == b' ' { 12 } else { 11 };
    let wall = days * 86_400 + clock(text, begin)?;
    let mut length = begin + 8;
    let mut nanos = 0;
    let has_fraction = matches!(text.get(length), Some(b'.' | b','));
    let fraction = text.get(length + 1..).unwrap_or_default();
    let digits = fraction.iter().take_while(|c| c.is_ascii_digit());
    let digits = if has_fraction { digits.count() } else { 0 };
    if digits > 0 {
        let digits_then_zeros = fraction[..digits].iter().map(|digit| i64::from(digit - b'0'));
        nanos = digits_then_zeros
            .chain(std::iter::repeat(0))
            .take(9)
            .fold(0, |nanos, digit| nanos * 10 + digit);
        length += 1 + digits;
    }
    let mut zone = None;
    let rest = &text[length..];
    let spaces = usize::from(rest.first() == Some(&b' '));
    if let Some((offset, long)) = offset(&rest[spaces..]) {
        zone = Some(offset);
        length += spaces + long;
    }
    Some((Written { wall, nanos, offset: zone }, length))
}

/// `Z`, `UTC`, `GMT`, `+0100`, `+01:00` or `+01` at the beginning of `text`, and how long it is.
fn offset(text: &[u8]) -> Option<(i64, usize)> {
    let sign = match text.first()? {
        b'Z' | b'z' => return Some((0, 1)),
        b'U' | b'G' if text.starts_with(b"UTC") || text.starts_with(b"GMT") => return Some((0, 3)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = number(text, 1, 2)?;
    let colon = usize::from(text.get(3) == Some(&b':'));
    let (minutes, length) = match number(text, 3 + colon, 2) {
        Some(minutes) => (minutes, 5 + colon),
        None => (0, 3),
    };
    (hours < 24 && minutes < 60).then_some((sign * (hours * 3_600 + minutes * 60), length))
}

/// `HH:MM:SS` at `at`, in seconds of the day.
fn clock(text: &[u8], at: usize) -> Option<i64> {
    let (h, m, s) = (number(text, at, 2)?, number(text, at + 3, 2)?, number(text, at + 6, 2)?);
    let colons = text[at + 2] == b':' && text[at + 5] == b':';
    (colons && h < 24 && m < 60 && s <= 60).then_some(h * 3_600 + m * 60 + s)
}

/// The `length` digits at `at`.
fn number(text: &[u8], at: usize, length: usize) -> Option<i64> {
    let digits = text.get(at..at + length)?;
    digits.iter().try_fold(0, |n, c| {
        let digit = c.wrapping_sub(b'0');
        (digit < 10).then_some(n * 10 + i64::from(digit))
    })
}

fn month(name: &[u8]) -> Option<i64> {
    const NAMES: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let at = NAMES.chunks_exact(3).position(|month| month == name)?;
    i64::try_from(at + 1).ok()
}

/// Days since the start of 1970, by the Gregorian calendar (March-based years, eras of 400 years).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn year_of(unix: i64) -> i64 {
    i64::from(Timestamp::from_unix(unix).civil(&TimeZone::utc()).year)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clock(zone: &str) -> Clock {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        Clock::new(TimeZone::named(zone).unwrap(), now)
    }

    fn at(text: &str) -> Nanos {
        text.parse::<Timestamp>().unwrap().as_unix() * SECOND
    }

    #[test]
    fn every_way_of_writing_a_moment_is_read() {
        let mut paris = clock("Europe/Paris");
        let moment = at("2026-11-22T02:30:00Z");
        for (text, length, more) in [
            ("2026-11-22T02:30:00Z x", 20, 0),
            ("2026-11-22T02:30:00.123456Z", 27, 123_456_000),
            ("2026-11-22 03:30:00,123 - app", 23, 123_000_000),
            ("2026/11/22 03:30:00 [error]", 19, 0),
            ("2026-11-22 02:30:00 +0000] [1]", 25, 0),
            ("2026-11-22 02:30:00.5 UTC [9]", 25, 500_000_000),
            ("2026-11-21T21:30:00-05:00", 25, 0),
        ] {
            assert_eq!(paris.iso(text.as_bytes()), Some((moment + more, length)), "{text}");
        }
        assert_eq!(paris.common(b"22/Nov/2026:03:30:00 +0100] \"GET"), Some(moment));
        assert_eq!(paris.syslog(b"Nov 22 03:30:00 host"), Some((moment, 15)));
        assert_eq!(Clock::number(b"1795314600"), Some(moment));
        assert_eq!(Clock::number(b"1795314600123"), Some(moment + 123_000_000));
        assert_eq!(Clock::number(b"1795314600.5"), Some(moment + 500_000_000));
        for bad in ["", "2026-13-22T02:30:00Z", "2026-11-22T25:30:00Z", "2026-11-22", "x"] {
            assert_eq!(paris.iso(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_syslog_time_is_never_in_the_future() {
        let mut utc = clock("UTC");
        assert_eq!(utc.syslog(b"Dec 31 23:59:59 host").unwrap().0, at("2025-12-31T23:59:59Z"));
        assert_eq!(utc.syslog(b"Nov  2 01:02:03 host").unwrap().0, at("2026-11-02T01:02:03Z"));
    }

    #[test]
    fn local_times_follow_daylight_saving() {
        let mut paris = clock("Europe/Paris");
        assert_eq!(paris.iso(b"2026-03-29 01:59:59").unwrap().0, at("2026-03-29T00:59:59Z"));
        assert_eq!(paris.iso(b"2026-03-29 03:00:00").unwrap().0, at("2026-03-29T01:00:00Z"));
        assert_eq!(paris.iso(b"2026-10-25 03:00:00").unwrap().0, at("2026-10-25T02:00:00Z"));
    }

    proptest! {
        #[test]
        fn moments_read_back(unix in 0i64..4_000_000_000) {
            let text = Timestamp::from_unix(unix).to_string();
            prop_assert_eq!(clock("UTC").iso(text.as_bytes()), Some((unix * SECOND, text.len())));
        }

        #[test]
        fn no_line_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut clock = clock("UTC");
            let _ = (clock.iso(&bytes), clock.syslog(&bytes), clock.common(&bytes));
            let _ = Clock::number(&bytes);
        }
    }
}
