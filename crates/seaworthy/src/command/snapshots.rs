//! `snapshots`: lists the snapshots of each sink.

use seaworthy_backup::SnapshotInfo;
use seaworthy_core::{Context, Error, Name, Result};
use serde::{Deserialize, Serialize};

use super::{OfHost, request};
use crate::{Reply, Seaworthy, keys::Purpose};

/// What `snapshots` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct SnapshotsRequest {
    /// The jobs; default: all of them.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB"))]
    pub jobs: Vec<Name>,
    /// The machine of the snapshots.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub host: OfHost,
}

request!(SnapshotsRequest, "snapshots", snapshots -> SnapshotsResult);

/// The result of `snapshots`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SnapshotsResult {
    /// One listing for each job and sink.
    pub listings: Vec<Listing>,
}

/// The snapshots of one job in one sink.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Listing {
    /// The job.
    pub job: Name,
    /// The sink's name in the file.
    pub sink: Name,
    /// Where the sink is, for people.
    pub place: String,
    /// Newest first.
    pub snapshots: Vec<SnapshotInfo>,
}

impl Seaworthy {
    /// Lists snapshots: of all machines, or of one.
    pub async fn snapshots(
        &self,
        request: &SnapshotsRequest,
        cx: &Context,
    ) -> Reply<SnapshotsResult> {
        let jobs = &request.jobs;
        let looking = match self.looking(None, &request.host, jobs, cx).await {
            Ok(looking) => looking,
            Err(error) => return error.into(),
        };
        let mut result = SnapshotsResult::default();
        let error = looking.list_all(jobs, &mut result, cx).await.err();
        Reply::new(result, crate::Outcome::Done).with_error(error)
    }

    async fn list_all(
        &self,
        jobs: &[Name],
        result: &mut SnapshotsResult,
        cx: &Context,
    ) -> Result<()> {
        let mut failed: Option<Error> = None;
        for job in self.jobs(jobs)? {
            for sink in self.sinks_of(&job, None)? {
                let repository = self.repository(&job, &sink, Purpose::List, cx).await?;
                match repository.list(cx).await {
                    Ok(mut snapshots) => {
                        // If one cannot be read, its machine is unknown.
                        if let Some(meant) = &self.meant {
                            snapshots.retain(|s| s.host.as_ref().is_none_or(|host| host == meant));
                        }
                        let (place, job) = (repository.sink().to_string(), job.clone());
                        result.listings.push(Listing { job, sink, place, snapshots });
                    }
                    // The other sinks can still be listed.
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
