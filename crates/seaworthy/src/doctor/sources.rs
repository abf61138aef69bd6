//! Sources: can each be read?

use futures_util::future::join_all;
use seaworthy_core::{Context, Findings};

use crate::Seaworthy;

impl Seaworthy {
    /// Tries each source, as its kind knows how to.
    pub(super) async fn try_sources(&self, cx: &Context) -> Vec<Findings> {
        let jobs = self.config.backup.iter();
        let sources = jobs.flat_map(|(job, config)| {
            self.sources(job).map(move |(name, source)| (job, name, source, config))
        });
        join_all(sources.map(async |(job, name, source, config)| {
            let mut findings = Findings::of(format!("backup {job}: {name}"));
            let environment = self.source_environment(name, config);
            source.probe(&environment, &mut findings, cx).await;
            findings
        }))
        .await
    }
}
