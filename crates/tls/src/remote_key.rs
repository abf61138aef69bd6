//! A `CertificateKey` for rcgen.

use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};
use seaworthy_core::{Error, ErrorKind, Result};

use crate::{CertificateKey, Identifier, private_key::algorithm};

/// A [`CertificateKey`](crate::CertificateKey) for rcgen: for requests and self-signed
/// certificates.
pub(crate) struct Remote<'a> {
    key: &'a dyn CertificateKey,
    raw: Vec<u8>,
}

impl<'a> Remote<'a> {
    pub(crate) fn new(key: &'a dyn CertificateKey) -> Result<Self> {
        use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};
        let (_, public) = SubjectPublicKeyInfo::from_der(key.public_key()).map_err(|_| {
            let message = "the public key is not a SubjectPublicKeyInfo";
            Error::new(ErrorKind::InvalidInput, "key.read", message)
        })?;
        let raw = public.subject_public_key.data.to_vec();
        Ok(Self { key, raw })
    }
}

impl PublicKeyData for Remote<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.raw
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        algorithm(self.key.key_type())
    }
}

impl SigningKey for Remote<'_> {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, rcgen::Error> {
        self.key.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// What rcgen needs to know about `names`, and nothing that it would invent.
pub(crate) fn parameters(names: &[Identifier]) -> Result<rcgen::CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| name.as_str().to_owned()).collect();
    let mut parameters = rcgen::CertificateParams::new(names).map_err(|e| {
        Error::new(
            ErrorKind::InvalidInput,
            "certificate.request",
            "a name cannot be in a certificate",
        )
        .caused_by(e)
    })?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyType, PrivateKey};

    #[test]
    fn every_kind_of_key_signs_a_request() {
        for kind in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
            let key = PrivateKey::generate(kind).unwrap();
            let names = ["a.example".parse().unwrap(), "192.0.2.1".parse().unwrap()];
            let remote = Remote::new(&key).unwrap();
            parameters(&names).unwrap().serialize_request(&remote).unwrap();
        }
    }
}
