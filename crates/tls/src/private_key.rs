//! Private keys on this machine.

use std::fmt;

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    PublicKeyData, RsaKeySize, SignatureAlgorithm, SigningKey,
};
use seaworthy_core::{Error, ErrorKind, Result, Secret};

use crate::{Certificate, CertificateKey, KeyType};

/// A private key in memory.
pub struct PrivateKey {
    pair: KeyPair,
    kind: KeyType,
    public: Vec<u8>,
}

impl PrivateKey {
    /// Makes a new one.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the machine has no random numbers.
    pub fn generate(kind: KeyType) -> Result<Self> {
        let pair = match kind {
            KeyType::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            KeyType::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
            other => KeyPair::generate_for(algorithm(other)),
        };
        pair.map(Self::new).map_err(|e| {
            Error::new(ErrorKind::Internal, "key.generate", "cannot make a private key")
                .caused_by(e)
        })
    }

    /// Reads PEM: `PRIVATE KEY` (PKCS#8), and the other formats that the library reads.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] for anything that is not a private key of a known kind.
    pub fn from_pem(text: &str) -> Result<Self> {
        KeyPair::from_pem(text).map(Self::new).map_err(|_| {
            let message = "this is not a private key in PEM of a known kind";
            Error::new(ErrorKind::Damaged, "key.read", message)
        })
    }

    fn new(pair: KeyPair) -> Self {
        let public = pair.subject_public_key_info();
        let alg = pair.algorithm();
        let kind = if alg == &PKCS_ECDSA_P256_SHA256 {
            KeyType::P256
        } else if alg == &PKCS_ECDSA_P384_SHA384 {
            KeyType::P384
        } else if alg == &PKCS_ED25519 {
            KeyType::Ed25519
        } else if public.len() > 400 {
            KeyType::Rsa4096
        } else {
            KeyType::Rsa2048
        };
        Self { pair, kind, public }
    }

    /// As PEM, for the server's key file.
    pub fn pem(&self) -> Secret {
        Secret::new(self.pair.serialize_pem())
    }

    /// Whether `certificate` is for this key.
    pub fn fits(&self, certificate: &Certificate) -> bool {
        self.public == certificate.public_key()
    }

    #[cfg(feature = "local-ca")]
    pub(crate) fn into_pair(self) -> KeyPair {
        self.pair
    }
}

impl CertificateKey for PrivateKey {
    fn key_type(&self) -> KeyType {
        self.kind
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.pair
            .sign(message)
            .map_err(|e| Error::new(ErrorKind::Internal, "key.sign", "cannot sign").caused_by(e))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

pub(crate) fn algorithm(kind: KeyType) -> &'static SignatureAlgorithm {
    match kind {
        KeyType::P256 => &PKCS_ECDSA_P256_SHA256,
        KeyType::P384 => &PKCS_ECDSA_P384_SHA384,
        KeyType::Ed25519 => &PKCS_ED25519,
        KeyType::Rsa2048 | KeyType::Rsa4096 => &PKCS_RSA_SHA256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_made_written_read_and_signs() {
        let kinds =
            [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048, KeyType::Rsa4096];
        for kind in kinds {
            let key = PrivateKey::generate(kind).unwrap();
            let read = PrivateKey::from_pem(key.pem().expose()).unwrap();
            assert_eq!((read.key_type(), read.public_key()), (kind, key.public_key()));
            assert!(!read.sign(b"x").unwrap().is_empty());
            assert!(!format!("{read:?}").contains("PRIVATE"));
        }
    }
}
