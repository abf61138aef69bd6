//! The kinds of challenges, and what answers them: `challenge` of `[certificate.<name>]`.
//!
//! ACME knows three kinds, each a file of its own with the list of what can answer it: the solvers.
//! Each of these is a file of its own as well, with what the file says about it, and how it is
//! opened.

mod custom;
mod dns01;
mod exec;
mod http01;
mod rfc2136;
mod standalone;
mod tls_alpn01;
mod webroot;

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
};

#[cfg(feature = "acme")]
use async_trait::async_trait;
use seaworthy_core::{CommandLine, Name, Section};
use serde::Serialize;

use crate::{ChallengeKind, Identifier};

pub use custom::CustomSolverConfig;
pub use dns01::Dns01Config;
pub use exec::DnsHookConfig;
pub use http01::Http01Config;
pub use rfc2136::{Rfc2136Config, TsigAlgorithmConfig};
pub use standalone::StandaloneConfig;
pub use tls_alpn01::TlsAlpn01Config;
pub use webroot::WebrootConfig;

seaworthy_core::tagged! {
    /// `challenge`: how an ACME authority sees that the names are ours.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[non_exhaustive]
    pub enum ChallengeConfig as pub dyn ChallengeType, "a challenge: a table with a type" {
        /// A file on port 80.
        "http-01" => Http01(Http01Config),
        /// A TXT record.
        "dns-01" => Dns01(Dns01Config),
        /// A challenge certificate on port 443.
        "tls-alpn-01" => TlsAlpn01(TlsAlpn01Config),
    }
}

/// A kind of challenge, with what answers it.
#[cfg_attr(feature = "acme", async_trait)]
pub trait ChallengeType: Debug + Send + Sync {
    /// Which kind it is.
    fn kind(&self) -> ChallengeKind;

    /// The keys that name a solver.
    fn known(&self) -> &'static [&'static str];

    /// The solvers that are named, by their keys. There is one at most in a file that was checked.
    fn solvers(&self) -> Vec<(&'static str, &dyn SolverKind)>;

    /// The solvers that are named.
    fn solvers_mut(&mut self) -> Vec<&mut dyn SolverKind>;

    /// Whether a solver must be named.
    fn needs_solver(&self) -> bool {
        true
    }

    /// Makes relative paths relative to `base`.
    fn resolve(&mut self, base: &Path) {
        self.solvers_mut().into_iter().for_each(|solver| solver.resolve(base));
    }

    /// Adds what is wrong with it, in the section of a certificate for `names`.
    fn check(&self, names: &[Identifier], section: &mut Section) {
        let named: Vec<_> = self.solvers().into_iter().map(|(key, _)| key).collect();
        match (named.as_slice(), self.known()) {
            ([a, b, ..], _) => {
                let message = format!("`challenge` has both `{a}` and `{b}`");
                section.fault(&["challenge"], message, "keep one of them");
            }
            ([], known @ [_, ..]) if self.needs_solver() => {
                let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
                let message = format!("`challenge` has none of {}", known.join(", "));
                section.fault(&["challenge"], message, "write one of them");
            }
            _ => {}
        }
        let is_dns = self.kind() == ChallengeKind::Dns01;
        for (i, name) in names.iter().enumerate() {
            let place = ["names", &i.to_string()];
            if name.is_wildcard() && !is_dns {
                let message = format!("{name} is a wildcard, which only dns-01 can prove");
                let remedy = "write challenge = { type = \"dns-01\", … }, or name each host";
                section.fault(&place, message, remedy);
            }
            if name.ip().is_some() && is_dns {
                let message = format!("{name} is an address, which dns-01 cannot prove");
                section.fault(&place, message, "use http-01 or tls-alpn-01 for addresses");
            }
        }
    }

    /// The name of a solver from the program that embeds Seaworthy, if any.
    fn custom(&self) -> Option<&Name> {
        self.solvers().into_iter().find_map(|(_, solver)| solver.custom())
    }

    /// The folder that a web server shows, if answers are written into one.
    fn webroot(&self) -> Option<PathBuf> {
        self.solvers().into_iter().find_map(|(_, solver)| solver.webroot())
    }

    /// The commands that it runs.
    fn commands(&self) -> Vec<&CommandLine> {
        self.solvers().into_iter().flat_map(|(_, solver)| solver.commands()).collect()
    }

    /// What answers.
    #[cfg(feature = "acme")]
    async fn open(
        &self,
        opener: &crate::open::Opener,
        cx: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>>;
}

/// A solver: something that answers challenges.
#[cfg_attr(feature = "acme", async_trait)]
pub trait SolverKind: Debug + Send + Sync {
    /// Makes relative paths relative to `base`.
    fn resolve(&mut self, _base: &Path) {}

    /// The folder that a web server shows, if answers are written into one.
    fn webroot(&self) -> Option<PathBuf> {
        None
    }

    /// The commands that it runs.
    fn commands(&self) -> Vec<&CommandLine> {
        Vec::new()
    }

    /// The solver that the program that embeds Seaworthy brings, if it is one.
    fn custom(&self) -> Option<&Name> {
        None
    }

    /// The name server that is told, which is then the one that must show the record.
    fn name_server(&self) -> Option<std::net::SocketAddr> {
        None
    }

    /// What answers challenges of this kind. With a kind of DNS comes how the record spreads.
    #[cfg(feature = "acme")]
    async fn open(
        &self,
        kind: ChallengeKind,
        propagation: Option<crate::solver::Propagation>,
        opener: &crate::open::Opener,
        cx: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<std::sync::Arc<dyn crate::ChallengeSolver>>;
}

/// Declares a kind of challenge: the keys that name a solver, one line each, and its other keys.
macro_rules! challenge_type {
    (
        $(#[$about:meta])*
        pub struct $struct:ident {
            $($(#[$meta:meta])* $solver:ident: $type:ty,)+
        }
        $(and { $($(#[$more_meta:meta])* pub $more:ident: $more_type:ty,)+ })?
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields, default)]
        #[non_exhaustive]
        pub struct $struct {
            $(
                $(#[$meta])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $solver: Option<$type>,
            )+
            $($($(#[$more_meta])* pub $more: $more_type,)+)?
        }

        impl $struct {
            const KNOWN: &'static [&'static str] = &[$(stringify!($solver)),+];

            fn named(&self) -> Vec<(&'static str, &dyn $crate::challenges::SolverKind)> {
                let mut all: Vec<(&'static str, &dyn $crate::challenges::SolverKind)> = Vec::new();
                $(
                    if let Some(solver) = &self.$solver {
                        all.push((stringify!($solver), solver));
                    }
                )+
                all
            }

            fn named_mut(&mut self) -> Vec<&mut dyn $crate::challenges::SolverKind> {
                let mut all: Vec<&mut dyn $crate::challenges::SolverKind> = Vec::new();
                $(
                    if let Some(solver) = &mut self.$solver {
                        all.push(solver);
                    }
                )+
                all
            }
        }
    };
}
use challenge_type;
