//! `prune`: retention, applied or only explained.

use seaworthy_backup::{Prune, PruneReport};
use seaworthy_core::{Context, Name, Result};
use serde::{Deserialize, Serialize};

use super::{OfHost, SnapshotName, request};
use crate::{
    Outcome, Reply, Seaworthy,
    keys::Purpose,
    notify::{Delivery, SubjectKind},
};

/// The request of `prune`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct PruneRequest {
    /// The jobs; default: all of them.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB"))]
    pub jobs: Vec<Name>,
    /// Remove nothing and print what would be removed.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// The machine of the snapshots.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub host: OfHost,
}

request!(PruneRequest, "prune", prune -> PruneResult);

/// The result of `prune`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PruneResult {
    /// One for each job and sink.
    pub pruned: Vec<Pruned>,
    /// The notifications that were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<Delivery>,
}

/// The result of `prune` for one job in one sink.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Pruned {
    /// The job.
    pub job: Name,
    /// The sink's name in the file.
    pub sink: Name,
    /// Each decision with its reasons, and what was removed.
    #[serde(flatten)]
    pub report: PruneReport,
}

impl Seaworthy {
    /// Applies retention.
    pub async fn prune(&self, request: &PruneRequest, cx: &Context) -> Reply<PruneResult> {
        match self.looking(None, &request.host, &request.jobs, cx).await {
            Ok(looking) => looking.prune_all(request, cx).await,
            Err(error) => error.into(),
        }
    }

    async fn prune_all(&self, request: &PruneRequest, cx: &Context) -> Reply<PruneResult> {
        let mut result = PruneResult::default();
        let mut reply_error = None;
        match self.jobs(&request.jobs) {
            Err(error) => reply_error = Some(error),
            Ok(jobs) => {
                for job in jobs {
                    // One job's failure does not stop the others.
                    if !request.dry_run {
                        self.emit_started(SubjectKind::Prune, &job, cx);
                    }
                    let done = self.prune_job(&job, request.dry_run, &mut result, cx).await;
                    if !request.dry_run {
                        let name = SnapshotName { job: job.clone(), id: "latest".into() };
                        let error = done.as_ref().err();
                        let told = self.tell_of(SubjectKind::Prune, &name, &[], error, cx);
                        result.notified.extend(told.await);
                    }
                    if let Err(error) = done {
                        reply_error.get_or_insert(error);
                    }
                    if cx.cancel().is_triggered() {
                        break;
                    }
                }
            }
        }
        Reply::new(result, Outcome::Done).with_error(reply_error)
    }

    async fn prune_job(
        &self,
        job: &Name,
        dry_run: bool,
        result: &mut PruneResult,
        cx: &Context,
    ) -> Result<()> {
        for sink in self.sinks_of(job, None)? {
            result.pruned.push(self.prune_sink(job, &sink, dry_run, cx).await?);
        }
        Ok(())
    }

    /// Applies the retention of `job` in its sink `sink`.
    pub(super) async fn prune_sink(
        &self,
        job: &Name,
        sink: &Name,
        dry_run: bool,
        cx: &Context,
    ) -> Result<Pruned> {
        let policy = self.policy(job, sink)?;
        // A dry run does not need the right to delete.
        let purpose = if dry_run { Purpose::List } else { Purpose::Prune };
        let repository = self.repository(job, sink, purpose, cx).await?;
        let mut prune =
            Prune::new(repository.clone()).dry_run(dry_run).append_only(self.is_append_only(sink));
        if *sink == self.first_sink(job)? {
            prune = prune.holds(self.holds(job, &repository, cx).await?);
        }
        if let Some(policy) = &policy {
            prune = prune.policy(&**policy);
        }
        let report = prune.run(Some(&self.state), cx).await?;
        Ok(Pruned { job: job.clone(), sink: sink.clone(), report })
    }
}
