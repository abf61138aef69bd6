//! Jobs of other machines that the file does not have, from the sinks that it does.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use seaworthy_backup::{Repository, jobs_in, sinks::SinkUse};
use seaworthy_core::{Context, Name, Result};

use super::{
    JobStatus,
    backups::{SINK_LIMIT, SinkLooked, other_hosts},
};
use crate::Seaworthy;

impl Seaworthy {
    /// The jobs that other machines have in the sinks of the file, and that it does not have
    /// itself. A sink that cannot be asked has none: its own jobs report that.
    pub(super) async fn jobs_of_others(&self, cx: &Context) -> Vec<JobStatus> {
        let looks = self.config.sink.names().map(|sink| async move {
            let looked = tokio::time::timeout(SINK_LIMIT, self.foreign_jobs(sink, cx)).await;
            looked.ok().and_then(Result::ok).unwrap_or_default()
        });
        let mut jobs: BTreeMap<Name, Vec<SinkLooked>> = BTreeMap::new();
        for (job, looked) in join_all(looks).await.into_iter().flatten() {
            jobs.entry(job).or_default().push(looked);
        }
        let each = jobs.iter().flat_map(|(job, looked)| other_hosts(job, looked, self.host(), cx));
        each.collect()
    }

    async fn foreign_jobs(&self, name: &Name, cx: &Context) -> Result<Vec<(Name, SinkLooked)>> {
        let sink = self.open_sink(name, SinkUse::run(), cx).await?;
        let mut found = Vec::new();
        for job in jobs_in(&*sink, cx).await? {
            if self.config.backup.get(job.as_str()).is_some() {
                continue;
            }
            let repository = Repository::new(sink.clone(), job.clone(), self.host().clone());
            found.push((job, self.look(name, Ok(&repository), &[], cx).await));
        }
        Ok(found)
    }
}
