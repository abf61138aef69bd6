//! What a run did with one certificate.

use seaworthy_core::{Error, Name, Timestamp};
use serde::Serialize;

use super::Finding;
use crate::{Action, Fingerprint, Identifier};

/// What a run did with one certificate.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The certificate.
    pub name: Name,
    /// What was due.
    pub action: Action,
    /// The certificate that this run issued.
    pub issued: Option<Issued>,
    /// Whether the newest certificate is deployed now.
    pub deployed: bool,
    /// The findings of the checks before the authority was asked.
    pub findings: Vec<Finding>,
    /// What went wrong.
    pub error: Option<Error>,
}

impl Report {
    pub(super) fn new(name: &Name, action: Action) -> Self {
        Self {
            name: name.clone(),
            action,
            issued: None,
            deployed: false,
            findings: Vec::new(),
            error: None,
        }
    }

    /// Whether a stored certificate is not proved to be served.
    pub fn is_issued_but_not_deployed(&self) -> bool {
        let has_one = self.issued.is_some() || self.action == Action::Deploy;
        has_one && !self.deployed && self.error.is_some()
    }

    /// Whether there was nothing to do.
    pub fn is_unchanged(&self) -> bool {
        matches!(self.action, Action::Rest { .. } | Action::Wait { .. })
    }
}

/// A certificate that was issued.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Issued {
    /// Its issuer.
    pub provider: String,
    /// Its names and addresses.
    pub names: Vec<Identifier>,
    /// The last second of its validity.
    pub not_after: Timestamp,
    /// Its SHA-256 fingerprint.
    pub fingerprint: Fingerprint,
    /// Its version in the store; `None` after a dry run.
    pub version: Option<String>,
}
