//! Placeholders for a build without the feature `encryption`: nothing is signed or verified.

use std::convert::Infallible;

use seaworthy_core::Result;

/// A key that signs manifests. This build does not have the feature `encryption`, so there is no
/// value of this type.
#[derive(Clone, Debug)]
pub struct SigningKey(Infallible);

impl SigningKey {
    pub(crate) fn sign(&self, _: &[u8], _: &str) -> Result<Vec<u8>> {
        match self.0 {}
    }
}

/// Keys whose signatures are trusted. This build does not have the feature `encryption`, so there
/// is no value of this type.
#[derive(Clone, Debug)]
pub struct TrustedKeys(Infallible);

impl TrustedKeys {
    pub(crate) fn trusts(&self, _: &SigningKey) -> bool {
        match self.0 {}
    }

    pub(crate) fn check(&self, _: &[u8], _: &[u8]) -> Result<String, String> {
        match self.0 {}
    }
}
