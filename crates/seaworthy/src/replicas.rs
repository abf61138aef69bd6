//! The sinks of a job after its first one.

use std::{fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use seaworthy_backup::{
    BackupSink, Holds, ObjectKey, PutOptions, Replica, Repository, Upload, VerifyAfter,
    config::JobConfig,
    sinks::{ByteStream, Capabilities, ObjectHistory, ObjectInfo, SinkUse},
};
use seaworthy_core::{Context, Error, Name, Result, Span, Timestamp};

use crate::{Seaworthy, keys::Purpose, open::within};

/// The default time that snapshots are held for a replica, in days.
const MAX_HOLD_DAYS: u16 = 7;

impl Seaworthy {
    /// The replicas of `job`, in the order of the file. One that cannot be opened is included and
    /// fails every request: it must not stop the first sink from getting its snapshot.
    pub(crate) async fn replicas(&self, job: &Name, cx: &Context) -> Result<Vec<Replica>> {
        let config = self.job_config(job)?;
        let mut replicas = Vec::new();
        for name in config.sinks.iter().skip(1) {
            let sink = match self.open_sink(name, within(SinkUse::run(), &config.limit), cx).await {
                Ok(sink) => sink,
                Err(error) => Arc::new(UnopenedSink { name: name.clone(), error }),
            };
            let keys = self.keys(job, Purpose::List, cx).await?;
            let repository =
                Repository::new(sink, job.clone(), self.meant_host().clone()).keys(keys);
            let mut replica = Replica::new(name.clone(), repository)
                .verify_after(self.verify_after(config, name));
            if let Some(policy) = self.policy(job, name)? {
                replica = replica.retention(policy);
            }
            replicas.push(replica);
        }
        Ok(replicas)
    }

    /// What must stay in the first sink `first` of `job` for now.
    pub(crate) async fn holds(
        &self,
        job: &Name,
        first: &Repository,
        cx: &Context,
    ) -> Result<Holds> {
        let replicas = self.replicas(job, cx).await?;
        if replicas.is_empty() {
            return Ok(Holds::default());
        }
        let (there, max_hold) = (first.list(cx).await?, max_hold(self.job_config(job)?));
        Ok(Holds::ask(&replicas, &there, max_hold, Some(&self.state), cx).await)
    }

    /// How a snapshot that was stored in `sink` is verified: a local one is read back. A remote
    /// store has checked the digest of each part, and reading back costs money.
    pub(crate) fn verify_after(&self, config: &JobConfig, sink: &Name) -> VerifyAfter {
        let is_remote = self.sink_kind(sink).is_ok_and(|kind| kind.is_remote());
        config.verify_after.unwrap_or(if is_remote { VerifyAfter::Stat } else { VerifyAfter::Read })
    }
}

/// How long `config` holds snapshots for replicas.
pub(crate) fn max_hold(config: &JobConfig) -> Span {
    config.max_hold.unwrap_or_else(|| Span::days(MAX_HOLD_DAYS))
}

/// A sink that could not be opened: every call fails with the reason.
#[derive(Debug)]
struct UnopenedSink {
    name: Name,
    error: Error,
}

impl UnopenedSink {
    fn error(&self) -> Error {
        let error = Error::new(self.error.kind(), "sink.open", self.error.chain());
        error.remedy_is(self.error.remedy().unwrap_or_default())
    }
}

impl fmt::Display for UnopenedSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.name, f)
    }
}

#[async_trait]
impl BackupSink for UnopenedSink {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn begin(&self, _: &ObjectKey, _: PutOptions) -> Result<Box<dyn Upload>> {
        Err(self.error())
    }

    async fn read(&self, _: &ObjectKey, _: Option<Range<u64>>) -> Result<ByteStream> {
        Err(self.error())
    }

    async fn stat(&self, _: &ObjectKey) -> Result<ObjectInfo> {
        Err(self.error())
    }

    fn list(&self, _: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>> {
        let error = self.error();
        Box::pin(futures_util::stream::once(async move { Err(error) }))
    }

    async fn delete(&self, _: &ObjectKey) -> Result<()> {
        Err(self.error())
    }

    async fn history(&self, _: &ObjectKey) -> Result<ObjectHistory> {
        Err(self.error())
    }

    async fn discard_unfinished(&self, _: &ObjectKey, _: Option<Timestamp>) -> Result<u64> {
        Err(self.error())
    }
}
