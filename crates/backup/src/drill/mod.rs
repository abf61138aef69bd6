//! Drills: a snapshot is restored into a temporary place, compared with its index, and removed
//! again.

mod config;
mod read_back;
#[cfg(any(feature = "files", feature = "sqlite", feature = "postgres"))]
mod scratch;

use std::{fmt::Debug, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result, Timestamp};
use serde::Serialize;

use crate::{
    format::{CheckKind, CheckOutcome, CheckRecord, SnapshotId},
    restore::{Restoration, RestoreOptions, RestoreReport, RestoreTarget, Selection, restore},
    snapshot::{PayloadReader, Snapshot},
};

pub use config::{CheckConfig, CheckOf, DrillConfig, DrillServer};
pub use read_back::ReadBack;
#[cfg(feature = "postgres")]
pub(crate) use read_back::read_frames;
#[cfg(any(feature = "files", feature = "sqlite", feature = "postgres"))]
pub(crate) use {read_back::panicked, scratch::Scratch};

/// How many findings are kept per source, and listed in a record.
const MAX_FINDINGS: usize = 20;

/// How a drill runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DrillOptions {
    /// How many threads fetch, decode and compare at a time.
    pub workers: usize,
    /// Where files and SQLite databases are restored to, in a folder that is removed again.
    pub temp: PathBuf,
}

impl Default for DrillOptions {
    /// A worker per processor, the system's folder for temporary files.
    fn default() -> Self {
        let run = crate::options::RunOptions::default();
        Self { workers: run.workers, temp: run.temp }
    }
}

impl DrillOptions {
    fn restore_options(&self) -> RestoreOptions {
        RestoreOptions { workers: self.workers, temp: self.temp.clone() }
    }
}

/// How a payload is tried out: restored to a throw-away place and compared with its index, as far
/// as its kind can be.
#[async_trait]
pub trait Drill: Debug + Send + Sync + 'static {
    /// Tries `payload` out, and removes whatever it made for that, also where it fails.
    ///
    /// What is wrong with the payload is found; an error of the kinds
    /// [`Damaged`](ErrorKind::Damaged) and [`Source`](ErrorKind::Source) speaks of it as well. Any
    /// other error says why it cannot be told here.
    async fn run(&self, payload: DrillPayload<'_>, cx: &Context) -> Result<Found>;
}

/// A payload that is tried out.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DrillPayload<'a> {
    /// The snapshot that holds it.
    pub snapshot: &'a Snapshot,
    /// The source that made it.
    pub source: &'a Name,
    /// Questions in SQL. Each must answer with a row whose first value is true: `true`, or a number
    /// other than zero.
    pub checks: &'a [String],
    /// How the drill runs.
    pub options: &'a DrillOptions,
}

impl DrillPayload<'_> {
    /// Reads the payload.
    pub async fn reader(&self, cx: &Context) -> Result<PayloadReader> {
        let index = self.snapshot.index(&self.options.temp, cx).await?;
        self.snapshot.payload(&index, self.source, self.options.workers)
    }

    /// Restores the whole payload to `target`.
    pub async fn restore(&self, target: impl RestoreTarget, cx: &Context) -> Result<RestoreReport> {
        let restoration = Restoration::new(self.source.clone(), Box::new(target), Selection::all());
        let options = self.options.restore_options();
        let reports = restore(self.snapshot, vec![restoration], &options, cx).await?;
        Ok(reports.into_iter().next().unwrap_or_default())
    }
}

/// The drill of a payload that this build cannot restore.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeftOut;

#[async_trait]
impl Drill for LeftOut {
    async fn run(&self, payload: DrillPayload<'_>, _: &Context) -> Result<Found> {
        let message = format!("this build cannot restore the payload of {}", payload.source);
        Err(Error::new(ErrorKind::Unsupported, "drill", message)
            .remedy_is("build it with the feature of that kind"))
    }
}

/// One source of a snapshot, and how it is drilled.
#[derive(Clone, Debug)]
pub struct DrillPlan {
    source: Name,
    drill: Arc<dyn Drill>,
    checks: Vec<String>,
}

impl DrillPlan {
    /// Tries `source` out by `drill`.
    pub fn new(source: Name, drill: Arc<dyn Drill>) -> Self {
        Self { source, drill, checks: Vec::new() }
    }

    /// Runs these SQL queries on the restored database. Each must return a row whose first value is
    /// true: `true`, or a number other than zero.
    #[must_use]
    pub fn checks(mut self, checks: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.checks = checks.into_iter().map(Into::into).collect();
        self
    }
}

/// What a drill found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DrillReport {
    /// The snapshot.
    pub id: SnapshotId,
    /// The worst outcome of its sources.
    pub outcome: CheckOutcome,
    /// Whether every source of the snapshot was drilled.
    pub complete: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What was found in each source.
    pub sources: Vec<SourceDrill>,
}

/// What a drill found in one source.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SourceDrill {
    /// The source.
    pub source: Name,
    /// What its payload is: `tar`, `sqlite`, `sql`, ….
    pub kind: String,
    /// The outcome.
    pub outcome: CheckOutcome,
    /// Files, databases or tables that were restored and compared.
    pub compared: u64,
    /// Rows that were compared, if the rows are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes that were restored.
    pub bytes: u64,
    /// How many SQL queries passed.
    pub checks: u64,
    /// What is wrong, or why it could not be determined; at most twenty.
    pub findings: Vec<String>,
    /// What could not be restored here exactly, without being a fault of the snapshot, such as an
    /// owner that only root can set.
    pub notes: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl DrillReport {
    /// The record of this drill, for the snapshot's `checks/`.
    pub fn to_record(&self, time: Timestamp) -> CheckRecord {
        let named = |source: &SourceDrill| {
            let name = source.source.clone();
            source.findings.clone().into_iter().map(move |finding| format!("{name}: {finding}"))
        };
        CheckRecord {
            time,
            kind: CheckKind::Drill,
            outcome: self.outcome,
            complete: self.complete,
            findings: self
                .sources
                .iter()
                .filter(|source| source.outcome == self.outcome)
                .flat_map(named)
                .take(MAX_FINDINGS)
                .collect(),
            sealed: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// What trying one payload out came to.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Found {
    /// Files, databases or tables that were restored and compared.
    pub compared: u64,
    /// Rows that were compared, if the rows are known.
    pub rows: Option<u64>,
    /// Bytes that were restored.
    pub bytes: u64,
    /// How many SQL queries passed.
    pub checks: u64,
    /// What could not be restored here as it was and says nothing about the snapshot.
    pub notes: Vec<String>,
    /// Why what is wrong here says nothing about the snapshot.
    pub doubt: Option<String>,
    /// What is wrong.
    pub faults: Faults,
}

/// What is wrong with a payload: the first faults, and how many more there are.
#[derive(Debug, Default)]
pub struct Faults {
    first: Vec<String>,
    more: usize,
}

impl Faults {
    /// Adds one.
    pub fn push(&mut self, fault: impl Into<String>) {
        if self.first.len() + 1 < MAX_FINDINGS {
            self.first.push(fault.into());
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(crate) fn into_vec(mut self) -> Vec<String> {
        if self.more > 0 {
            self.first.push(format!("and {} more", self.more));
        }
        self.first
    }
}

/// Tries `plans` out, one after another. What is wrong with the snapshot, or why it cannot be
/// told here, is in the report; whatever was made for it is removed, also where this fails.
///
/// Fails with [`ErrorKind::Cancelled`], and if the snapshot does not contain a source.
pub async fn drill(
    snapshot: &Snapshot,
    plans: Vec<DrillPlan>,
    options: &DrillOptions,
    cx: &Context,
) -> Result<DrillReport> {
    let started = cx.now();
    let held = &snapshot.manifest().sources;
    let complete = held.iter().all(|held| plans.iter().any(|plan| plan.source == held.name));
    let mut sources = Vec::new();
    for plan in plans {
        sources.push(one(snapshot, &plan, options, cx).await?);
    }
    let rank = |outcome| match outcome {
        CheckOutcome::Ok => 0,
        CheckOutcome::Inconclusive => 1,
        CheckOutcome::Failed => 2,
    };
    let outcomes = sources.iter().map(|source| source.outcome);
    let outcome =
        outcomes.max_by_key(|outcome| rank(*outcome)).unwrap_or(CheckOutcome::Inconclusive);
    let (id, seconds) = (snapshot.id().clone(), cx.now().since(started).as_secs_f64());
    Ok(DrillReport { id, outcome, complete, seconds, sources })
}

async fn one(
    snapshot: &Snapshot,
    plan: &DrillPlan,
    options: &DrillOptions,
    cx: &Context,
) -> Result<SourceDrill> {
    cx.check("drill")?;
    let name = &plan.source;
    let held = snapshot.manifest().sources.iter().find(|held| held.name == *name);
    let held = held.ok_or_else(|| {
        let message =
            format!("the snapshot {}@{} has no source {name}", snapshot.job(), snapshot.id());
        Error::new(ErrorKind::NotFound, "drill", message)
    })?;
    let task = format!("drill {}: {name}", snapshot.job());
    let started = cx.now();
    let payload = DrillPayload { snapshot, source: name, checks: &plan.checks, options };
    let tried = plan.drill.run(payload, cx).await;
    let elapsed = cx.now().since(started);
    cx.check("drill")?;
    let (found, outcome) = match tried {
        Ok(found) if found.faults.is_empty() => (found, CheckOutcome::Ok),
        Ok(mut found) => match found.doubt.take() {
            Some(doubt) => {
                found.faults.first.insert(0, doubt);
                (found, CheckOutcome::Inconclusive)
            }
            None => (found, CheckOutcome::Failed),
        },
        Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
        Err(error) => {
            let outcome = judge(&error);
            let mut found = Found::default();
            let remedy = error.remedy().map_or_else(String::new, |remedy| format!(" ({remedy})"));
            found.faults.push(format!("{}{remedy}", error.chain()));
            (found, outcome)
        }
    };
    cx.emit(Event::Finished { task, elapsed });
    Ok(SourceDrill {
        source: name.clone(),
        kind: held.kind.clone(),
        outcome,
        compared: found.compared,
        rows: found.rows,
        bytes: found.bytes,
        checks: found.checks,
        findings: found.faults.into_vec(),
        notes: found.notes,
        seconds: elapsed.as_secs_f64(),
    })
}

/// Whether an error is about the snapshot, or about the place of the drill.
fn judge(error: &Error) -> CheckOutcome {
    match error.kind() {
        ErrorKind::Damaged | ErrorKind::Source => CheckOutcome::Failed,
        _ => CheckOutcome::Inconclusive,
    }
}

/// Whether `text` is a database's value for true.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn is_true(text: &str) -> bool {
    matches!(text, "t" | "true") || text.parse().is_ok_and(|number: f64| number != 0.0)
}
