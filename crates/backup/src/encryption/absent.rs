//! Placeholders for a build without the feature `encryption`: nothing can be encrypted, and an
//! encrypted snapshot is refused with an error.

use std::{convert::Infallible, io::Read, ops::Range};

use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Result};

use super::Opening;
use crate::format::ManifestEncryption;

/// The recipients of new snapshots. This build does not have the feature `encryption`, so there is
/// no value of this type.
#[derive(Clone, Debug)]
pub struct Recipients(Infallible);

impl Recipients {
    pub(crate) fn describe(&self) -> ManifestEncryption {
        match self.0 {}
    }
}

/// Keys that decrypt snapshots. This build does not have the feature `encryption`, so there are
/// none.
#[derive(Clone, Debug, Default)]
pub struct Identities(());

impl Identities {
    /// Always true.
    pub fn is_empty(&self) -> bool {
        true
    }
}

pub(crate) struct Sealer(Infallible);

impl Sealer {
    pub(crate) fn begin(recipients: &Recipients) -> Result<Self> {
        match recipients.0 {}
    }

    pub(crate) fn write(&mut self, _: &[u8]) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn take(&mut self) -> Bytes {
        match self.0 {}
    }

    pub(crate) fn finish(self) -> Result<Bytes> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct Unsealer(Infallible);

impl Unsealer {
    pub(crate) fn open(_: &[u8], _: u64, opening: &Opening) -> Result<Option<Self>> {
        let message = format!("{} is encrypted, and this build cannot decrypt", opening.snapshot);
        Err(Error::new(ErrorKind::Unsupported, "decrypt", message)
            .remedy_is("use a build with the feature `encryption`"))
    }

    pub(crate) fn size(&self) -> u64 {
        match self.0 {}
    }

    pub(crate) fn stored_range(&self, _: &Range<u64>) -> Range<u64> {
        match self.0 {}
    }

    pub(crate) fn decrypt(&self, _: &Range<u64>, _: Bytes) -> Result<Vec<u8>> {
        match self.0 {}
    }

    pub(crate) fn reader<R: Read + Send + 'static>(&self, _: R) -> Result<Box<dyn Read + Send>> {
        match self.0 {}
    }
}
