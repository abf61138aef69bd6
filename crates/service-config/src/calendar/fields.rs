//! The five fields as sets of numbers.

use std::ops::RangeInclusive;

use seaworthy_core::{Error, ErrorKind, Result, Schedule};

use super::gap::Gap;

/// Numbers of a range, such as the minutes of an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    bits: u64,
    min: u8,
    max: u8,
}

impl Set {
    fn none(range: &RangeInclusive<u8>) -> Self {
        Self { bits: 0, min: *range.start(), max: *range.end() }
    }

    fn all(range: &RangeInclusive<u8>) -> Self {
        let mut set = Self::none(range);
        range.clone().for_each(|value| set.add(value));
        set
    }

    fn add(&mut self, value: u8) {
        self.bits |= 1 << value;
    }

    pub(super) fn has(&self, value: u8) -> bool {
        self.bits & (1 << value) != 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u8> {
        (self.min..=self.max).filter(|value| self.has(*value))
    }

    pub(super) fn is_full(&self) -> bool {
        self.iter().count() == usize::from(self.max - self.min) + 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bits == 0
    }

    pub(super) fn min(&self) -> u8 {
        self.min
    }

    pub(super) fn max(&self) -> u8 {
        self.max
    }

    /// The values that are also in `range`.
    pub(super) fn within(&self, range: RangeInclusive<u8>) -> Self {
        let mut set = Self { bits: 0, ..*self };
        self.iter().filter(|value| range.contains(value)).for_each(|value| set.add(value));
        set
    }
}

/// A parsed schedule.
pub(super) struct Fields {
    pub(super) minutes: Set,
    pub(super) hours: Set,
    pub(super) month_days: Set,
    pub(super) months: Set,
    pub(super) weekdays: Set,
    /// Whether the day of month is a star: then it does not restrict the day.
    pub(super) star_day: bool,
    pub(super) star_weekday: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Fields {
    pub(super) fn parse(schedule: &Schedule) -> Result<Self> {
        let text = schedule.to_string().to_ascii_lowercase();
        let unsupported = |field: &str| {
            let message =
                format!("{field:?} of the schedule \"{schedule}\" goes beyond crontab(5)");
            Error::new(ErrorKind::Unsupported, "service.schedule", message)
                .remedy_is("write it with numbers, names, lists, ranges and steps")
        };
        let fields: Vec<_> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(unsupported(&text));
        };
        let read = |field: &str, range, names: &[&str], first| {
            set(field, range, names, first).ok_or_else(|| unsupported(field))
        };
        // A question mark means a star for the days.
        let (day, weekday) = (day.replace('?', "*"), weekday.replace('?', "*"));
        let weekdays = read(&weekday, 0..=7, &WEEKDAYS, 0)?;
        // Both 0 and 7 are Sunday.
        let mut week = Set::none(&(0..=6));
        weekdays.iter().for_each(|value| week.add(value % 7));
        Ok(Self {
            minutes: read(minute, 0..=59, &[], 0)?,
            hours: read(hour, 0..=23, &[], 0)?,
            month_days: read(&day, 1..=31, &[], 0)?,
            months: read(month, 1..=12, &MONTHS, 1)?,
            weekdays: week,
            star_day: day == "*",
            star_weekday: weekday == "*",
        })
    }

    /// The days: of month and of week, alternatives where neither is a star.
    pub(super) fn days(&self) -> Vec<(Set, Set)> {
        let (all_days, all_week) = (Set::all(&(1..=31)), Set::all(&(0..=6)));
        if self.star_day || self.star_weekday {
            return vec![(self.month_days.clone(), self.weekdays.clone())];
        }
        vec![(self.month_days.clone(), all_week), (all_days, self.weekdays.clone())]
    }

    /// Whether one of its times is in `gap`, and none is at the end of the gap.
    pub(super) fn misses(&self, gap: &Gap) -> bool {
        let time = |hour: u8, minute: u8| u16::from(hour) * 60 + u16::from(minute);
        let any = |wanted: &dyn Fn(u16) -> bool| {
            self.hours.iter().any(|hour| self.minutes.iter().any(|m| wanted(time(hour, m))))
        };
        !any(&|time| time == gap.to)
            && self.months.has(gap.month)
            && any(&|time| (gap.from..gap.to).contains(&time))
    }
}

fn set(field: &str, range: RangeInclusive<u8>, names: &[&str], first: u8) -> Option<Set> {
    let number = |text: &str| -> Option<u8> {
        let named = names.iter().position(|name| *name == text);
        let value = match named {
            Some(position) => u8::try_from(position).ok()? + first,
            None if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) => {
                text.parse().ok()?
            }
            None => return None,
        };
        range.contains(&value).then_some(value)
    };
    let mut set = Set::none(&range);
    for part in field.split(',') {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (span, step.parse::<u8>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (start, end) = match span.split_once('-') {
            _ if span == "*" => (*range.start(), *range.end()),
            Some((start, end)) => (number(start)?, number(end)?),
            None if part.contains('/') => return None,
            None => (number(span)?, number(span)?),
        };
        (start..=end).step_by(step.into()).for_each(|value| set.add(value));
    }
    (!set.is_empty()).then_some(set)
}
