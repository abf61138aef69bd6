//! A local authority, on this machine.

use std::path::{Path, PathBuf};

use seaworthy_core::Span;
use serde::{Deserialize, Serialize};

use super::ProviderKind;

/// `[ca.<name>]` with `type = "local"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LocalCaConfig {
    /// The folder for its root and key. Default: `ca/<name>` in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// How long its certificates are valid. Default: 90 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<Span>,
}

#[cfg_attr(feature = "manage", async_trait::async_trait)]
impl ProviderKind for LocalCaConfig {
    fn resolve(&mut self, base: &Path) {
        self.path.iter_mut().for_each(|path| *path = base.join(&path));
    }

    #[cfg(feature = "local-ca")]
    async fn open(
        &self,
        name: &seaworthy_core::Name,
        _: &crate::config::CertificateConfig,
        opener: &crate::open::Opener,
        _: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<crate::open::Opened> {
        let path = self.path.clone();
        let path = path.unwrap_or_else(|| opener.store().root().join("ca").join(name.as_str()));
        let mut provider = crate::local_ca::LocalCa::new(path);
        if let Some(life) = self.life {
            provider = provider.life(life.as_duration());
        }
        Ok(crate::open::Opened::new(provider))
    }
}
