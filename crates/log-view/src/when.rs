//! Times as people type them.

use seaworthy_core::{Error, ErrorKind, Result, Span, TimeZone, Timestamp};

use crate::clock::Clock;

/// Parses a time as people type it: `2026-11-22T02:30:00Z`, `2026-11-22 02:30[:00]`, `2026-11-22`,
/// `02:30[:00]` (today), `2h` or `7d` (ago), `now`, `today`, `yesterday`. Without a zone it is in
/// `zone`.
///
/// ```
/// use seaworthy_core::{TimeZone, Timestamp};
/// let now: Timestamp = "2026-11-22T12:00:00Z".parse()?;
/// let t = seaworthy_log_view::parse_moment("90m", now, &TimeZone::utc())?;
/// assert_eq!(t.to_string(), "2026-11-22T10:30:00Z");
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for anything else.
pub fn parse_moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp> {
    let mut clock = Clock::new(zone.clone(), now);
    let mut read = |text: &str| {
        let (nanos, length) = clock.iso(text.as_bytes())?;
        (length == text.len()).then(|| Timestamp::from_unix(nanos.div_euclid(1_000_000_000)))
    };
    let today = now.in_zone(zone);
    let day = &today[..today.find(' ').unwrap_or(today.len())];
    let midnight = format!("{day} 00:00:00");
    let found = match text {
        "now" => Some(now),
        "today" => read(&midnight),
        "yesterday" => read(&midnight).map(|today| today.minus(Span::days(1), zone)),
        _ => read(text)
            .or_else(|| read(&format!("{text}:00")))
            .or_else(|| read(&format!("{text} 00:00:00")))
            .or_else(|| read(&format!("{day} {text}")))
            .or_else(|| read(&format!("{day} {text}:00")))
            .or_else(|| {
                let span = text.strip_suffix(" ago").unwrap_or(text);
                Some(now.minus(span.trim_start_matches('-').parse().ok()?, zone))
            }),
    };
    found.ok_or_else(|| {
        let message = format!("{text:?} is not a time");
        Error::new(ErrorKind::InvalidInput, "logs.moment", message).remedy_is(
            "write it like 2026-11-22T02:30:00Z, \"2026-11-22 02:30\", 02:30, 2h or today",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_type_them() {
        let zone = TimeZone::named("Europe/Paris").unwrap();
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-22T02:30:00Z", "2026-11-22T02:30:00Z"),
            ("2026-11-22 02:30:15", "2026-11-22T01:30:15Z"),
            ("2026-11-22 02:30", "2026-11-22T01:30:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("02:30", "2026-11-22T01:30:00Z"),
            ("02:30:09", "2026-11-22T01:30:09Z"),
            ("2h", "2026-11-22T10:00:00Z"),
            ("1d12h", "2026-11-21T00:00:00Z"),
            ("30m ago", "2026-11-22T11:30:00Z"),
            ("today", "2026-11-21T23:00:00Z"),
            ("yesterday", "2026-11-20T23:00:00Z"),
            ("now", "2026-11-22T12:00:00Z"),
        ] {
            assert_eq!(parse_moment(text, now, &zone).unwrap().to_string(), expected, "{text}");
        }
        for bad in ["", "soon", "25:00", "2026-13-01", "2h30", "12"] {
            assert!(parse_moment(bad, now, &zone).is_err(), "{bad}");
        }
    }
}
