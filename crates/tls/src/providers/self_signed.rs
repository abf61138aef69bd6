//! Self-signed certificates.

use seaworthy_core::Span;
use serde::{Deserialize, Serialize};

use super::ProviderKind;

/// `[ca.<name>]` with `type = "self-signed"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SelfSignedConfig {
    /// How long its certificates are valid. Default: 90 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<Span>,
}

#[cfg_attr(feature = "manage", async_trait::async_trait)]
impl ProviderKind for SelfSignedConfig {
    #[cfg(feature = "local-ca")]
    async fn open(
        &self,
        _: &seaworthy_core::Name,
        _: &crate::config::CertificateConfig,
        _: &crate::open::Opener,
        _: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<crate::open::Opened> {
        let mut provider = crate::local_ca::SelfSigned::new();
        if let Some(life) = self.life {
            provider = provider.life(life.as_duration());
        }
        Ok(crate::open::Opened::new(provider))
    }
}
