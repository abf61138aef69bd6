//! A folder as a kind of sink.

use std::path::Path;
#[cfg(feature = "local")]
use std::sync::Arc;

use async_trait::async_trait;
use seaworthy_core::Section;
#[cfg(feature = "local")]
use seaworthy_core::{Context, Environment, Event, Result};

use super::LocalSinkConfig;
#[cfg(feature = "local")]
use crate::sinks::{BackupSink, ObjectStoreSink, SinkUse};
use crate::{paths::resolve, sinks::SinkKind};

#[async_trait]
impl SinkKind for LocalSinkConfig {
    fn resolve(&mut self, base: &Path) {
        resolve(&mut self.path, base);
    }

    fn check(&self, section: &mut Section) {
        if self.path.as_os_str().is_empty() {
            let message = format!("`path` in {section} is empty");
            section.fault(&["path"], message, "write the folder's path");
        }
    }

    fn append_only(&self) -> bool {
        self.append_only
    }

    fn is_remote(&self) -> bool {
        false
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.path)
    }

    #[cfg(feature = "local")]
    async fn open(
        &self,
        purpose: &SinkUse,
        _: &Environment,
        cx: &Context,
    ) -> Result<Arc<dyn BackupSink>> {
        let sink = ObjectStoreSink::local(&self.path)?;
        for warning in sink.warnings().await {
            cx.emit(Event::warning(warning));
        }
        let only_adds = self.append_only && !purpose.prune;
        Ok(Arc::new(if only_adds { sink.append_only() } else { sink }))
    }
}
