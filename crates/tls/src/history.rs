//! What is stored about one certificate between runs.

use std::{fs, io, path::Path};

use seaworthy_core::{Error, ErrorKind, Result, Timestamp, durable};
use serde::{Deserialize, Serialize};

use crate::RenewalHint;

/// The history of one certificate. Stored on disk, so that it survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct History {
    /// How often issuing failed in a row.
    pub failures: u32,
    /// When it failed last.
    pub last_failure: Option<Timestamp>,
    /// The error.
    pub last_error: Option<String>,
    /// The earliest time of the next request to the authority (Retry-After).
    pub not_before: Option<Timestamp>,
    /// When the authority wants it to be renewed.
    pub hint: Option<KnownHint>,
    /// When the authority was last asked for that.
    pub hint_asked: Option<Timestamp>,
    /// The certificate is revoked.
    pub revoked: bool,
    /// The stored certificate is proved to be served, or does not need to be deployed. Otherwise
    /// deploying is tried again, without a new certificate.
    pub deployed: bool,
    /// How often deploying failed in a row.
    pub deploy_failures: u32,
    /// When deploying failed last.
    pub last_deploy_failure: Option<Timestamp>,
    /// The version that was being deployed, for the next attempt.
    pub waiting: Option<String>,
}

/// A [`RenewalHint`], and the time chosen in its window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownHint {
    /// The hint of the authority.
    pub hint: RenewalHint,
    /// A random time in the window, chosen once.
    pub chosen: Timestamp,
    /// The certificate concerned.
    pub about: String,
}

impl KnownHint {
    /// Chooses the time at the fraction `part` / 65535 of the window of `hint`.
    pub fn choose(hint: RenewalHint, about: impl Into<String>, part: u16) -> Self {
        let width = hint.end.since(hint.start).as_secs();
        let offset = width.saturating_mul(u64::from(part)) / u64::from(u16::MAX);
        let chosen = hint.start.as_unix().saturating_add(i64::try_from(offset).unwrap_or(0));
        Self { chosen: Timestamp::from_unix(chosen), hint, about: about.into() }
    }
}

impl History {
    /// Reads it; empty if there is no file.
    pub fn load(path: &Path) -> Result<Self> {
        let fail =
            |e| Error::io("certificate.history", format!("cannot read {}", path.display()), e);
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                let message = format!("{} is damaged", path.display());
                Error::new(ErrorKind::Damaged, "certificate.history", message)
                    .caused_by(e)
                    .remedy_is("remove it: only waiting times are lost")
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(fail(e)),
        }
    }

    /// Writes it, durably.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            durable::create_private_folder(folder)?;
        }
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "certificate.history", e.to_string()))?;
        durable::write_file(path, &bytes, 0o600)
    }

    /// Issuing failed at `now` with `error`.
    pub fn failed(&mut self, now: Timestamp, error: &Error) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(now);
        self.last_error = Some(error.chain());
        let not_before = |(name, value): (&str, &str)| {
            (name == crate::provider::NOT_BEFORE).then(|| value.parse().ok())?
        };
        self.not_before = error.context().find_map(not_before);
    }

    /// A new certificate was issued and stored as `version`.
    pub fn issued(&mut self, version: &str) {
        *self = Self { waiting: Some(version.to_owned()), ..Self::default() };
    }

    /// Deploying failed at `now`.
    pub fn deploy_failed(&mut self, now: Timestamp, error: &Error) {
        self.deployed = false;
        self.deploy_failures = self.deploy_failures.saturating_add(1);
        self.last_deploy_failure = Some(now);
        self.last_error = Some(error.chain());
    }

    /// The stored certificate is being served.
    pub fn deployed(&mut self) {
        self.deployed = true;
        self.deploy_failures = 0;
        self.last_deploy_failure = None;
        self.last_error = None;
        self.waiting = None;
    }
}
