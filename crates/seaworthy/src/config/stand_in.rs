//! What the sites need to know of sections that other parts of the file own.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// `[tls]`, as far as sites need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct TlsPlace {
    /// The folder of certificates.
    pub store: PathBuf,
}

impl Default for TlsPlace {
    fn default() -> Self {
        Self { store: "/etc/seaworthy/tls".into() }
    }
}

/// `[certificate.*]`, as far as sites need it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct CertificatePlace {
    /// Somebody else issues it, and puts it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalFiles>,
}

/// The files of a certificate that somebody else issues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExternalFiles {
    /// The certificate and those between it and the root.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// `[service.*]`, as far as sites need it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct ServicePlace {
    /// The port of the first instance; the others follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How many instances there are; one where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<InstanceCount>,
}

/// How many instances of a service there are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
#[non_exhaustive]
pub enum InstanceCount {
    /// So many.
    Number(u16),
    /// `"max"`: one for each processor.
    Max(Max),
}

/// The word `max`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Max {
    /// As many as there are processors.
    Max,
}

impl InstanceCount {
    /// The number on this machine.
    pub(super) fn on_this_machine(self) -> u16 {
        match self {
            Self::Number(number) => number,
            Self::Max(_) => std::thread::available_parallelism()
                .map_or(1, |processors| u16::try_from(processors.get()).unwrap_or(u16::MAX)),
        }
    }
}

impl TlsPlace {
    pub(super) fn resolve(&mut self, base: &Path) {
        self.store = base.join(&self.store);
    }
}

impl CertificatePlace {
    pub(super) fn resolve(&mut self, base: &Path) {
        for file in self.external.iter_mut().flat_map(|files| [&mut files.chain, &mut files.key]) {
            *file = base.join(&file);
        }
    }
}
