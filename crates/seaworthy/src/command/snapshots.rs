//! `snapshots`: what there is, per sink.

use seaworthy_backup::SnapshotInfo;
use seaworthy_core::{Context, Error, Name, Result};
use serde::Serialize;

use crate::{Reply, Seaworthy, keys::Purpose};

/// What `snapshots` found.
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
    /// Lists the snapshots of `jobs`, or of all jobs where none is named: of all machines, or of
    /// [one](Self::of_host).
    pub async fn snapshots(&self, jobs: &[Name], cx: &Context) -> Reply<SnapshotsResult> {
        let mut result = SnapshotsResult::default();
        let error = self.list_all(jobs, &mut result, cx).await.err();
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
                        // Of one that cannot be read nobody knows whose it is.
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
