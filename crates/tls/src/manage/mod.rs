//! Certificates kept fresh: what is due is issued, stored, deployed, and proved to be served.
//!
//! A [`Manager`] runs [`ManagedCertificate`]s. "Issued" and "deployed" are separate states: where
//! deploying fails the certificate stays in the store, and the next run deploys it again without
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

/// One certificate to be kept fresh.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ManagedCertificate {
    /// What it is called in the store.
    pub name: Name,
    /// What it is for.
    pub names: Vec<Identifier>,
    /// Where it comes from.
    pub origin: Origin,
    /// The kind of its key.
    pub key: KeyType,
    /// The authority's profile.
    pub profile: Option<String>,
    /// The common name of an authority that the chain shall lead to.
    pub preferred_chain: Option<String>,
    /// How it gets to the servers.
    pub deployment: Deployment,
    /// What is looked at before an authority is asked.
    pub prechecks: Vec<Arc<dyn Precheck>>,
}

impl ManagedCertificate {
    /// A certificate with a P-256 key that is stored, and deployed nowhere.
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

/// Where a certificate comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// These are asked, in order, until one issues.
    Managed(Vec<Arc<dyn CertificateProvider>>),
    /// Somebody else issues: we watch two files, deploy and prove.
    External {
        /// The certificate and those above it, in PEM.
        chain: PathBuf,
        /// The key, in PEM.
        key: PathBuf,
    },
}

/// How a certificate gets to the servers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Deployment {
    /// Commands that must succeed before the servers are told, such as `nginx -t`.
    pub check: Vec<CommandLine>,
    /// Commands that tell the servers, such as `systemctl reload nginx`.
    pub deploy: Vec<CommandLine>,
    /// Where to look whether it is served.
    pub prove: Prove,
}

/// Where to look whether a certificate is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prove {
    /// On port 443 of this machine, at the addresses that the names lead to: where there are
    /// commands that deploy.
    #[default]
    Here,
    /// At these addresses.
    At(Vec<SocketAddr>),
    /// Nowhere: somebody else's business.
    Nowhere,
}
