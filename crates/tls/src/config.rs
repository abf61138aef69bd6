//! The sections `ca`, `tls` and `certificate` of the configuration file, as types.
//!
//! They say what a user may write; a frontend reads the file, resolves secrets and puts the parts
//! together.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use seaworthy_core::{CommandLine, Name};
use serde::{Deserialize, Serialize};

use crate::{Identifier, KeyType};

pub use crate::{challenges::*, providers::*};

/// `[tls]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TlsConfig {
    /// The folder for certificates, keys and accounts; /etc/seaworthy/tls where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<PathBuf>,
    /// Name servers for checks, such as `192.0.2.53:53`; the machine's where nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resolvers: Vec<Server>,
}

/// `[certificate.<name>]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CertificateConfig {
    /// The names and addresses that it is for.
    pub names: Vec<Identifier>,
    /// The authorities, tried in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca: Vec<Name>,
    /// How an ACME authority sees that the names are ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<ChallengeConfig>,
    /// Where it lies, if somebody else issues it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalConfig>,
    /// The kind of its key; P-256 where nothing is said.
    #[serde(default)]
    pub key: KeyType,
    /// The authority's profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The common name of a root that the chain shall lead to, where there is a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_chain: Option<String>,
    /// Commands that must succeed before the servers are told, such as `nginx -t`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<CommandLine>,
    /// Commands that tell the servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploy: Vec<CommandLine>,
    /// Where to look whether it is served: addresses with ports, or `false`; port 443 of this
    /// machine where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prove: Option<ProveConfig>,
}

/// `external`: somebody else issues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExternalConfig {
    /// The certificate and those above it, in PEM.
    pub chain: PathBuf,
    /// The key, in PEM.
    pub key: PathBuf,
}

/// `prove`: a list of addresses, or `false`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum ProveConfig {
    /// Whether to look at all.
    Whether(bool),
    /// Where to look.
    At(Vec<Server>),
}

/// A server's address, with or without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Server {
    /// With a port.
    WithPort(SocketAddr),
    /// Without one.
    Host(IpAddr),
}

impl Server {
    /// With `port` where none is said.
    pub fn or_port(self, port: u16) -> SocketAddr {
        match self {
            Self::WithPort(address) => address,
            Self::Host(ip) => SocketAddr::new(ip, port),
        }
    }
}

impl TlsConfig {
    /// The folder for certificates where nothing is said.
    pub const DEFAULT_STORE: &'static str = "/etc/seaworthy/tls";

    /// The folder for certificates.
    pub fn store(&self) -> &Path {
        self.store.as_deref().unwrap_or(Path::new(Self::DEFAULT_STORE))
    }

    /// Makes relative paths relative to `base`.
    pub fn resolve(&mut self, base: &Path) {
        if let Some(store) = &mut self.store {
            *store = base.join(&store);
        }
    }
}

impl CertificateConfig {
    /// Makes relative paths relative to `base`.
    pub fn resolve(&mut self, base: &Path) {
        if let Some(external) = &mut self.external {
            external.chain = base.join(&external.chain);
            external.key = base.join(&external.key);
        }
        if let Some(challenge) = &mut self.challenge {
            challenge.as_kind_mut().resolve(base);
        }
    }
}
