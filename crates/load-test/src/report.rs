//! The result of a load test.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    config::{Thresholds, Time},
    tally::Tally,
};

/// Whether a test was good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Verdict {
    /// All thresholds are met.
    Pass,
    /// Fewer good responses than required, but above the limit for a failure.
    Warning,
    /// Too few good responses, or too slow ones.
    Fail,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Warning => "WARNING",
            Self::Fail => "FAIL",
        })
    }
}

/// The result of a load test.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The worst verdict of all endpoints.
    pub verdict: Verdict,
    /// Why the verdict is not `PASS`.
    pub reasons: Vec<String>,
    /// All endpoints together.
    pub total: Figures,
    /// Each endpoint by itself, in the order of the file.
    pub endpoints: Vec<EndpointReport>,
    /// Each second of the measurement.
    pub seconds: Vec<SecondReport>,
}

/// The result of one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EndpointReport {
    /// Its name.
    pub name: String,
    /// Whether it was good enough.
    pub verdict: Verdict,
    /// Its figures.
    pub figures: Figures,
}

/// How many requests ended in one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SecondReport {
    /// How many.
    pub requests: u64,
    /// How many of them were not good.
    pub bad: u64,
}

/// The figures of one endpoint or of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// How many requests were measured.
    pub requests: u64,
    /// How many got a good response.
    pub good: u64,
    /// How many did not.
    pub bad: u64,
    /// The share with a good response, in percent.
    pub success_percent: f64,
    /// Requests per second, over the time in which any ended.
    pub rate: f64,
    /// The total size of the response bodies, in bytes.
    pub bytes: u64,
    /// How often each status was received.
    pub statuses: BTreeMap<u16, u64>,
    /// How often each kind of error happened.
    pub errors: BTreeMap<String, u64>,
    /// Milliseconds from when a request was due to the end of its response.
    pub response: Times,
    /// Milliseconds from when it was sent to the end of its response.
    pub service: Times,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
#[allow(missing_docs, reason = "average, shortest, percentiles and longest: the names say it")]
pub struct Times {
    pub average: f64,
    pub min: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// What the chart draws: 48 points from the median to 99.999 %.
    #[serde(skip)]
    pub(crate) curve: [f64; CURVE],
}

/// How many points the chart's curve has.
pub(crate) const CURVE: usize = 48;

/// The share of all requests that point `number` of the curve stands for.
pub(crate) fn curve_part(number: usize) -> f64 {
    1.0 - 10f64.powf(-5.0 * number as f64 / (CURVE - 1) as f64)
}

impl Report {
    pub(crate) fn new(endpoints: &[(String, Tally)], thresholds: &Thresholds) -> Self {
        let mut all: Option<Tally> = None;
        for (_, tally) in endpoints {
            match &mut all {
                Some(all) => all.merge(tally),
                None => all = Some(tally.clone()),
            }
        }
        let seconds: Vec<_> = all.as_ref().map_or(Vec::new(), |all| {
            let second =
                |(requests, bad): &(u64, u64)| SecondReport { requests: *requests, bad: *bad };
            all.seconds.iter().map(second).collect()
        });
        let mut reasons = Vec::new();
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|(name, tally)| {
                let figures = Figures::new(tally);
                let verdict = judge(name, &figures, thresholds, &mut reasons);
                EndpointReport { name: name.clone(), verdict, figures }
            })
            .collect();
        let verdict = endpoints.iter().map(|one| one.verdict).max().unwrap_or(Verdict::Fail);
        let total = all.as_ref().map_or_else(Figures::default, Figures::new);
        Self { verdict, reasons, total, endpoints, seconds }
    }
}

fn judge(
    name: &str,
    figures: &Figures,
    thresholds: &Thresholds,
    reasons: &mut Vec<String>,
) -> Verdict {
    if figures.requests == 0 {
        reasons.push(format!("{name}: no request was completed"));
        return Verdict::Fail;
    }
    let percent = figures.success_percent;
    let mut verdict = Verdict::Pass;
    if percent < thresholds.pass {
        let (least, bad) = if percent < thresholds.warn {
            (thresholds.warn, Verdict::Fail)
        } else {
            (thresholds.pass, Verdict::Warning)
        };
        verdict = bad;
        reasons.push(format!(
            "{name}: {percent:.2} % of the responses were good, less than {least} %"
        ));
    }
    let mut slow = |what: &str, is: f64, most: Option<Time>| {
        let Some(most) = most.map(|most| most.duration().as_secs_f64() * 1e3) else { return };
        if is > most {
            verdict = Verdict::Fail;
            reasons.push(format!("{name}: {what} is {is:.1} ms, more than {most} ms"));
        }
    };
    slow("the 95th percentile", figures.response.p95, thresholds.p95);
    slow("the 99th percentile", figures.response.p99, thresholds.p99);
    verdict
}

impl Figures {
    fn new(tally: &Tally) -> Self {
        let requests = tally.good + tally.bad;
        Self {
            requests,
            good: tally.good,
            bad: tally.bad,
            success_percent: tally.good as f64 * 100.0 / requests.max(1) as f64,
            rate: requests as f64 / tally.elapsed().as_secs_f64().max(1e-6),
            bytes: tally.bytes,
            statuses: tally.statuses.clone(),
            errors: tally.errors.clone(),
            response: Times::new(&tally.response),
            service: Times::new(&tally.service),
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        let [average, min, p50, p90, p95, p99, p999, max] = [0.0; 8];
        Self { average, min, p50, p90, p95, p99, p999, max, curve: [0.0; CURVE] }
    }
}

impl Times {
    fn new(micros: &Histogram<u64>) -> Self {
        if micros.is_empty() {
            return Self::default();
        }
        let at = |part: f64| micros.value_at_quantile(part) as f64 / 1e3;
        Self {
            average: micros.mean() / 1e3,
            min: micros.min() as f64 / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: micros.max() as f64 / 1e3,
            curve: std::array::from_fn(|number| at(curve_part(number))),
        }
    }
}
