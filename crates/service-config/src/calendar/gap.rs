//! When clocks skip an hour.

use std::ops::RangeInclusive;

use seaworthy_core::{TimeZone, Timestamp};

const DAY: i64 = 86_400;
/// The years that are examined: always the same, so that files do not change with the date. A zone
/// that follows a rule shows it in them.
const YEARS: RangeInclusive<i16> = 2026..=2037;
/// 1 January 2026.
const BEGIN: i64 = 1_767_225_600;

/// A time that the clock skips.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gap {
    /// The year, if no rule covers all years.
    pub(super) year: Option<i16>,
    pub(super) month: u8,
    /// The days of the month on which it can occur.
    pub(super) days: RangeInclusive<u8>,
    /// 0 is Sunday.
    pub(super) weekday: u8,
    /// The first minute of the day that is skipped.
    pub(super) from: u16,
    /// The first minute after it.
    pub(super) to: u16,
}

/// The gaps of `zone`: one for all years if they follow a rule, else one by one.
pub(super) fn gaps(zone: &TimeZone) -> Vec<Gap> {
    let offset = |unix: i64| {
        let moment = Timestamp::from_unix(unix);
        (i64::from(moment.civil(zone).offset_seconds), moment)
    };
    let mut found = Vec::new();
    let end = BEGIN + i64::from(*YEARS.end() - *YEARS.start() + 1) * 366 * DAY;
    let mut before = BEGIN;
    while before < end {
        let after = before + DAY;
        let (old, new) = (offset(before).0, offset(after).0);
        if new > old {
            let (mut low, mut high) = (before, after);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if offset(middle).0 > old { high = middle } else { low = middle }
            }
            found.extend(gap_at(high, old, new, zone));
        }
        before = after;
    }
    found.retain(|gap| gap.year.is_some_and(|year| YEARS.contains(&year)));
    match rule(&found) {
        Some(rule) => vec![rule],
        None => found,
    }
}

/// The gap that ends at the second `unix`.
fn gap_at(unix: i64, old: i64, new: i64, zone: &TimeZone) -> Option<Gap> {
    let civil = Timestamp::from_unix(unix).civil(zone);
    let local = unix + new;
    let to = u16::try_from(local.rem_euclid(DAY) / 60).ok()?;
    let skipped = u16::try_from((new - old) / 60).ok()?;
    Some(Gap {
        year: Some(civil.year),
        month: civil.month.try_into().ok()?,
        days: civil.day.try_into().ok().map(|day| day..=day)?,
        // 1 January 1970 was a Thursday.
        weekday: u8::try_from((local.div_euclid(DAY) + 4).rem_euclid(7)).ok()?,
        from: to.saturating_sub(skipped),
        to,
    })
}

/// The same weekday of the same week of the same month, every year.
fn rule(found: &[Gap]) -> Option<Gap> {
    let first = found.first()?;
    let alike = found.iter().zip(YEARS).all(|(gap, year)| {
        gap.year == Some(year)
            && (gap.month, gap.weekday, gap.from, gap.to)
                == (first.month, first.weekday, first.from, first.to)
    });
    let days = || found.iter().map(|gap| *gap.days.start());
    let (min, max) = (days().min()?, days().max()?);
    let every_year = found.len() == YEARS.count();
    (alike && every_year && max - min == 6).then(|| Gap {
        year: None,
        days: min..=max,
        ..first.clone()
    })
}
