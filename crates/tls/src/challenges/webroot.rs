//! HTTP-01 through an existing web server.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SolverKind;

/// `webroot`: the folder that the web server shows on port 80.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct WebrootConfig(pub PathBuf);

#[cfg_attr(feature = "acme", async_trait::async_trait)]
impl SolverKind for WebrootConfig {
    fn resolve(&mut self, base: &Path) {
        self.0 = base.join(&self.0);
    }

    fn webroot(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }

    #[cfg(feature = "acme")]
    async fn open(
        &self,
        _: crate::ChallengeKind,
        _: Option<crate::solver::Propagation>,
        _: &crate::open::Opener,
        _: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>> {
        Ok(std::sync::Arc::new(crate::solver::Webroot::new(&self.0)))
    }
}
