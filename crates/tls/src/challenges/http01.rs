//! A file on port 80.

use super::{
    ChallengeType, CustomSolverConfig, SolverKind, StandaloneConfig, WebrootConfig, challenge_type,
};
use crate::ChallengeKind;

challenge_type! {
    /// `challenge` with `type = "http-01"`: one of these.
    pub struct Http01Config {
        /// The folder that the web server serves on port 80.
        webroot: WebrootConfig,
        /// The address of a listener of our own, such as `[::]:80`.
        standalone: StandaloneConfig,
        /// The name of a solver that the program which embeds Seaworthy provides.
        custom: CustomSolverConfig,
    }
}

#[cfg_attr(feature = "acme", async_trait::async_trait)]
impl ChallengeType for Http01Config {
    fn kind(&self) -> ChallengeKind {
        ChallengeKind::Http01
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

    #[cfg(feature = "acme")]
    async fn open(
        &self,
        opener: &crate::open::Opener,
        cx: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>> {
        let here = StandaloneConfig::on_port(80);
        let solver = self.named().first().map_or(&here as &dyn SolverKind, |(_, solver)| *solver);
        solver.open(self.kind(), None, opener, cx).await
    }
}
