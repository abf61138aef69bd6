//! The sections `ca`, `tls` and `certificate` of the configuration file, as types.
//!
//! They define what a user may write; a frontend reads the file, resolves secrets and builds the
//! parts.

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
    /// The folder for certificates, keys and accounts. Default: /etc/seaworthy/tls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<PathBuf>,
    /// Name servers for checks, such as `192.0.2.53:53`. Default: the machine's.
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
    /// How an ACME authority validates that we control the names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<ChallengeConfig>,
    /// The files of a certificate that another program issues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalConfig>,
    /// The kind of its key. Default: P-256.
    #[serde(default)]
    pub key: KeyType,
    /// The authority's profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The common name of the preferred root, if the authority offers several chains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_chain: Option<String>,
    /// Commands that must succeed before the servers are reloaded, such as `nginx -t`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<CommandLine>,
    /// Commands that reload the servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploy: Vec<CommandLine>,
    /// Where to check that it is served: addresses with ports, or `false`. Default: port 443 of
    /// this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prove: Option<ProveConfig>,
}

/// `external`: another program issues the certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExternalConfig {
    /// The certificate and the intermediate ones, in PEM.
    pub chain: PathBuf,
    /// The key, in PEM.
    pub key: PathBuf,
}

/// `prove`: a list of addresses, or `false`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum ProveConfig {
    /// Whether to check at all.
    Whether(bool),
    /// Where to check.
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
    /// With `port` if it has none.
    pub fn or_port(self, port: u16) -> SocketAddr {
        match self {
            Self::WithPort(address) => address,
            Self::Host(ip) => SocketAddr::new(ip, port),
        }
    }
}

impl TlsConfig {
    /// The default folder for certificates.
    pub const DEFAULT_STORE: &'static str = "/etc/seaworthy/tls";

    /// The folder for certificates.
    pub fn store(&self) -> &Path {
        self.store.as_deref().unwrap_or(Path::new(Self::DEFAULT_STORE))
    }

    /// Resolves relative paths against `base`.
    pub fn resolve(&mut self, base: &Path) {
        if let Some(store) = &mut self.store {
            *store = base.join(&store);
        }
    }
}

impl CertificateConfig {
    /// Resolves relative paths against `base`.
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
