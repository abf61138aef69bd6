//! A solver that a program which embeds Seaworthy brings.

use seaworthy_core::Name;

use serde::{Deserialize, Serialize};

use super::SolverKind;

/// `custom`: the name of a solver that the program that embeds Seaworthy brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct CustomSolverConfig(pub Name);

#[cfg_attr(feature = "acme", async_trait::async_trait)]
impl SolverKind for CustomSolverConfig {
    fn custom(&self) -> Option<&Name> {
        Some(&self.0)
    }

    #[cfg(feature = "acme")]
    async fn open(
        &self,
        _: crate::ChallengeKind,
        _: Option<crate::solver::Propagation>,
        opener: &crate::open::Opener,
        _: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>> {
        opener.environment().of(&self.0).brought().ok_or_else(|| {
            let message = format!("nobody has brought the solver {:?}", self.0.as_str());
            let kind = seaworthy_core::ErrorKind::Unsupported;
            seaworthy_core::Error::new(kind, "challenge.open", message)
                .remedy_is("use this file from the program that embeds Seaworthy and brings it")
        })
    }
}
