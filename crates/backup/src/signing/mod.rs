//! Proof of origin of a snapshot: detached [minisign](https://jedisct1.github.io/minisign/)
//! signatures.
//!
//! A signature is stored next to the manifest and covers every byte of it: job, id, host, and the
//! SHA-256 of every other object. If [`TrustedKeys`] are given, a manifest that none of them signed
//! is untrusted: it is listed, but never used as the latest, restored only on request, and never
//! removed.
//!
//! Encryption does not prove the origin: anybody can encrypt for a public key. Without the feature
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

/// The suffix of a signature's name.
pub(crate) const SIGNATURE_SUFFIX: &str = ".minisig";

/// The keys that encrypt, decrypt, sign and verify a job's snapshots.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Keys {
    /// The recipients of new snapshots; `None` for no encryption.
    pub recipients: Option<Recipients>,
    /// Keys that decrypt snapshots. Backing up needs none.
    pub identities: Identities,
    /// The key that signs manifests; `None` leaves them unsigned.
    pub signing: Option<SigningKey>,
    /// The keys whose signatures are trusted; `None` accepts every intact manifest.
    pub trust: Option<TrustedKeys>,
}

impl Keys {
    /// Whether these keys can write snapshots but not read them.
    pub(crate) fn is_sealed(&self) -> bool {
        self.recipients.is_some() && self.identities.is_empty()
    }

    /// Fails if a snapshot made with these keys would be untrusted.
    pub(crate) fn check_writing(&self) -> Result<()> {
        let Some(trust) = &self.trust else { return Ok(()) };
        let message = match &self.signing {
            Some(key) if trust.trusts(key) => return Ok(()),
            Some(_) => "the signing key is not one of the trusted keys",
            None => "only signed snapshots are trusted, and there is no key to sign with",
        };
        Err(Error::new(ErrorKind::InvalidInput, "backup.sign", message).remedy_is(
            "name the key in `signing.key` and its public half in `signing.trust`; \
             `seaworthy keygen sign` makes a pair",
        ))
    }
}

/// The trusted comment of a signature: where the signed object belongs.
pub(crate) fn comment(folder: &ObjectKey, name: &str) -> String {
    format!("seaworthy {folder}/{name}")
}
