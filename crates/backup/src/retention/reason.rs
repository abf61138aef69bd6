//! Why a snapshot is kept or removed, as text and as data.

use std::fmt;

use seaworthy_core::{Civil, Name, Span, Timestamp};
use serde::Serialize;

use crate::format::HostId;

/// Why a snapshot is kept or removed. Prints as text for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Kept: one of the newest.
    Last {
        /// Its place, from 1 for the newest.
        nth: u32,
        /// How many the rule keeps.
        of: u32,
    },
    /// Kept: the newest of its hour, day, week, month or year.
    Period {
        /// Which kind of period.
        every: Period,
        /// The period's place, from 1 for the newest that has a snapshot.
        nth: u32,
        /// How many periods the rule keeps.
        of: u32,
        /// The period, such as `2026-11-20` or `2026-W47`.
        period: String,
    },
    /// Kept: recent enough.
    Within {
        /// The duration of the rule.
        within: Span,
        /// The oldest time that it keeps.
        since: Timestamp,
    },
    /// Kept: the newest good backup of its host.
    NewestGood,
    /// Kept: somebody pinned it.
    Pinned,
    /// Kept: dated more than an hour after now.
    Future {
        /// When it claims to have begun.
        time: Timestamp,
    },
    /// Kept: damaged; a person should check it.
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// Kept: not signed by a trusted key.
    Untrusted {
        /// What is wrong.
        why: String,
    },
    /// Kept: a newer version of Seaworthy wrote it.
    NewerFormat {
        /// What is wrong.
        why: String,
    },
    /// Kept: another host made it.
    OtherHost {
        /// That host.
        host: HostId,
    },
    /// Kept: its host is unknown.
    UnknownHost,
    /// Kept: made before a restore in place, not long ago.
    Safety,
    /// Kept: suspect, and there is no good backup.
    SuspectAlone,
    /// Kept: suspect, and not older than every good backup that is kept.
    Suspect,
    /// Kept: replicas do not have it yet.
    Held {
        /// The sinks that wait for it.
        replicas: Vec<Name>,
    },
    /// Kept: the job has no policy.
    NoPolicy,
    /// Kept: the policy does not mention it.
    Unmentioned,
    /// Removed: no rule keeps it.
    NoRule,
    /// Removed: made before a restore in place, long ago.
    SafetyOver,
    /// Removed: suspect, and older than every good backup that is kept.
    SuspectOver,
    /// Kept or removed, for a reason of a policy of your own.
    Other {
        /// The reason, in words that follow `keep` or `remove`.
        why: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last { nth, of } => write!(f, "last {nth} of {of}"),
            Self::Period { every, nth, of, period } => {
                write!(f, "{} {nth} of {of} ({period})", every.name())
            }
            Self::Within { within, .. } => write!(f, "within {within}"),
            Self::Held { replicas } => {
                let names: Vec<_> = replicas.iter().map(Name::as_str).collect();
                write!(f, "still to be copied to {}", names.join(" and "))
            }
            Self::NewestGood => f.write_str("newest good snapshot"),
            Self::Pinned => f.write_str("pinned"),
            Self::Future { time } => write!(f, "dated in the future: {time}"),
            Self::Damaged { why } => write!(f, "damaged: {why}"),
            Self::Untrusted { why } => write!(f, "untrusted: {why}"),
            Self::NewerFormat { why } => write!(f, "newer format: {why}"),
            Self::OtherHost { .. } => f.write_str("made by another host"),
            Self::UnknownHost => f.write_str("made by an unknown host"),
            Self::Safety => f.write_str("safety snapshot, kept for 14 days"),
            Self::SuspectAlone => f.write_str("suspect, but there is no good snapshot"),
            Self::Suspect => f.write_str("suspect, until older than every good snapshot kept"),
            Self::NoPolicy => f.write_str("the job has no `keep`"),
            Self::Unmentioned => f.write_str("the policy does not mention it"),
            Self::NoRule => f.write_str("no rule keeps it"),
            Self::SafetyOver => f.write_str("safety snapshot older than 14 days"),
            Self::SuspectOver => f.write_str("suspect, and older than every good snapshot kept"),
            Self::Other { why } => f.write_str(why),
        }
    }
}

/// A kind of calendar period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// An hour in local time; the two hours of a fold are different.
    Hourly,
    /// A calendar day.
    Daily,
    /// A week of ISO 8601, from Monday.
    Weekly,
    /// A calendar month.
    Monthly,
    /// A calendar year.
    Yearly,
}

impl Period {
    /// One word, as in the file: `hourly`, `daily`, `weekly`, `monthly` or `yearly`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }

    /// The period of `time`: equal texts are the same period.
    pub(super) fn of(self, time: &Civil) -> String {
        let Civil { year, month, day, hour, week_year, week, offset_seconds, .. } = *time;
        match self {
            Self::Hourly => {
                let sign = if offset_seconds < 0 { '-' } else { '+' };
                let (offset, seconds) =
                    (offset_seconds.unsigned_abs() / 60, offset_seconds.unsigned_abs() % 60);
                let (hours, minutes) = (offset / 60, offset % 60);
                let mut text = format!(
                    "{year:04}-{month:02}-{day:02} {hour:02}:00{sign}{hours:02}:{minutes:02}"
                );
                if seconds != 0 {
                    text.push_str(&format!(":{seconds:02}"));
                }
                text
            }
            Self::Daily => format!("{year:04}-{month:02}-{day:02}"),
            Self::Weekly => format!("{week_year:04}-W{week:02}"),
            Self::Monthly => format!("{year:04}-{month:02}"),
            Self::Yearly => format!("{year:04}"),
        }
    }
}
