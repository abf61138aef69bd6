//! DNS-01 through signed dynamic updates.

use std::{net::SocketAddr, path::Path};

use seaworthy_core::SecretRef;
use serde::{Deserialize, Serialize};

use super::SolverKind;
use crate::config::Server;

/// `rfc2136`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rfc2136Config {
    /// The server's address. Default port: 53.
    pub server: Server,
    /// The name of the TSIG key on the server.
    pub key_name: String,
    /// The TSIG key, in base64.
    pub secret: SecretRef,
    /// How it signs: hmac-sha256, hmac-sha384 or hmac-sha512.
    #[serde(default)]
    pub algorithm: TsigAlgorithmConfig,
    /// The zone. Default: found by asking the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// How TSIG signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TsigAlgorithmConfig {
    /// HMAC with SHA-256.
    #[default]
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
}

#[cfg_attr(feature = "acme", async_trait::async_trait)]
impl SolverKind for Rfc2136Config {
    fn resolve(&mut self, base: &Path) {
        self.secret.resolve(base);
    }

    fn name_server(&self) -> Option<SocketAddr> {
        match self.server {
            Server::WithPort(address) => Some(address),
            Server::Host(_) => None,
        }
    }

    #[cfg(feature = "rfc2136")]
    async fn open(
        &self,
        _: crate::ChallengeKind,
        propagation: Option<crate::solver::Propagation>,
        opener: &crate::open::Opener,
        cx: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>> {
        use crate::solver::{DnsUpdate, TsigAlgorithm, TsigKey};
        let algorithm = match self.algorithm {
            TsigAlgorithmConfig::HmacSha256 => TsigAlgorithm::HmacSha256,
            TsigAlgorithmConfig::HmacSha384 => TsigAlgorithm::HmacSha384,
            TsigAlgorithmConfig::HmacSha512 => TsigAlgorithm::HmacSha512,
        };
        let secret = opener.environment().secret(&self.secret, cx).await?;
        let key = TsigKey::new(&self.key_name, algorithm, secret);
        let propagation = opener.or_usual(propagation)?;
        let solver = DnsUpdate::new(self.server.or_port(53), &key, propagation)?;
        Ok(std::sync::Arc::new(match &self.zone {
            Some(zone) => solver.zone(zone),
            None => solver,
        }))
    }

    #[cfg(all(feature = "acme", not(feature = "rfc2136")))]
    async fn open(
        &self,
        _: crate::ChallengeKind,
        _: Option<crate::solver::Propagation>,
        _: &crate::open::Opener,
        _: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>> {
        let message = "this program was built without signed updates of DNS";
        let kind = seaworthy_core::ErrorKind::Unsupported;
        Err(seaworthy_core::Error::new(kind, "challenge.open", message)
            .remedy_is("build it with the feature `rfc2136`"))
    }
}
