//! Payloads and indexes inside [age](https://age-encryption.org/v1): anybody with a private key can
//! read them, with Seaworthy or with any program that supports age.
//!
//! - [`Recipients`]: the recipients of new snapshots. Public keys, so that a machine which backs
//!   up cannot read its own backups; or a passphrase
//! - [`Identities`]: what decrypts them
//!
//! age encrypts in chunks of 64 KiB that can be decrypted separately, so a part of an object is
//! read by fetching the chunks that contain it. Without the feature `encryption` these types have
//! no values.

#[cfg(not(feature = "encryption"))]
mod absent;
#[cfg(feature = "encryption")]
mod identities;
#[cfg(feature = "encryption")]
mod recipients;
#[cfg(feature = "encryption")]
mod seal;
#[cfg(feature = "encryption")]
mod unseal;

use crate::format::ManifestEncryption;
use seaworthy_core::{Error, ErrorKind};

#[cfg(not(feature = "encryption"))]
pub use absent::{Identities, Recipients};
#[cfg(not(feature = "encryption"))]
pub(crate) use absent::{Sealer, Unsealer};
#[cfg(feature = "encryption")]
pub use {identities::Identities, recipients::Recipients};
#[cfg(feature = "encryption")]
pub(crate) use {seal::Sealer, unseal::Unsealer};

impl ManifestEncryption {
    /// What can decrypt it, as text.
    fn remedy(&self) -> String {
        if self.recipients.is_empty() {
            return "it needs the passphrase that the job's `encryption.passphrase` had when \
                     it was made"
                .to_owned();
        }
        let names: Vec<_> = self.recipients.iter().map(|key| shortened(key)).collect();
        format!("it needs the private key of one of these: {}", names.join(", "))
    }
}

/// A public key, short enough to compare; those of ssh are long and have the same beginning.
fn shortened(key: &str) -> String {
    match key.split_once(' ') {
        Some((kind, base64)) if base64.len() > 80 => {
            format!("{kind} …{}", base64.get(base64.len() - 20..).unwrap_or(base64))
        }
        _ => key.to_owned(),
    }
}

/// How the objects of one encrypted snapshot are decrypted.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// The snapshot, for people.
    pub(crate) snapshot: String,
    pub(crate) encryption: ManifestEncryption,
    pub(crate) identities: Identities,
}

impl Opening {
    /// Fails if there are no keys to try.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.identities.is_empty() {
            let message = format!("{} is encrypted, and no identity was given", self.snapshot);
            Err(self.refusal(message))
        } else {
            Ok(())
        }
    }

    /// A key was given, but not the right one.
    #[cfg_attr(not(feature = "encryption"), allow(dead_code, reason = "nothing can be given"))]
    fn wrong_identity(&self) -> Error {
        self.refusal(format!("none of the given identities decrypts {}", self.snapshot))
    }

    fn refusal(&self, message: String) -> Error {
        let remedy = self.encryption.remedy();
        let remedy = if self.encryption.recipients.is_empty() {
            remedy
        } else {
            format!("{remedy}; name its file in `identity` or in SEAWORTHY_IDENTITY")
        };
        Error::new(ErrorKind::InvalidInput, "decrypt", message).remedy_with(remedy, &["identity"])
    }
}
