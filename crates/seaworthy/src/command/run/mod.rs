//! `run`: everything that is due now, called by the timer.

mod stages;
mod watch;

use seaworthy_core::{Context, Error, ErrorKind, FileLock, Name, Result, Timestamp, durable};
use serde::{Deserialize, Serialize};

pub use watch::Overdue;

use super::{CertRun, Drilled, JobResult, Pruned, Synced, request};
use crate::{
    ErrorDocument, Outcome, Reply, Seaworthy,
    due::{Memory, Reason, When},
};

/// The request of `run`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct RunRequest {
    /// Do nothing and print what is due, and what is next.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
}

request!(RunRequest, "run", run -> RunResult);

/// The result of `run`.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct RunResult {
    /// What was due, in the order in which it was done.
    pub tasks: Vec<Task>,
    /// What is due next.
    pub next: Option<Next>,
    /// Jobs with an overdue backup, if this was checked: the sinks are asked once for each backup,
    /// and hourly while it is late.
    pub overdue: Vec<Overdue>,
    /// Another run that is already active: then nothing was done.
    pub other: Option<String>,
    /// Whether it was a dry run.
    pub dry_run: bool,
}

/// Something that was due.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Task {
    /// What it is.
    pub kind: TaskKind,
    /// The job or the certificate.
    pub name: Name,
    /// The sink, if it concerns one.
    pub sink: Option<Name>,
    /// Why it was due.
    #[serde(flatten)]
    pub reason: Reason,
    /// How it ended; `None` if it was not done.
    pub outcome: Option<Outcome>,
    /// Why it was left to another process that is already doing it.
    pub skipped: Option<String>,
    /// What went wrong.
    pub error: Option<ErrorDocument>,
    /// Its result.
    pub report: Option<TaskReport>,
}

/// What can be due, in the order in which it is done: short tasks before long ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskKind {
    /// A certificate is issued, renewed or deployed.
    Certificate,
    /// A job runs.
    Backup,
    /// Snapshots that are missing in other sinks of a job are copied.
    Copies,
    /// Retention is applied to an append-only sink.
    Prune,
    /// A snapshot is drilled.
    Drill,
}

impl TaskKind {
    /// One word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Backup => "backup",
            Self::Copies => "copies",
            Self::Prune => "prune",
            Self::Drill => "drill",
        }
    }
}

/// The result of a task.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum TaskReport {
    /// What was done about a certificate.
    Certificate(Box<CertRun>),
    /// The result of a job.
    Backup(Box<JobResult>),
    /// The copies, for each sink.
    Copies(Vec<Synced>),
    /// The result of retention.
    Prune(Vec<Pruned>),
    /// The findings.
    Drill(Vec<Drilled>),
}

/// What is due next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Next {
    /// When.
    pub at: Timestamp,
    /// What it is.
    pub kind: TaskKind,
    /// The job or the certificate.
    pub name: Name,
}

impl Seaworthy {
    /// Does everything that is due now, one after another: certificates, backups, copies to other
    /// sinks, retention of append-only sinks, drills. A failure does not stop the rest. What was
    /// due while the machine was off is done once.
    ///
    /// If another run is already active, nothing is done, which is not an error. At the end
    /// notifications are sent for overdue backups.
    pub async fn run(&self, request: &RunRequest, cx: &Context) -> Reply<RunResult> {
        let (mut run, _lock) = match self.begin_run(request, cx) {
            Ok(Begun::Ours(run, lock)) => (run, lock),
            Ok(Begun::Theirs(other)) => {
                let mut result = RunResult { other: Some(other), ..RunResult::default() };
                if !request.dry_run {
                    // The other run may be hanging.
                    self.watch(&mut result, cx).await;
                }
                return Reply::new(result, Outcome::NothingToDo);
            }
            Err(error) => return error.into(),
        };
        let stopped = run.all_stages().await.err();
        if !request.dry_run {
            self.watch(&mut run.result, cx).await;
        }
        let mut reply = Reply::new(run.result, run.outcome);
        reply.error = run.error;
        reply.with_error(stopped)
    }

    fn begin_run<'a>(&'a self, request: &RunRequest, cx: &'a Context) -> Result<Begun<'a>> {
        let state = self.state.path();
        let lock = if request.dry_run {
            None
        } else {
            durable::create_private_folder(&state.join("run"))?;
            match FileLock::acquire(&state.join("run/lock"), "seaworthy run") {
                Ok(lock) => Some(lock),
                Err(error) if error.kind() == ErrorKind::Locked => {
                    return Ok(Begun::Theirs(error.to_string()));
                }
                Err(error) => return Err(error),
            }
        };
        let run = Run {
            seaworthy: self,
            cx,
            memory: Memory::read(state, cx)?,
            result: RunResult { dry_run: request.dry_run, ..RunResult::default() },
            outcome: Outcome::NothingToDo,
            error: None,
        };
        Ok(Begun::Ours(Box::new(run), lock))
    }
}

enum Begun<'a> {
    Ours(Box<Run<'a>>, Option<FileLock>),
    Theirs(String),
}

/// One run in progress.
struct Run<'a> {
    seaworthy: &'a Seaworthy,
    cx: &'a Context,
    memory: Memory,
    result: RunResult,
    outcome: Outcome,
    error: Option<Error>,
}

impl Run<'_> {
    /// Why this is due now; if it is not, the time when it will be is recorded.
    fn due(&mut self, when: When, kind: TaskKind, name: &Name) -> Option<Reason> {
        match when {
            When::Now(reason) => Some(reason),
            When::At(at) => {
                if self.result.next.as_ref().is_none_or(|next| at < next.at) {
                    self.result.next = Some(Next { at, kind, name: name.clone() });
                }
                None
            }
            When::Never => None,
        }
    }

    /// Adds a task that is not done yet.
    fn add(&mut self, kind: TaskKind, name: &Name, sink: Option<&Name>, reason: Reason) {
        self.result.tasks.push(Task {
            kind,
            name: name.clone(),
            sink: sink.cloned(),
            reason,
            outcome: None,
            skipped: None,
            error: None,
            report: None,
        });
    }

    /// Sets how the newest task ended.
    fn ended(&mut self, outcome: Outcome, error: Option<Error>, report: Option<TaskReport>) {
        let Some(task) = self.result.tasks.last_mut() else { return };
        task.report = report;
        match error {
            Some(error) if error.kind() == ErrorKind::Locked => {
                task.skipped = Some(error.to_string());
                return;
            }
            Some(error) => {
                task.error = Some(ErrorDocument::new(&error));
                self.error.get_or_insert(error);
            }
            None => {}
        }
        task.outcome = Some(outcome);
        self.outcome = self.outcome.and(outcome);
    }

    fn keep_memory(&self) -> Result<()> {
        self.memory.write(self.seaworthy.state.path())
    }
}
