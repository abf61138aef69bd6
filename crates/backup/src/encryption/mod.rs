//! Payloads and indexes inside [age](https://age-encryption.org/v1): whoever holds a private key
//! reads them, with Seaworthy or with any program that knows age.
//!
//! - [`Recipients`]: whom new snapshots are encrypted for. Public keys, so that a machine which backs
//!   up cannot read its own backups; or a passphrase
//! - [`Identities`]: what decrypts them
//!
//! age encrypts in chunks of 64 KiB that open by themselves, so a part of an object is read by
//! fetching the chunks that hold it. Without the feature `encryption` these types have no values.

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
    /// What would decrypt it, in words.
    fn remedy(&self) -> String {
        if self.recipients.is_empty() {
            return "a passphrase decrypts it: the one that the job's `encryption.passphrase` named \
                    when it was made"
                .to_owned();
        }
        let names: Vec<_> = self.recipients.iter().map(|key| shortened(key)).collect();
        format!("the private key of one of these decrypts it: {}", names.join(", "))
    }
}

/// A public key as people compare it; those of ssh are long and begin alike.
fn shortened(key: &str) -> String {
    match key.split_once(' ') {
        Some((kind, base64)) if base64.len() > 80 => {
            format!("{kind} …{}", base64.get(base64.len() - 20..).unwrap_or(base64))
        }
        _ => key.to_owned(),
    }
}

/// How the objects of one encrypted snapshot are opened.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// The snapshot, for people.
    pub(crate) snapshot: String,
    pub(crate) encryption: ManifestEncryption,
    pub(crate) identities: Identities,
}

impl Opening {
    /// Fails where there is nothing to try.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.identities.is_empty() {
            let message = format!("{} is encrypted, and no identity was given", self.snapshot);
            Err(self.refusal(message))
        } else {
            Ok(())
        }
    }

    /// Something was given, and it is the wrong one.
    #[cfg_attr(not(feature = "encryption"), allow(dead_code, reason = "nothing can be given"))]
    fn wrong_identity(&self) -> Error {
        self.refusal(format!("no identity that was given decrypts {}", self.snapshot))
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
