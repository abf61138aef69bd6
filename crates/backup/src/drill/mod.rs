//! Drills: a snapshot restored into a throw-away place, compared with its index, and removed again.

pub(crate) mod read_back;
#[cfg(any(feature = "files", feature = "sqlite", feature = "postgres"))]
pub(crate) mod scratch;

use std::path::PathBuf;

use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result, Timestamp};
use serde::Serialize;

#[cfg(feature = "postgres")]
use crate::sources::postgres::{ConnectOptions, ThrowAwayServer};
use crate::{
    format::{CheckKind, CheckOutcome, CheckRecord, PayloadKind, SnapshotId},
    restore::RestoreOptions,
    snapshot::Snapshot,
};

/// How many findings are kept of a source, and named in a record.
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
    #[cfg_attr(
        not(any(feature = "files", feature = "sqlite", feature = "postgres")),
        allow(dead_code, reason = "nothing is restored without them")
    )]
    pub(crate) fn restore_options(&self) -> RestoreOptions {
        RestoreOptions { workers: self.workers, temp: self.temp.clone() }
    }
}

/// One source of a snapshot, and how it is tried out.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    pub(crate) source: Name,
    pub(crate) checks: Vec<String>,
    #[cfg(feature = "postgres")]
    pub(crate) server: Option<Server>,
}

/// Where a PostgreSQL database is restored to.
#[cfg(feature = "postgres")]
#[derive(Clone, Debug)]
pub(crate) enum Server {
    Running { options: ConnectOptions, connections: usize },
    ThrowAway { server: ThrowAwayServer, connections: usize },
}

impl Rehearsal {
    /// Tries `source` out. A PostgreSQL database needs a server as well.
    pub fn new(source: Name) -> Self {
        Self {
            source,
            checks: Vec::new(),
            #[cfg(feature = "postgres")]
            server: None,
        }
    }

    /// Asks the restored database these questions in SQL. Each must answer with a row whose first
    /// value is true: `true`, or a number other than zero.
    #[must_use]
    pub fn checks(mut self, checks: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.checks = checks.into_iter().map(Into::into).collect();
        self
    }

    /// Restores into a scratch database of the server that `options` leads to, over so many
    /// connections.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn on_server(mut self, options: ConnectOptions, connections: usize) -> Self {
        self.server = Some(Server::Running { options, connections });
        self
    }

    /// Restores into a server that is made for the purpose, over so many connections.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn on_throw_away(mut self, server: ThrowAwayServer, connections: usize) -> Self {
        self.server = Some(Server::ThrowAway { server, connections });
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
    /// Whether every source of the snapshot was tried out.
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
    /// How it went.
    pub outcome: CheckOutcome,
    /// Files, databases or tables that were restored and compared.
    pub compared: u64,
    /// Rows that were compared, where rows are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes that were restored.
    pub bytes: u64,
    /// How many questions in SQL were answered well.
    pub checks: u64,
    /// What is wrong, or why it could not be told; twenty at most.
    pub findings: Vec<String>,
    /// What could not be restored here as it was and says nothing about the snapshot, such as an
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

/// What trying one source out came to.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) compared: u64,
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) checks: u64,
    pub(crate) findings: Findings,
    pub(crate) notes: Vec<String>,
    /// Why a finding here says nothing about the snapshot.
    pub(crate) doubt: Option<String>,
}

/// The first findings, and how many more there are.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) first: Vec<String>,
    pub(crate) more: usize,
}

impl Findings {
    pub(crate) fn push(&mut self, finding: impl Into<String>) {
        if self.first.len() + 1 < MAX_FINDINGS {
            self.first.push(finding.into());
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn into_vec(mut self) -> Vec<String> {
        if self.more > 0 {
            self.first.push(format!("and {} more", self.more));
        }
        self.first
    }
}

/// Tries `rehearsals` out, one after another. What is wrong with the snapshot, or why it cannot be
/// told here, is in the report; whatever was made for it is removed, also where this fails.
///
/// Fails with [`ErrorKind::Cancelled`], and where the snapshot does not hold a source.
pub async fn drill(
    snapshot: &Snapshot,
    rehearsals: Vec<Rehearsal>,
    options: &DrillOptions,
    cx: &Context,
) -> Result<DrillReport> {
    let started = cx.now();
    let held = &snapshot.manifest().sources;
    let complete = held.iter().all(|held| rehearsals.iter().any(|r| r.source == held.name));
    let mut sources = Vec::new();
    for rehearsal in rehearsals {
        sources.push(one(snapshot, &rehearsal, options, cx).await?);
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
    rehearsal: &Rehearsal,
    options: &DrillOptions,
    cx: &Context,
) -> Result<SourceDrill> {
    cx.check("drill")?;
    let name = &rehearsal.source;
    let held = snapshot.manifest().sources.iter().find(|held| held.name == *name);
    let held = held.ok_or_else(|| {
        let message = format!("{}@{} holds no source {name}", snapshot.job(), snapshot.id());
        Error::new(ErrorKind::NotFound, "drill", message)
    })?;
    let task = format!("drill {}: {name}", snapshot.job());
    let started = cx.now();
    let tried = try_out(snapshot, &held.kind, rehearsal, options, cx).await;
    let elapsed = cx.now().since(started);
    cx.check("drill")?;
    let (found, outcome) = match tried {
        Ok(found) if found.findings.first.is_empty() => (found, CheckOutcome::Ok),
        Ok(mut found) => match found.doubt.take() {
            Some(doubt) => {
                found.findings.first.insert(0, doubt);
                (found, CheckOutcome::Inconclusive)
            }
            None => (found, CheckOutcome::Failed),
        },
        Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
        Err(error) => {
            let outcome = judge(&error);
            let mut found = Found::default();
            let remedy = error.remedy().map_or_else(String::new, |remedy| format!(" ({remedy})"));
            found.findings.push(format!("{}{remedy}", error.chain()));
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
        findings: found.findings.into_vec(),
        notes: found.notes,
        seconds: elapsed.as_secs_f64(),
    })
}

/// Whether an error speaks of the snapshot, or of the place where it was tried out.
fn judge(error: &Error) -> CheckOutcome {
    match error.kind() {
        ErrorKind::Damaged | ErrorKind::Source => CheckOutcome::Failed,
        _ => CheckOutcome::Inconclusive,
    }
}

async fn try_out(
    snapshot: &Snapshot,
    kind: &str,
    rehearsal: &Rehearsal,
    options: &DrillOptions,
    cx: &Context,
) -> Result<Found> {
    #[cfg(feature = "files")]
    if kind == PayloadKind::TAR.as_str() {
        return crate::sources::files::drill::drill(snapshot, &rehearsal.source, options, cx).await;
    }
    #[cfg(feature = "sqlite")]
    if kind == PayloadKind::SQLITE.as_str() {
        return crate::sources::sqlite::drill::drill(snapshot, rehearsal, options, cx).await;
    }
    #[cfg(feature = "postgres")]
    if kind == PayloadKind::SQL.as_str() {
        return crate::sources::postgres::drill::drill(snapshot, rehearsal, options, cx).await;
    }
    let known = [PayloadKind::TAR, PayloadKind::SQLITE, PayloadKind::SQL];
    if known.iter().any(|known| known.as_str() == kind) {
        let message = format!("this build cannot restore a payload of kind {kind:?}");
        return Err(Error::new(ErrorKind::Unsupported, "drill", message));
    }
    read_back::drill(snapshot, &rehearsal.source, options, cx).await
}

/// Whether a database means true by `text`.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn is_true(text: &str) -> bool {
    matches!(text, "t" | "true") || text.parse().is_ok_and(|number: f64| number != 0.0)
}
