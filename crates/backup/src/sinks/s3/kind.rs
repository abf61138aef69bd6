//! Buckets as kinds of sinks: any store that speaks S3, and Backblaze B2.

use std::path::Path;
#[cfg(feature = "s3")]
use std::sync::Arc;

use async_trait::async_trait;
#[cfg(feature = "s3")]
use seaworthy_core::{Context, Environment, Findings, Result, Section};

use super::{B2SinkConfig, S3SinkConfig};
#[cfg(feature = "s3")]
use super::{
    check::{check, check_keys},
    options::{BucketConfig, SMALLEST_PART},
    probe,
};
use crate::sinks::SinkKind;
#[cfg(feature = "s3")]
use crate::sinks::{BackupSink, ObjectStoreSink, SinkTrial, SinkUse};

#[async_trait]
impl SinkKind for S3SinkConfig {
    fn resolve(&mut self, base: &Path) {
        self.resolve_paths(base);
    }

    #[cfg(feature = "s3")]
    fn check(&self, section: &mut Section) {
        check(self, section);
        check_keys(self, section);
    }

    fn append_only(&self) -> bool {
        self.append_only
    }

    fn may_prune(&self) -> bool {
        self.prune.is_some()
    }

    #[cfg(feature = "s3")]
    async fn open(
        &self,
        purpose: &SinkUse,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Arc<dyn BackupSink>> {
        open(self, purpose, environment, cx).await
    }

    #[cfg(feature = "s3")]
    fn trial(&self) -> SinkTrial {
        let locks = self.object_lock.is_some();
        SinkTrial { part: Some(SMALLEST_PART), needs_versions: false, locks }
    }

    #[cfg(feature = "s3")]
    async fn probe(&self, environment: &Environment, findings: &mut Findings, cx: &Context) {
        probe::probe(self, environment, findings, cx).await;
    }
}

#[async_trait]
impl SinkKind for B2SinkConfig {
    fn resolve(&mut self, base: &Path) {
        self.resolve_paths(base);
    }

    #[cfg(feature = "s3")]
    fn check(&self, section: &mut Section) {
        check(self, section);
    }

    fn append_only(&self) -> bool {
        self.append_only
    }

    fn may_prune(&self) -> bool {
        self.prune.is_some()
    }

    #[cfg(feature = "s3")]
    async fn open(
        &self,
        purpose: &SinkUse,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Arc<dyn BackupSink>> {
        open(self, purpose, environment, cx).await
    }

    #[cfg(feature = "s3")]
    fn trial(&self) -> SinkTrial {
        let locks = self.object_lock.is_some();
        SinkTrial { part: Some(SMALLEST_PART), needs_versions: true, locks }
    }

    #[cfg(feature = "s3")]
    async fn probe(&self, environment: &Environment, findings: &mut Findings, cx: &Context) {
        probe::probe(self, environment, findings, cx).await;
    }
}

#[cfg(feature = "s3")]
async fn open(
    config: &impl BucketConfig,
    purpose: &SinkUse,
    environment: &Environment,
    cx: &Context,
) -> Result<Arc<dyn BackupSink>> {
    let options = config.options(purpose, environment, cx).await?;
    Ok(Arc::new(ObjectStoreSink::s3(options)?))
}
