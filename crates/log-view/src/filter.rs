//! Which records are wanted.

use regex::bytes::{Regex, RegexBuilder};
use seaworthy_core::{Error, ErrorKind, Result, Timestamp};

use crate::{clock::Nanos, level::Level};

/// Selects records: by default, all of them.
///
/// A line without a timestamp and level, such as one of a stack trace, has those of the record that
/// it belongs to.
///
/// ```
/// use seaworthy_log_view::{Filter, Level};
/// let errors_of_the_api = Filter::new().at_least(Level::Error).matching("/api/")?;
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Filter {
    level: Option<Level>,
    since: Option<Nanos>,
    until: Option<Nanos>,
    pub(crate) pattern: Option<Regex>,
}

impl Filter {
    /// A filter that lets everything through.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only records at least as severe as `level`. [`Level::Info`] also lets records without a
    /// level through.
    #[must_use]
    pub fn at_least(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Only records from `since` on.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since.as_unix().saturating_mul(1_000_000_000));
        self
    }

    /// Only records before `until`.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until.as_unix().saturating_mul(1_000_000_000));
        self
    }

    /// Only lines that match this regular expression, in the syntax of the crate `regex`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an invalid pattern.
    pub fn matching(mut self, pattern: &str) -> Result<Self> {
        let regex = RegexBuilder::new(pattern).multi_line(true).build().map_err(|source| {
            let message = format!("{pattern:?} is not a regular expression");
            Error::new(ErrorKind::InvalidInput, "logs.grep", message).caused_by(source)
        })?;
        self.pattern = Some(regex);
        Ok(self)
    }

    /// Only records from this time on: seconds since 1970.
    pub(crate) fn since_unix(&self) -> Option<i64> {
        self.since.map(|since| since / 1_000_000_000)
    }

    /// Only records before this time: seconds since 1970.
    pub(crate) fn until_unix(&self) -> Option<i64> {
        self.until.map(|until| until / 1_000_000_000)
    }

    pub(crate) fn asks_for_time(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    pub(crate) fn asks_for_facts(&self) -> bool {
        self.level.is_some() || self.asks_for_time()
    }

    /// Whether a record passes, apart from its text.
    pub(crate) fn takes(&self, time: Option<Nanos>, gravity: Option<Level>) -> bool {
        let grave = match (self.level, gravity) {
            (Some(least), Some(gravity)) => gravity >= least,
            (Some(least), None) => least <= Level::Info,
            (None, _) => true,
        };
        let in_time = match time {
            Some(time) => {
                self.since.is_none_or(|since| time >= since)
                    && self.until.is_none_or(|until| time < until)
            }
            None => !self.asks_for_time(),
        };
        grave && in_time
    }
}
