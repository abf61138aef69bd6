//! `sync`: copies snapshots that other sinks of a job do not have yet.

use seaworthy_backup::{ReplicaReport, RunOptions};
use seaworthy_core::{Context, Name, Result};
use serde::{Deserialize, Serialize};

use super::request;
use crate::{Outcome, Reply, Seaworthy, keys::Purpose};

/// What `sync` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct SyncRequest {
    /// The jobs; default: all of them.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB"))]
    pub jobs: Vec<Name>,
}

request!(SyncRequest, "sync", sync -> SyncResult);

/// The result of `sync`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SyncResult {
    /// One for each job and each of its sinks after the first.
    pub synced: Vec<Synced>,
}

/// The result of `sync` for one job in one sink.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Synced {
    /// The job.
    pub job: Name,
    /// What was copied, and what is still missing.
    #[serde(flatten)]
    pub report: ReplicaReport,
}

impl Seaworthy {
    /// Copies snapshots that other sinks of the jobs do not have yet.
    pub async fn sync(&self, request: &SyncRequest, cx: &Context) -> Reply<SyncResult> {
        let mut result = SyncResult::default();
        let error = self.sync_all(&request.jobs, &mut result, cx).await.err();
        let good = result.synced.iter().all(|synced| synced.report.is_good());
        let outcome = if good { Outcome::Done } else { Outcome::Losses };
        Reply::new(result, outcome).with_error(error)
    }

    async fn sync_all(&self, jobs: &[Name], result: &mut SyncResult, cx: &Context) -> Result<()> {
        for job in self.jobs(jobs)? {
            let config = self.job_config(&job)?;
            let first = self.repository(&job, &self.first_sink(&job)?, Purpose::List, cx).await?;
            let mut options = RunOptions::default();
            options.temp = self.temp_of(config);
            if let Some(workers) = config.limit.workers {
                options.workers = workers.into();
            }
            for replica in self.replicas(&job, cx).await? {
                let report = replica.sync(&first, Some(&self.state), &options, cx).await?;
                result.synced.push(Synced { job: job.clone(), report });
            }
        }
        Ok(())
    }
}
