//! `backup`: runs jobs, one after another.

use std::path::PathBuf;

use seaworthy_backup::{
    BackupReport, Prune, PruneReport, format::SnapshotKind, sources::OpenedSource,
};
use seaworthy_core::{Context, Error, ErrorKind, Name, Result};
use serde::{Deserialize, Serialize};

use super::request;
use crate::{
    ErrorDocument, Outcome, Reply, Seaworthy,
    notify::{self, Delivery, Heard, Occasion, SubjectKind},
};

/// The request of `backup`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct BackupRequest {
    /// The jobs; default: all of them.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB"))]
    pub jobs: Vec<Name>,
    /// Store nothing and print what would be done.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// Accept a suspicious result, such as an empty source.
    #[cfg_attr(feature = "clap", arg(long))]
    pub accept: bool,
}

request!(BackupRequest, "backup", backup -> BackupResult);

/// The result of `backup`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct BackupResult {
    /// One for each job, in the order in which they ran.
    pub jobs: Vec<JobResult>,
}

/// The result of `backup` for one job.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JobResult {
    /// The job.
    pub job: Name,
    /// How it ended.
    pub outcome: Outcome,
    /// The result of the run.
    pub report: Option<BackupReport>,
    /// What a run would do.
    pub dry_run: Option<DryRun>,
    /// Why it failed.
    pub error: Option<ErrorDocument>,
    /// The notifications that were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<Delivery>,
}

/// What a run of a job would do.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DryRun {
    /// Where it would store, for people.
    pub sink: String,
    /// The sources and what they would read, in order.
    pub sources: Vec<(Name, Vec<PathBuf>)>,
    /// What retention would do with the existing snapshots.
    pub prune: PruneReport,
}

impl Seaworthy {
    /// Runs jobs, one after another. A failure does not stop the next job.
    pub async fn backup(&self, request: &BackupRequest, cx: &Context) -> Reply<BackupResult> {
        let jobs = match self.jobs(&request.jobs) {
            Ok(jobs) if jobs.is_empty() => {
                let message = "the file has no jobs";
                return Error::new(ErrorKind::Config, "backup.run", message)
                    .remedy_is("add [backup.NAME] with sinks and sources")
                    .into();
            }
            Ok(jobs) => jobs,
            Err(error) => return error.into(),
        };
        let mut reply = Reply::new(BackupResult::default(), Outcome::Done);
        let mut results = BackupResult::default();
        for job in jobs {
            let mut result = JobResult {
                job,
                outcome: Outcome::Done,
                report: None,
                dry_run: None,
                error: None,
                notified: Vec::new(),
            };
            let done = if request.dry_run {
                self.dry_run(&result.job, cx).await.map(|dry_run| result.dry_run = Some(dry_run))
            } else {
                self.run_and_tell(&mut result, request.accept, cx).await
            };
            if let Err(error) = done {
                result.outcome = Outcome::from(&error);
                result.error = Some(ErrorDocument::new(&error));
                reply = reply.with_error(Some(error));
            }
            reply.outcome = reply.outcome.and(result.outcome);
            results.jobs.push(result);
            if cx.cancel().is_triggered() {
                break;
            }
        }
        reply.result = Some(results);
        reply
    }

    /// Runs a job, and sends notifications.
    async fn run_and_tell(&self, result: &mut JobResult, accept: bool, cx: &Context) -> Result<()> {
        self.emit_started(SubjectKind::Backup, &result.job, cx);
        let begun = self.notice(SubjectKind::Backup, &result.job, Occasion::Started, cx);
        let (heard, listening) = Heard::listen(cx);
        let run = self.backup_job(&result.job, accept, &listening);
        let done = notify::beside(run, self.notify(&begun, cx)).await;
        result.outcome = done.as_ref().map_or_else(Outcome::from, outcome_of);
        let error = done.as_ref().err();
        self.emit_ended(SubjectKind::Backup, &result.job, result.outcome, error, cx);
        if let Some(notice) = notify::of_backup(&begun, &done, result.outcome, cx.now()) {
            let notice = notice.warned(heard.warnings());
            result.notified = self.notify(&notice, cx).await;
        }
        result.report = Some(done?);
        Ok(())
    }

    async fn backup_job(&self, job: &Name, accept: bool, cx: &Context) -> Result<BackupReport> {
        let sink = self.first_sink(job)?;
        let engine =
            self.engine_job(job, &sink, None, |options| options.accept = accept, cx).await?;
        engine.run(cx).await
    }

    async fn dry_run(&self, job: &Name, cx: &Context) -> Result<DryRun> {
        let sink = self.first_sink(job)?;
        let options = self.run_options(job, &sink)?;
        let engine = self.engine_job_without_sources(job, &sink, options, cx).await?;
        let mut sources = Vec::new();
        for opened in self.open_sources(job, None, SnapshotKind::Backup, cx).await? {
            let OpenedSource { name, place, comes_along: false, .. } = opened else { continue };
            for path in &place.paths {
                std::fs::symlink_metadata(path).map_err(|e| {
                    let message = format!("cannot read {} of {job}: {name}", path.display());
                    Error::io("backup.run", message, e).remedy_is("is the path right, and mounted?")
                })?;
            }
            let named = place.named.map(PathBuf::from);
            sources.push((name, place.paths.into_iter().chain(named).collect()));
        }
        let policy = self.policy(job, &sink)?;
        let holds = self.holds(job, engine.repository(), cx).await?;
        let mut prune = Prune::new(engine.repository().clone())
            .holds(holds)
            .dry_run(true)
            .append_only(self.is_append_only(&sink));
        if let Some(policy) = &policy {
            prune = prune.policy(&**policy);
        }
        let prune = prune.run(None, cx).await?;
        Ok(DryRun { sink: engine.repository().sink().to_string(), sources, prune })
    }

    /// The sink that the run writes to.
    pub(crate) fn first_sink(&self, job: &Name) -> Result<Name> {
        self.job_config(job)?.sinks.first().cloned().ok_or_else(|| {
            let message = format!("job {job} has no sink");
            Error::new(ErrorKind::Config, "job.find", message)
        })
    }
}

fn outcome_of(report: &BackupReport) -> Outcome {
    let damaged = report.verified.as_ref().is_some_and(|verified| !verified.is_good());
    if damaged || report.prune_error.is_some() {
        Outcome::Failed
    } else if report.has_losses() || !report.is_good() || !report.replicas_are_good() {
        Outcome::Losses
    } else {
        Outcome::Done
    }
}
