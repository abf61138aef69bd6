//! The kinds of authorities: `[ca.<name>]` with a `type`.
//!
//! Each is a file of its own, with what the file says about it, what can be wrong with that, and how
//! it is opened. Here is the list of them.

mod acme;
mod local;
mod self_signed;

use std::{fmt::Debug, path::Path};

#[cfg(feature = "manage")]
use async_trait::async_trait;
use seaworthy_core::Section;
use serde::Serialize;

pub use acme::{AcmeConfig, EabConfig};
pub use local::LocalCaConfig;
pub use self_signed::SelfSignedConfig;

seaworthy_core::tagged! {
    /// `[ca.<name>]`: who issues certificates.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[non_exhaustive]
    pub enum CaConfig as pub dyn ProviderKind, "an authority: a table with a type" {
        /// An ACME authority, such as Let's Encrypt.
        "acme" => Acme(AcmeConfig),
        /// A local authority, on this machine.
        "local" => Local(LocalCaConfig),
        /// Self-signed certificates.
        "self-signed" => SelfSigned(SelfSignedConfig),
    }
}

/// What each kind of authority does.
#[cfg_attr(feature = "manage", async_trait)]
pub trait ProviderKind: Debug + Send + Sync {
    /// Adds what is wrong with its keys.
    fn check(&self, _section: &mut Section) {}

    /// Makes relative paths relative to `base`.
    fn resolve(&mut self, _base: &Path) {}

    /// Whether it looks first whether the names are ours, by a challenge.
    fn needs_challenge(&self) -> bool {
        false
    }

    /// What issues for `certificate`. The section is called `name`.
    #[cfg(feature = "manage")]
    async fn open(
        &self,
        name: &seaworthy_core::Name,
        _certificate: &crate::config::CertificateConfig,
        _opener: &crate::open::Opener,
        _cx: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<crate::open::Opened> {
        let message = format!("this program was built without what [ca.{name}] needs");
        Err(seaworthy_core::Error::new(seaworthy_core::ErrorKind::Unsupported, "ca.open", message)
            .remedy_is("build it with the feature of that name"))
    }
}
