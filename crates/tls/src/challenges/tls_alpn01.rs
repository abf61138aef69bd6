//! A challenge certificate on port 443.

use super::{ChallengeType, CustomSolverConfig, SolverKind, StandaloneConfig, challenge_type};
use crate::ChallengeKind;

challenge_type! {
    /// `challenge` with `type = "tls-alpn-01"`.
    pub struct TlsAlpn01Config {
        /// The address of our listener. Default: `[::]:443`.
        standalone: StandaloneConfig,
        /// The name of a solver that the program which embeds Seaworthy provides.
        custom: CustomSolverConfig,
    }
}

#[cfg_attr(feature = "acme", async_trait::async_trait)]
impl ChallengeType for TlsAlpn01Config {
    fn kind(&self) -> ChallengeKind {
        ChallengeKind::TlsAlpn01
    }

    fn known(&self) -> &'static [&'static str] {
        Self::KNOWN
    }

    fn solvers(&self) -> Vec<(&'static str, &dyn SolverKind)> {
        self.named()
    }

    fn solvers_mut(&mut self) -> Vec<&mut dyn SolverKind> {
        self.named_mut()
    }

    fn needs_solver(&self) -> bool {
        false
    }

    #[cfg(feature = "acme")]
    async fn open(
        &self,
        opener: &crate::open::Opener,
        cx: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>> {
        let here = StandaloneConfig::on_port(443);
        let solver = self.named().first().map_or(&here as &dyn SolverKind, |(_, solver)| *solver);
        solver.open(self.kind(), None, opener, cx).await
    }
}
