//! An SQLite database as a kind of payload.

#[cfg(feature = "sqlite")]
use std::{path::Path, sync::Arc};

use seaworthy_core::Result;

#[cfg(feature = "sqlite")]
use super::{SqliteTarget, drill::SqliteDrill};
#[cfg(feature = "sqlite")]
use crate::{drill::Drill, restore::RestoreTarget};
use crate::{
    format::{
        ManifestSource,
        index::{DatabaseRecord, PathBytes, Record},
    },
    sources::{EntryScanner, PayloadHandler},
};

/// An SQLite database, which fills the whole payload.
#[derive(Debug)]
pub(crate) struct SqlitePayload;

impl PayloadHandler for SqlitePayload {
    fn noun(&self) -> &'static str {
        "database"
    }

    fn has_parts(&self) -> bool {
        false
    }

    #[cfg(feature = "sqlite")]
    fn to_folder(&self, folder: &Path) -> Box<dyn RestoreTarget> {
        Box::new(SqliteTarget::to_folder(folder))
    }

    #[cfg(feature = "sqlite")]
    fn drill(&self) -> Arc<dyn Drill> {
        Arc::new(SqliteDrill)
    }

    fn scanner(&self, source: &ManifestSource) -> Result<Box<dyn EntryScanner>> {
        // Its path is not in the bytes: its source's name is used.
        let path = PathBytes(format!("{}.sqlite", source.name).into_bytes());
        let mut record = DatabaseRecord::new(path, source.plain);
        record.mode = 0;
        Ok(Box::new(Whole(Some(record))))
    }
}

/// The one database of a payload.
struct Whole(Option<DatabaseRecord>);

impl EntryScanner for Whole {
    fn push(&mut self, _: &[u8], found: &mut Vec<Record>) -> Result<()> {
        found.extend(self.0.take().map(Record::Database));
        Ok(())
    }
}
