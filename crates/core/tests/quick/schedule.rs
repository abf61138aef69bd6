//! Schedules against a naive oracle that walks through time minute by minute.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, civil::DateTime, tz};
use proptest::{prelude::*, sample::select};
use seaworthy_core::{Schedule, TimeZone};

/// Zones with the noon, by UTC, two days before their clocks change.
const CHANGES: [(&str, &str); 12] = [
    ("Europe/Paris", "2026-03-27T12:00:00Z"),
    ("Europe/Paris", "2026-10-23T12:00:00Z"),
    ("America/New_York", "2027-03-12T12:00:00Z"),
    ("America/New_York", "2026-10-30T12:00:00Z"),
    // Half an hour.
    ("Australia/Lord_Howe", "2026-10-01T12:00:00Z"),
    ("Australia/Lord_Howe", "2027-04-01T12:00:00Z"),
    // At midnight.
    ("America/Havana", "2026-03-06T12:00:00Z"),
    ("America/Havana", "2026-10-30T12:00:00Z"),
    // A day that never was.
    ("Pacific/Apia", "2011-12-28T12:00:00Z"),
    // Not on a full hour.
    ("America/St_Johns", "2006-03-31T12:00:00Z"),
    ("Asia/Kolkata", "2026-11-20T12:00:00Z"),
    ("UTC", "2026-11-20T12:00:00Z"),
];
const DAYS: i64 = 6;

/// What a schedule names, apart from any text.
#[derive(Clone, Debug)]
struct Fields {
    minutes: Field,
    hours: Field,
    days: Field,
    weekdays: Field,
}

#[derive(Clone, Debug)]
struct Field {
    text: String,
    values: BTreeSet<i8>,
}

impl Fields {
    fn text(&self) -> String {
        let [minutes, hours] = [&self.minutes.text, &self.hours.text];
        format!("{minutes} {hours} {} * {}", self.days.text, self.weekdays.text)
    }

    fn name(&self, wall: DateTime) -> bool {
        let day = self.days.values.contains(&wall.day());
        let weekday = self.weekdays.values.contains(&wall.weekday().to_sunday_zero_offset());
        let on_this_day = match (self.days.text.as_str(), self.weekdays.text.as_str()) {
            ("*", _) | (_, "*") => day && weekday,
            _ => day || weekday,
        };
        self.minutes.values.contains(&wall.minute())
            && self.hours.values.contains(&wall.hour())
            && on_this_day
    }
}

/// A star, or a step, or what [`named`] gives.
fn field(min: i8, max: i8) -> impl Strategy<Value = Field> {
    prop_oneof![
        Just(Field { text: "*".into(), values: (min..=max).collect() }),
        select(vec![2_i8, 5, 15]).prop_map(move |step| Field {
            text: format!("*/{step}"),
            values: (min..=max).step_by(step.unsigned_abs().into()).collect(),
        }),
        named(min, max),
    ]
}

/// A range, or a list of one to three values.
fn named(min: i8, max: i8) -> impl Strategy<Value = Field> {
    prop_oneof![
        (min..=max, min..=max).prop_map(|(a, b)| {
            let (from, to) = (a.min(b), a.max(b));
            Field { text: format!("{from}-{to}"), values: (from..=to).collect() }
        }),
        prop::collection::btree_set(min..=max, 1..4).prop_map(|values| {
            let words: Vec<_> = values.iter().map(ToString::to_string).collect();
            Field { text: words.join(","), values }
        }),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    // Clocks change at night.
    let hours = prop_oneof![field(0, 23), named(0, 3)];
    (field(0, 59), hours, field(1, 31), field(0, 6))
        .prop_map(|(minutes, hours, days, weekdays)| Fields { minutes, hours, days, weekdays })
}

/// Every time from `start` on at which one of the named times is shown first, or skipped.
fn oracle(fields: &Fields, start: Timestamp, zone: &tz::TimeZone) -> Vec<Timestamp> {
    let minute = 1.minute();
    let mut due = Vec::new();
    // The last time on the clock that was dealt with.
    let mut dealt = zone.to_datetime(start);
    for passed in 1..=DAYS * 24 * 60 {
        let moment = start.checked_add(minute.checked_mul(passed).unwrap()).unwrap();
        let shown = zone.to_datetime(moment);
        let mut is_due = false;
        while dealt < shown {
            dealt = dealt.checked_add(minute).unwrap();
            is_due |= fields.name(dealt);
        }
        if is_due {
            due.push(moment);
        }
    }
    due
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_named_time_is_due_once(fields in fields(), (name, start) in select(CHANGES.to_vec())) {
        let zone = tz::TimeZone::get(name).unwrap();
        let start: Timestamp = start.parse().unwrap();
        let expected = oracle(&fields, start, &zone);
        let schedule: Schedule = fields.text().parse().unwrap();
        let zone = TimeZone::named(name).unwrap();
        let end = start.checked_add((DAYS * 24).hours()).unwrap();
        let mut found = Vec::new();
        let mut after: seaworthy_core::Timestamp = start.to_string().parse().unwrap();
        while let Some(next) = schedule.next_after(after, &zone) {
            let moment: Timestamp = next.to_string().parse().unwrap();
            if moment > end {
                break;
            }
            found.push(moment);
            after = next;
        }
        prop_assert_eq!(found, expected, "{} in {}", schedule, name);
    }
}
