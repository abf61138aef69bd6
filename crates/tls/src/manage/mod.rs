//! Certificate management: what is due is issued, stored, deployed, and proved to be served.
//!
//! A [`Manager`] runs [`ManagedCertificate`]s. "Issued" and "deployed" are separate states: if
//! deploying fails, the certificate stays in the store, and the next run deploys it again without
//! asking an authority.

mod deploy;
mod issue;
mod manager;
mod pair;
mod precheck;
mod prove;
mod report;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use seaworthy_core::{CommandLine, Name};

use crate::{CertificateProvider, Identifier, KeyType};

pub use manager::{Manager, RunOptions};
pub use pair::check_pair;
pub use precheck::{Finding, Precheck, Weight, missing_programs};
pub use report::{Issued, Report};

/// One managed certificate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ManagedCertificate {
    /// Its name in the store.
    pub name: Name,
    /// Its names and addresses.
    pub names: Vec<Identifier>,
    /// Where it comes from.
    pub origin: Origin,
    /// The kind of its key.
    pub key: KeyType,
    /// The authority's profile.
    pub profile: Option<String>,
    /// The common name of the preferred authority at the end of the chain.
    pub preferred_chain: Option<String>,
    /// How it is deployed.
    pub deployment: Deployment,
    /// Checks that run before an authority is asked.
    pub prechecks: Vec<Arc<dyn Precheck>>,
}

impl ManagedCertificate {
    /// A certificate with a P-256 key that is stored, but not deployed.
    pub fn new(name: Name, names: impl Into<Vec<Identifier>>, origin: Origin) -> Self {
        Self {
            name,
            names: names.into(),
            origin,
            key: KeyType::default(),
            profile: None,
            preferred_chain: None,
            deployment: Deployment::default(),
            prechecks: Vec::new(),
        }
    }
}

/// The source of a certificate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// These authorities are tried in order, until one issues.
    Managed(Vec<Arc<dyn CertificateProvider>>),
    /// Another program issues: we watch two files, deploy and prove.
    External {
        /// The certificate and the intermediate ones, in PEM.
        chain: PathBuf,
        /// The key, in PEM.
        key: PathBuf,
    },
}

/// How a certificate is deployed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Deployment {
    /// Commands that must succeed before the servers are reloaded, such as `nginx -t`.
    pub check: Vec<CommandLine>,
    /// Commands that reload the servers, such as `systemctl reload nginx`.
    pub deploy: Vec<CommandLine>,
    /// Where to check that it is served.
    pub prove: Prove,
}

/// Where to check that a certificate is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prove {
    /// On port 443 of this machine, at the addresses of the names, if there are deploy commands.
    #[default]
    Here,
    /// At these addresses.
    At(Vec<SocketAddr>),
    /// Nowhere: not checked.
    Nowhere,
}
