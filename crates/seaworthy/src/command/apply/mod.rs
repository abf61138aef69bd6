//! `apply`: installs everything in the file on this machine, step by step, or rolls it back.

mod folders;
mod steps;

use std::path::PathBuf;

use seaworthy_core::{Cancel, Context, Error, Event, FileLock, Result, StagedFiles, undo};
use serde::{Deserialize, Serialize};

use super::{ServiceKind, request};
#[cfg(feature = "clap")]
use super::{flags, service::FOLDER};
use crate::{ErrorDocument, Outcome, Reply, Seaworthy};

/// The request of `apply`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ApplyRequest {
    /// Change nothing, and show every file and command.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// The program to render for: `systemd` by default.
    #[serde(rename = "type")]
    #[cfg_attr(
        feature = "clap",
        arg(
            long = "type",
            value_name = "TYPE",
            default_value = "systemd",
            value_parser = flags::word::<ServiceKind>(),
            help = "The program to render for"
        )
    )]
    pub kind: ServiceKind,
    /// The folder where systemd, or cron, looks; by default `/etc/systemd/system` or `/etc/cron.d`.
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", help = FOLDER))]
    pub folder: Option<PathBuf>,
}

request!(ApplyRequest, "apply", apply -> ApplyResult);

/// The result of `apply`.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ApplyResult {
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// The steps, in order; those after a failed one are missing.
    pub steps: Vec<ApplyStep>,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ApplyStep {
    /// What it is about.
    pub kind: StepKind,
    /// Its result.
    pub state: StepState,
    /// The files and folders that it changed, or would change.
    pub files: Vec<StepFile>,
    /// The commands that it ran, or would run, as shown to people.
    pub commands: Vec<String>,
    /// Notes.
    pub notes: Vec<String>,
    /// What went wrong.
    pub error: Option<ErrorDocument>,
}

/// The subject of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// Folders that the other steps need.
    Folders,
    /// Placeholders that the web server presents until its certificates are issued.
    #[serde(rename = "stand_ins")]
    Placeholders,
    /// The web server.
    Proxy,
    /// Certificates: issued and deployed.
    Certificates,
    /// Services, and the timer that runs what is due.
    Services,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepState {
    /// There was nothing to do.
    Unchanged,
    /// It is done.
    Changed,
    /// It would be done.
    WouldChange,
    /// It failed.
    Failed,
    /// It was done, and rolled back because a later step failed.
    Undone,
}

/// A file or folder of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StepFile {
    /// Its path.
    pub path: PathBuf,
    /// `added`, `removed`, `changed` or `kept`.
    pub change: String,
    /// The changed lines, as a diff from the current to the new content; empty for folders and
    /// keys.
    pub diff: String,
}

impl ApplyStep {
    fn new(kind: StepKind, state: StepState) -> Self {
        let (files, commands, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind, state, files, commands, notes, error: None }
    }

    /// A step that is done, or would be, if it has files or commands.
    fn of(kind: StepKind, files: Vec<StepFile>, commands: Vec<String>) -> Self {
        let state = match files.is_empty() && commands.is_empty() {
            true => StepState::Unchanged,
            false => StepState::WouldChange,
        };
        Self { files, commands, ..Self::new(kind, state) }
    }
}

impl StepFile {
    fn added(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), change: "added".into(), diff: String::new() }
    }
}

impl Seaworthy {
    /// Brings this machine to what the file says, step after step: folders, the web server with
    /// placeholders for certificates that are not there yet, the certificates, services and the timer.
    ///
    /// Everything is looked at before anything is changed. If a step fails, those before it are
    /// rolled back. A certificate that is not issued does not stop the rest: its placeholder stays,
    /// and every later run asks again.
    pub async fn apply(&self, request: &ApplyRequest, cx: &Context) -> Reply<ApplyResult> {
        let result = ApplyResult { dry_run: request.dry_run, steps: Vec::new() };
        let outcome = Outcome::NothingToDo;
        let mut work = Apply {
            seaworthy: self,
            request,
            cx,
            result,
            done: Done::default(),
            outcome,
            error: None,
        };
        let stopped = work.all().await.err();
        if stopped.is_some() {
            work.stopped_by().await;
        }
        let mut reply = Reply::new(work.result, work.outcome);
        reply.error = work.error;
        reply.with_error(stopped.map(|error| self.config.locate(error)))
    }
}

/// What was done and can be rolled back.
#[derive(Default)]
struct Done {
    /// Folders that did not exist before, in order.
    folders: Vec<PathBuf>,
    /// Certificates that got a placeholder.
    placeholders: Vec<seaworthy_core::Name>,
    /// The web server's previous files, if they were changed, and whether it was running.
    proxy: Option<(Option<StagedFiles>, bool)>,
}

/// One `apply` in progress.
struct Apply<'a> {
    seaworthy: &'a Seaworthy,
    request: &'a ApplyRequest,
    cx: &'a Context,
    result: ApplyResult,
    done: Done,
    outcome: Outcome,
    error: Option<Error>,
}

impl Apply<'_> {
    async fn all(&mut self) -> Result<()> {
        if self.request.dry_run {
            self.plan_folders()?;
            return self.plan().await;
        }
        self.make_folders().await?;
        let lock = self.seaworthy.state.path().join("apply/lock");
        let _lock = FileLock::acquire(&lock, "apply")?;
        // Checks everything before anything that serves is changed.
        let made = std::mem::take(&mut self.result.steps);
        let planned = self.plan().await;
        let steps = std::mem::replace(&mut self.result.steps, made);
        planned?;
        for step in steps {
            self.cx.check("apply")?;
            self.take(step).await?;
        }
        Ok(())
    }

    /// Adds a step, done or planned.
    fn add(&mut self, step: ApplyStep) {
        let outcome = match step.state {
            // The error decides how a failed step counts.
            StepState::Unchanged | StepState::WouldChange | StepState::Failed => {
                Outcome::NothingToDo
            }
            StepState::Changed | StepState::Undone => Outcome::Done,
        };
        self.outcome = self.outcome.and(outcome);
        self.result.steps.push(step);
    }

    /// Rolls back what was done, last first.
    async fn stopped_by(&mut self) {
        if self.request.dry_run {
            return;
        }
        // The rollback also runs when the operation was cancelled.
        let cx = self.cx.clone().with_cancel(Cancel::new());
        let warn = |what: &str, error: &Error| {
            cx.emit(Event::warning(format!("{what} could not be rolled back: {}", error.chain())));
        };
        if let Some((before, ran)) = self.done.proxy.take() {
            match self.undo_proxy(before, ran, &cx).await {
                Ok(()) => self.is_undone(StepKind::Proxy),
                Err(error) => warn("the web server's files", &error),
            }
        }
        let store = self.seaworthy.certificate_manager().store().clone();
        let mut placeholders = std::mem::take(&mut self.done.placeholders);
        // The others have been replaced by real certificates.
        placeholders.retain(|name| store.is_placeholder(name));
        for name in placeholders {
            match store.remove_placeholder(&name) {
                Ok(()) => self.is_undone(StepKind::Placeholders),
                Err(error) => warn("a placeholder", &error),
            }
        }
        for folder in std::mem::take(&mut self.done.folders).iter().rev() {
            // One that is in use by now stays.
            if std::fs::remove_dir(folder).is_ok() {
                self.is_undone(StepKind::Folders);
            }
        }
    }

    fn is_undone(&mut self, kind: StepKind) {
        let step = self.result.steps.iter_mut().find(|step| step.kind == kind);
        if let Some(step) = step.filter(|step| step.state == StepState::Changed) {
            step.state = StepState::Undone;
        }
    }

    async fn undo_proxy(&self, before: Option<StagedFiles>, ran: bool, cx: &Context) -> Result<()> {
        let installer = self.seaworthy.proxy_installer()?;
        if !ran {
            installer.quit(cx).await?;
        }
        let undone = undo(&installer.generations(), before.as_ref(), &installer, cx).await;
        // A server that is not running cannot be reloaded.
        if ran { undone } else { Ok(()) }
    }
}
