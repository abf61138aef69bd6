//! Finding the entries of a payload in its plain bytes, where no index says what they are.

use seaworthy_core::Result;
#[cfg(not(feature = "files"))]
use seaworthy_core::{Error, ErrorKind};

#[cfg(feature = "files")]
use super::files::TarScanner;
use crate::format::{
    ManifestSource, PayloadKind,
    index::{DatabaseRecord, PathBytes, Record},
};

/// Finds the entries of one payload. It is fed the plain bytes in order.
pub(crate) enum EntryScanner {
    /// Files and folders.
    #[cfg(feature = "files")]
    Tar(TarScanner),
    /// A database fills the whole payload. Its path is not in the bytes; its source's name is used.
    Database(Option<DatabaseRecord>),
    /// Nothing is known of what is inside.
    Opaque,
}

impl EntryScanner {
    /// A scanner for the payload of `source`.
    ///
    /// Fails with [`ErrorKind::Unsupported`] when this build leaves the kind's feature out.
    pub(crate) fn new(source: &ManifestSource) -> Result<Self> {
        if source.kind == PayloadKind::SQLITE.as_str() {
            let path = PathBytes(format!("{}.sqlite", source.name).into_bytes());
            let mut record = DatabaseRecord::new(path, source.plain);
            record.mode = 0;
            return Ok(Self::Database(Some(record)));
        }
        if source.kind != PayloadKind::TAR.as_str() {
            return Ok(Self::Opaque);
        }
        #[cfg(feature = "files")]
        return Ok(Self::Tar(TarScanner::new()));
        #[cfg(not(feature = "files"))]
        return Err(without_files());
    }

    /// Takes the next bytes and adds the entries that they complete.
    #[cfg_attr(not(feature = "files"), allow(unused_variables, reason = "only tar is looked into"))]
    pub(crate) fn push(&mut self, plain: &[u8], found: &mut Vec<Record>) -> Result<()> {
        match self {
            #[cfg(feature = "files")]
            Self::Tar(scanner) => {
                let mut files = Vec::new();
                scanner.push(plain, &mut files)?;
                found.extend(files.into_iter().map(Record::File));
            }
            Self::Database(record) => found.extend(record.take().map(Record::Database)),
            Self::Opaque => {}
        }
        Ok(())
    }

    /// Where the entry begins whose headers are not complete yet.
    pub(crate) fn open_since(&self) -> Option<u64> {
        match self {
            #[cfg(feature = "files")]
            Self::Tar(scanner) => scanner.open_since(),
            _ => None,
        }
    }

    /// Checks that the payload ended where it may.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            #[cfg(feature = "files")]
            Self::Tar(scanner) => scanner.finish(),
            _ => Ok(()),
        }
    }
}

#[cfg(not(feature = "files"))]
fn without_files() -> Error {
    let message = "this build cannot read tar payloads: it leaves feature `files` out";
    Error::new(ErrorKind::Unsupported, "index.rebuild", message)
}
