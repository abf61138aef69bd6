//! DNS-01 through a program that sets TXT records.

use seaworthy_core::CommandLine;

use serde::{Deserialize, Serialize};

use super::SolverKind;

/// `exec`: a program that is run with `present NAME VALUE` and `cleanup NAME VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct DnsHookConfig(pub CommandLine);

#[cfg_attr(feature = "acme", async_trait::async_trait)]
impl SolverKind for DnsHookConfig {
    fn commands(&self) -> Vec<&CommandLine> {
        vec![&self.0]
    }

    #[cfg(feature = "acme")]
    async fn open(
        &self,
        _: crate::ChallengeKind,
        propagation: Option<crate::solver::Propagation>,
        opener: &crate::open::Opener,
        _: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>> {
        let propagation = opener.or_usual(propagation)?;
        Ok(std::sync::Arc::new(crate::solver::DnsHook::new(self.0.clone(), propagation)))
    }
}
