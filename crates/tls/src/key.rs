//! Keys of certificates.

use std::fmt::Debug;

use seaworthy_core::Result;
use serde::{Deserialize, Serialize};

/// The kind of a private key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyType {
    /// ECDSA on the curve P-256: every client supports it.
    #[default]
    P256,
    /// ECDSA on the curve P-384.
    P384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 4096 bits.
    Rsa4096,
    /// Ed25519: public authorities refuse it.
    Ed25519,
}

/// A private key that signs on request and is never exposed.
pub trait CertificateKey: Debug + Send + Sync {
    /// Its kind.
    fn key_type(&self) -> KeyType;

    /// Its public key, as a SubjectPublicKeyInfo in DER.
    fn public_key(&self) -> &[u8];

    /// The signature of `message`: with SHA-256 (P-384: SHA-384), RSA with PKCS#1 padding.
    ///
    /// # Errors
    /// The error of the key's holder.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>>;
}
