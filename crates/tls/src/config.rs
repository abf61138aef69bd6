//! The sections `ca`, `tls` and `certificate` of the configuration file, as types.
//!
//! They say what a user may write; a frontend reads the file, resolves secrets and puts the parts
//! together.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use seaworthy_core::{CommandLine, Name, SecretRef, Span, tagged};
use serde::{Deserialize, Serialize};

use crate::{ChallengeKind, Identifier, KeyType};

/// `[ca.<name>]`: who issues certificates.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CaConfig {
    /// An ACME authority, such as Let's Encrypt.
    Acme(AcmeConfig),
    /// An authority of one's own, on this machine.
    Local(LocalCaConfig),
    /// Certificates that vouch for themselves.
    SelfSigned(SelfSignedConfig),
}

tagged!(CaConfig, "an authority: a table with a type", {
    "acme" => Acme(AcmeConfig),
    "local" => Local(LocalCaConfig),
    "self-signed" => SelfSigned(SelfSignedConfig),
});

/// `[ca.<name>]` with `type = "acme"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AcmeConfig {
    /// `letsencrypt`, `letsencrypt-staging`, or the URL of a directory.
    pub directory: String,
    /// The directory that --staging and --dry-run use. Let's Encrypt has one of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging: Option<String>,
    /// How the authority reaches people, such as `mailto:ops@example.com`.
    #[serde(default)]
    pub contact: Vec<String>,
    /// Whether its terms are agreed to.
    #[serde(default)]
    pub agree_tos: bool,
    /// A PEM file with more roots that its own HTTPS server is trusted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// What ties the account to one that was made by other means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eab: Option<EabConfig>,
    /// The URL of an HTTP proxy on the way to the authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<SecretRef>,
    /// The port on which the authority asks with HTTP-01: 80, but for one of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_port: Option<u16>,
}

/// `eab`: external account binding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EabConfig {
    /// The key's id.
    pub key_id: SecretRef,
    /// The HMAC key, in base64url as the authority shows it.
    pub hmac_key: SecretRef,
}

/// `[ca.<name>]` with `type = "local"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LocalCaConfig {
    /// The folder for its root and key; `ca/<name>` in the store where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// How long its certificates live; 90 days where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<Span>,
}

/// `[ca.<name>]` with `type = "self-signed"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SelfSignedConfig {
    /// How long its certificates live; 90 days where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<Span>,
}

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

/// `challenge`: how an ACME authority sees that the names are ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChallengeConfig {
    /// A file on port 80.
    #[serde(rename = "http-01")]
    Http01(Http01Config),
    /// A TXT record.
    #[serde(rename = "dns-01")]
    Dns01(Dns01Config),
    /// A special certificate on port 443.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01(TlsAlpn01Config),
}

impl ChallengeConfig {
    /// The solver that the program that embeds Seaworthy brings, if one is named.
    pub fn custom(&self) -> Option<&Name> {
        match self {
            Self::Http01(http) => http.custom.as_ref(),
            Self::Dns01(dns) => dns.custom.as_ref(),
            Self::TlsAlpn01(tls) => tls.custom.as_ref(),
        }
    }

    /// Which kind of challenge is answered.
    pub fn kind(&self) -> ChallengeKind {
        match self {
            Self::Http01(_) => ChallengeKind::Http01,
            Self::Dns01(_) => ChallengeKind::Dns01,
            Self::TlsAlpn01(_) => ChallengeKind::TlsAlpn01,
        }
    }
}

tagged!(ChallengeConfig, "a challenge: a table with a type", {
    "http-01" => Http01(Http01Config),
    "dns-01" => Dns01(Dns01Config),
    "tls-alpn-01" => TlsAlpn01(TlsAlpn01Config),
});

/// `challenge` with `type = "http-01"`: one of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Http01Config {
    /// The folder that the web server shows on port 80.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webroot: Option<PathBuf>,
    /// The address of a listener of our own, such as `[::]:80`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standalone: Option<SocketAddr>,
    /// The solver of this name, which the program that embeds Seaworthy brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Name>,
}

/// `challenge` with `type = "dns-01"`: one of `exec`, `rfc2136` and `custom`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Dns01Config {
    /// A program that is run with `present NAME VALUE` and `cleanup NAME VALUE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<CommandLine>,
    /// A name server that takes signed updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rfc2136: Option<Rfc2136Config>,
    /// The solver of this name, which the program that embeds Seaworthy brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Name>,
    /// The servers that must show the record; those of the zone where nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<Server>,
    /// How long the record may take to spread; 5 minutes where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<Span>,
}

/// `rfc2136`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rfc2136Config {
    /// The server's address; port 53 where none is said.
    pub server: Server,
    /// The name of the TSIG key on the server.
    pub key_name: String,
    /// The TSIG key, in base64.
    pub secret: SecretRef,
    /// How it signs: hmac-sha256, hmac-sha384 or hmac-sha512.
    #[serde(default)]
    pub algorithm: TsigAlgorithmConfig,
    /// The zone; found by asking the server where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// How TSIG signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TsigAlgorithmConfig {
    /// HMAC with SHA-256.
    #[default]
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
}

/// `challenge` with `type = "tls-alpn-01"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TlsAlpn01Config {
    /// The address of our listener; `[::]:443` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standalone: Option<SocketAddr>,
    /// The solver of this name, which the program that embeds Seaworthy brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Name>,
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

impl CaConfig {
    /// Makes relative paths relative to `base`.
    pub fn resolve(&mut self, base: &Path) {
        match self {
            Self::Acme(acme) => {
                if let Some(roots) = &mut acme.roots {
                    *roots = base.join(&roots);
                }
                if let Some(eab) = &mut acme.eab {
                    resolve_secret(&mut eab.key_id, base);
                    resolve_secret(&mut eab.hmac_key, base);
                }
                acme.proxy.iter_mut().for_each(|proxy| resolve_secret(proxy, base));
            }
            Self::Local(local) => {
                if let Some(path) = &mut local.path {
                    *path = base.join(&path);
                }
            }
            Self::SelfSigned(_) => {}
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
        match &mut self.challenge {
            Some(ChallengeConfig::Http01(Http01Config { webroot: Some(webroot), .. })) => {
                *webroot = base.join(&webroot);
            }
            Some(ChallengeConfig::Dns01(Dns01Config { rfc2136: Some(update), .. })) => {
                resolve_secret(&mut update.secret, base);
            }
            _ => {}
        }
    }
}

fn resolve_secret(secret: &mut SecretRef, base: &Path) {
    if let SecretRef::File(path) = secret {
        *path = base.join(&path);
    }
}
