//! What was measured of one endpoint.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use seaworthy_core::{Error, ErrorKind, Result};

/// The longest time that is distinguished, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// What was measured of one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Microseconds from when a request was due to the end of its response.
    pub(crate) response: Histogram<u64>,
    /// Microseconds from when it was sent to the end of its response.
    pub(crate) service: Histogram<u64>,
    pub(crate) good: u64,
    pub(crate) bad: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Requests that ended in each second, and how many of them were not good.
    pub(crate) seconds: Vec<(u64, u64)>,
    /// When the first one was sent and the last one ended, since the measurement began.
    pub(crate) span: Option<(Duration, Duration)>,
}

/// How one request ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) response: Duration,
    pub(crate) service: Duration,
    /// Since the measurement began.
    pub(crate) at: Duration,
    pub(crate) answer: Result<Answer, &'static str>,
    pub(crate) good: bool,
}

/// A response that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) bytes: u64,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        let histogram = || {
            Histogram::new_with_bounds(1, LONGEST, 3).map_err(|e| {
                Error::new(ErrorKind::Internal, "load_test.measure", "no histogram").caused_by(e)
            })
        };
        Ok(Self {
            response: histogram()?,
            service: histogram()?,
            good: 0,
            bad: 0,
            bytes: 0,
            errors: BTreeMap::new(),
            statuses: BTreeMap::new(),
            seconds: Vec::new(),
            span: None,
        })
    }

    pub(crate) fn add(&mut self, ended: &Ended) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        self.response.saturating_record(micros(ended.response));
        self.service.saturating_record(micros(ended.service));
        self.widen((ended.at.saturating_sub(ended.service), ended.at));
        match ended.answer {
            Ok(answer) => {
                self.bytes += answer.bytes;
                *self.statuses.entry(answer.status).or_default() += 1;
                if !ended.good {
                    self.error(&format!("status {}", answer.status));
                }
            }
            Err(kind) => self.error(kind),
        }
        let second = usize::try_from(ended.at.as_secs()).unwrap_or(usize::MAX).min(86_400);
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, (0, 0));
        }
        self.seconds[second].0 += 1;
        if ended.good {
            self.good += 1;
        } else {
            self.bad += 1;
            self.seconds[second].1 += 1;
        }
    }

    /// How long it was measured.
    pub(crate) fn elapsed(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(first, last)| last - first)
    }

    fn widen(&mut self, (first, last): (Duration, Duration)) {
        let (from, to) = self.span.unwrap_or((first, last));
        self.span = Some((from.min(first), to.max(last)));
    }

    fn error(&mut self, kind: &str) {
        match self.errors.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.errors.insert(kind.to_owned(), 1)),
        }
    }

    /// Adds another shard's measurements.
    pub(crate) fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so this cannot fail.
        let _ = self.response.add(&other.response);
        let _ = self.service.add(&other.service);
        self.good += other.good;
        self.bad += other.bad;
        self.bytes += other.bytes;
        other.span.into_iter().for_each(|span| self.widen(span));
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        if self.seconds.len() < other.seconds.len() {
            self.seconds.resize(other.seconds.len(), (0, 0));
        }
        for (mine, others) in self.seconds.iter_mut().zip(&other.seconds) {
            mine.0 += others.0;
            mine.1 += others.1;
        }
    }
}
