//! HTTP-01 and TLS-ALPN-01 through a listener of our own.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::SolverKind;

/// `standalone`: the address of a listener of our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct StandaloneConfig(pub SocketAddr);

#[cfg(feature = "acme")]
impl StandaloneConfig {
    /// On every address of this machine.
    pub(super) fn on_port(port: u16) -> Self {
        Self(SocketAddr::from(([0; 8], port)))
    }
}

#[cfg_attr(feature = "acme", async_trait::async_trait)]
impl SolverKind for StandaloneConfig {
    #[cfg(feature = "acme")]
    async fn open(
        &self,
        kind: crate::ChallengeKind,
        _: Option<crate::solver::Propagation>,
        opener: &crate::open::Opener,
        _: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>> {
        Ok(opener.listener(kind, self.0))
    }
}
