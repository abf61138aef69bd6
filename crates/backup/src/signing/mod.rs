//! Who wrote a snapshot: detached [minisign](https://jedisct1.github.io/minisign/) signatures.
//!
//! A signature lies beside the manifest and covers every byte of it: job, id, host, and the SHA-256
//! of every other object. Where [`TrustedKeys`] are given, a manifest that none of them signed is
//! untrusted: listed, but never the latest, never restored unasked and never removed.
//!
//! Encryption proves no origin: anybody can encrypt for a public key. Without the feature
//! `encryption` these types have no values.

#[cfg(not(feature = "encryption"))]
mod absent;
#[cfg(feature = "encryption")]
mod minisign;

use seaworthy_core::{Error, ErrorKind, Result};

#[cfg(not(feature = "encryption"))]
pub use absent::{SigningKey, TrustedKeys};
#[cfg(feature = "encryption")]
pub use minisign::{SigningKey, TrustedKeys};

use crate::{
    encryption::{Identities, Recipients},
    format::ObjectKey,
};

/// The name of the manifest's signature in a snapshot's folder.
pub const SIGNATURE: &str = "manifest.json.minisig";

/// What is added to an object's name for that of its signature.
pub(crate) const SIGNATURE_SUFFIX: &str = ".minisig";

/// What a job's snapshots are encrypted, decrypted, signed and trusted with.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Keys {
    /// Whom new snapshots are encrypted for; `None` leaves them plain.
    pub recipients: Option<Recipients>,
    /// What decrypts snapshots. Backing up needs none.
    pub identities: Identities,
    /// What signs manifests; `None` leaves them unsigned.
    pub signing: Option<SigningKey>,
    /// Whose manifests are believed; `None` believes every whole one.
    pub trust: Option<TrustedKeys>,
}

impl Keys {
    /// Whether what is written with these keys cannot be read with them.
    pub(crate) fn is_sealed(&self) -> bool {
        self.recipients.is_some() && self.identities.is_empty()
    }

    /// Fails where a snapshot made with these keys would be untrusted at once.
    pub(crate) fn check_writing(&self) -> Result<()> {
        let Some(trust) = &self.trust else { return Ok(()) };
        let message = match &self.signing {
            Some(key) if trust.trusts(key) => return Ok(()),
            Some(_) => "the key that signs is not among the trusted ones",
            None => "only signed snapshots are trusted, and there is no key to sign with",
        };
        Err(Error::new(ErrorKind::InvalidInput, "backup.sign", message).remedy_is(
            "name the key in `signing.key` and its public half in `signing.trust`; \
             `seaworthy keygen sign` makes a pair",
        ))
    }
}

/// What a signature says of itself: where the signed object belongs.
pub(crate) fn comment(folder: &ObjectKey, name: &str) -> String {
    format!("seaworthy {folder}/{name}")
}
