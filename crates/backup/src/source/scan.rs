//! Finding the entries of a payload in its plain bytes, where no index says what they are.

use seaworthy_core::Result;

use super::PayloadKind;
use crate::snapshot::{
    ManifestSource,
    index::{DatabaseRecord, PathBytes, Record},
};

/// Finds the entries of one payload. It is fed the plain bytes in order.
pub(crate) enum EntryScanner {
    /// A database fills the whole payload. Its path is not in the bytes; its source's name is used.
    Database(Option<DatabaseRecord>),
    /// Nothing is known of what is inside.
    Opaque,
}

impl EntryScanner {
    /// A scanner for the payload of `source`.
    pub(crate) fn new(source: &ManifestSource) -> Self {
        if source.kind == PayloadKind::SQLITE.as_str() {
            let path = PathBytes(format!("{}.sqlite", source.name).into_bytes());
            Self::Database(Some(DatabaseRecord::new(path, source.plain)))
        } else {
            Self::Opaque
        }
    }

    /// Takes the next bytes and adds the entries that they complete.
    pub(crate) fn push(&mut self, _plain: &[u8], found: &mut Vec<Record>) -> Result<()> {
        match self {
            Self::Database(record) => found.extend(record.take().map(Record::Database)),
            Self::Opaque => {}
        }
        Ok(())
    }

    /// Where the entry begins whose headers are not complete yet.
    pub(crate) fn open_since(&self) -> Option<u64> {
        None
    }

    /// Checks that the payload ended where it may.
    pub(crate) fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
