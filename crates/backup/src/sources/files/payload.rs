//! A PAX tar archive as a kind of payload.

#[cfg(feature = "files")]
use std::{path::Path, sync::Arc};

use seaworthy_core::Result;
#[cfg(not(feature = "files"))]
use seaworthy_core::{Error, ErrorKind};

#[cfg(feature = "files")]
use super::{FilesTarget, TarScanner, drill::FilesDrill};
#[cfg(feature = "files")]
use crate::{drill::Drill, format::index::Record, restore::RestoreTarget};
use crate::{
    format::ManifestSource,
    sources::{EntryScanner, PayloadHandler},
};

/// A PAX tar archive.
#[derive(Debug)]
pub(crate) struct TarPayload;

impl PayloadHandler for TarPayload {
    #[cfg(feature = "files")]
    fn to_folder(&self, folder: &Path) -> Box<dyn RestoreTarget> {
        Box::new(FilesTarget::to_folder(folder))
    }

    #[cfg(feature = "files")]
    fn drill(&self) -> Arc<dyn Drill> {
        Arc::new(FilesDrill)
    }

    #[cfg(feature = "files")]
    fn scanner(&self, _: &ManifestSource) -> Result<Box<dyn EntryScanner>> {
        Ok(Box::new(TarScanner::new()))
    }

    #[cfg(not(feature = "files"))]
    fn scanner(&self, _: &ManifestSource) -> Result<Box<dyn EntryScanner>> {
        let message = "this build cannot read tar payloads: it leaves feature `files` out";
        Err(Error::new(ErrorKind::Unsupported, "index.rebuild", message))
    }
}

#[cfg(feature = "files")]
impl EntryScanner for TarScanner {
    fn push(&mut self, plain: &[u8], found: &mut Vec<Record>) -> Result<()> {
        let mut files = Vec::new();
        self.push(plain, &mut files)?;
        found.extend(files.into_iter().map(Record::File));
        Ok(())
    }

    fn open_since(&self) -> Option<u64> {
        self.open_since()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        (*self).finish()
    }
}
