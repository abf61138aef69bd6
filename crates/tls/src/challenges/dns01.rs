//! A TXT record.

use seaworthy_core::Span;

use super::{
    ChallengeType, CustomSolverConfig, DnsHookConfig, Rfc2136Config, SolverKind, challenge_type,
};
use crate::{ChallengeKind, config::Server};

challenge_type! {
    /// `challenge` with `type = "dns-01"`: one of `exec`, `rfc2136` and `custom`.
    pub struct Dns01Config {
        /// A program that is run with `present NAME VALUE` and `cleanup NAME VALUE`.
        exec: DnsHookConfig,
        /// A name server that accepts signed updates.
        rfc2136: Rfc2136Config,
        /// The name of a solver that the program which embeds Seaworthy provides.
        custom: CustomSolverConfig,
    } and {
        /// The servers that must have the record. Default: those of the zone.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub servers: Vec<Server>,
        /// How long the record may take to propagate. Default: 5 minutes.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub patience: Option<Span>,
    }
}

#[cfg_attr(feature = "acme", async_trait::async_trait)]
impl ChallengeType for Dns01Config {
    fn kind(&self) -> ChallengeKind {
        ChallengeKind::Dns01
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
        let Some((_, solver)) = self.named().into_iter().next() else {
            let message = format!("`challenge` names no solver: {}", Self::KNOWN.join(", "));
            return Err(seaworthy_core::Error::new(
                seaworthy_core::ErrorKind::Config,
                "challenge.open",
                message,
            ));
        };
        let mut servers: Vec<_> = self.servers.iter().map(|server| server.or_port(53)).collect();
        if servers.is_empty() {
            servers.extend(solver.name_server());
        }
        let mut propagation = crate::solver::Propagation::new(opener.resolver()?).servers(servers);
        if let Some(patience) = self.patience {
            propagation = propagation.limit(patience.as_duration());
        }
        solver.open(self.kind(), Some(propagation), opener, cx).await
    }
}
