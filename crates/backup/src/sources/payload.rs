//! What a payload is, whatever made it: the trait behind the registry of payload kinds.

use std::{fmt::Debug, path::Path, sync::Arc};

use seaworthy_core::{Environment, Error, Name, Result};

use crate::{
    drill::{Drill, LeftOut, ReadBack},
    format::{ManifestSource, index::Record},
    restore::{PlainTarget, RestoreTarget},
    snapshot::Records,
};

/// What can be done with payloads of one kind. What has a default is right for a payload of which
/// nothing is known but its bytes.
pub trait PayloadHandler: Debug + Send + Sync {
    /// What one thing that is restored from it is called: `file`, `database`.
    fn noun(&self) -> &'static str {
        "file"
    }

    /// What the things in it are that a source counted, one of them; with `rows` where it counted
    /// those as well.
    fn counted(&self, rows: Option<u64>) -> &'static str {
        let _ = rows;
        self.noun()
    }

    /// Whether parts of it can be restored by themselves.
    fn has_parts(&self) -> bool {
        true
    }

    /// The target of a restore to a folder that is empty or absent.
    fn to_folder(&self, folder: &Path) -> Box<dyn RestoreTarget> {
        Box::new(PlainTarget::to_folder(folder))
    }

    /// The target of a restore to the database that `url` names; `None` where no URL names a place
    /// for such a payload.
    fn target_at(
        &self,
        url: &str,
        environment: &Environment,
    ) -> Result<Option<Box<dyn RestoreTarget>>> {
        let _ = (url, environment);
        Ok(None)
    }

    /// Whether [`target_at`](Self::target_at) gives one.
    fn takes_url(&self) -> bool {
        false
    }

    /// Why the payload of `source` with these records is restored to a folder alone, if that is so.
    fn folder_only(&self, source: &Name, records: Records) -> Result<Option<Error>> {
        let _ = (source, records);
        Ok(None)
    }

    /// How a payload is tried out where its source does not say.
    fn drill(&self) -> Arc<dyn Drill> {
        Arc::new(LeftOut)
    }

    /// Finds the entries of the payload of `source` in its plain bytes, where no index says what
    /// they are.
    ///
    /// # Errors
    /// [`Unsupported`](seaworthy_core::ErrorKind::Unsupported) if this build does not have the
    /// kind's feature.
    fn scanner(&self, source: &ManifestSource) -> Result<Box<dyn EntryScanner>> {
        let _ = source;
        Ok(Box::new(Opaque))
    }
}

/// A payload of which nothing is known but its bytes, such as a command's output.
#[derive(Debug)]
pub(super) struct AnyPayload;

impl PayloadHandler for AnyPayload {
    fn drill(&self) -> Arc<dyn Drill> {
        Arc::new(ReadBack)
    }
}

/// Finds the entries of one payload. Feed it the plain bytes in order.
pub trait EntryScanner: Send {
    /// Takes the next bytes and adds the entries that they complete.
    fn push(&mut self, plain: &[u8], found: &mut Vec<Record>) -> Result<()>;

    /// The offset of the entry whose headers are not complete yet.
    fn open_since(&self) -> Option<u64> {
        None
    }

    /// Checks that the payload ended at a valid place.
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// The content is unknown.
struct Opaque;

impl EntryScanner for Opaque {
    fn push(&mut self, _: &[u8], _: &mut Vec<Record>) -> Result<()> {
        Ok(())
    }
}
