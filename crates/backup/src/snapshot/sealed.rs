//! An encrypted object of a snapshot: its key is found when it is first read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use seaworthy_core::{Error, ErrorKind, Result};
use tokio::sync::OnceCell;

use super::Snapshot;
use crate::{
    encryption::{Opening, Unsealer},
    format::ObjectKey,
    sinks::{BackupSink, BackupSinkExt},
};

/// How much of an object is fetched first to find its key, in bytes: enough for a few recipients.
const BEGINNING: u64 = 4 << 10;

/// An encrypted object. Clones share its key once it is found.
#[derive(Clone, Debug)]
pub(crate) struct SealedObject {
    sink: Arc<dyn BackupSink>,
    key: ObjectKey,
    /// Its size as stored, and its decrypted size.
    stored: u64,
    holds: Option<u64>,
    opening: Opening,
    unsealer: Arc<OnceCell<Arc<Unsealer>>>,
    /// How many bytes were fetched to find its key.
    fetched: Arc<AtomicU64>,
}

impl SealedObject {
    /// The object `name` of `snapshot`, whose decrypted size is `holds`; `None` if it is not
    /// encrypted.
    pub(crate) fn of(snapshot: &Snapshot, name: &str, holds: Option<u64>) -> Option<Self> {
        Some(Self {
            opening: snapshot.opening()?,
            sink: snapshot.sink().clone(),
            key: snapshot.folder().join(name).ok()?,
            stored: snapshot.manifest().object(name)?.size,
            holds,
            unsealer: Arc::default(),
            fetched: Arc::default(),
        })
    }

    /// The same, counting in `fetched` what is fetched.
    pub(crate) fn counting(mut self, fetched: Arc<AtomicU64>) -> Self {
        self.fetched = fetched;
        self
    }

    /// Its decryptor.
    pub(crate) async fn open(&self) -> Result<Arc<Unsealer>> {
        self.unsealer.get_or_try_init(|| self.find()).await.cloned()
    }

    async fn find(&self) -> Result<Arc<Unsealer>> {
        self.opening.check()?;
        let damaged = |why: &str| {
            let message = format!("{} is damaged: {why}", self.key);
            Error::new(ErrorKind::Damaged, "decrypt", message)
        };
        let mut wanted = BEGINNING;
        let unsealer = loop {
            let range = 0..wanted.min(self.stored);
            let beginning =
                self.sink.get_range(&self.key, range).await.map_err(|e| match e.kind() {
                    // The manifest says that it exists.
                    ErrorKind::NotFound | ErrorKind::InvalidInput => {
                        damaged("it is missing").caused_by(e)
                    }
                    _ => e,
                })?;
            self.fetched.fetch_add(beginning.len() as u64, Ordering::Relaxed);
            let (opening, stored) = (self.opening.clone(), self.stored);
            let opened =
                tokio::task::spawn_blocking(move || Unsealer::open(&beginning, stored, &opening));
            let opened = opened.await.map_err(|source| {
                Error::new(ErrorKind::Internal, "decrypt", "a worker panicked").caused_by(source)
            })?;
            let opened = opened.map_err(|e| match e.kind() {
                ErrorKind::Damaged => damaged("it cannot be decrypted").caused_by(e),
                _ => e,
            })?;
            match opened {
                Some(unsealer) => break unsealer,
                None if wanted >= self.stored => return Err(damaged("it ends in its header")),
                None => wanted = wanted.saturating_mul(8),
            }
        };
        if self.holds.is_some_and(|holds| holds != unsealer.size()) {
            return Err(damaged("its content does not have the size in the manifest"));
        }
        Ok(Arc::new(unsealer))
    }
}
