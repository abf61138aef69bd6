//! Reading a payload back: whole or in part, each frame checked before it is used.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Name, Result};
use tokio::runtime::Handle;

use super::{
    OtherCopies, Snapshot, another_may_do,
    index_file::{Index, Records},
    sealed::SealedObject,
};
use crate::{
    encryption::Unsealer,
    format::{Digest256, ManifestSource, ObjectKey, index::FrameRecord},
    payload::codec::Decompressor,
    sinks::{BackupSink, BackupSinkExt},
};

/// Reads the payload of one source of a snapshot. Cloning is cheap.
///
/// If the snapshot has [other copies](Snapshot::or_from), a frame that is damaged or cannot be read
/// is fetched from one of them, and so are those after it.
#[derive(Clone, Debug)]
pub struct PayloadReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    index: Index,
    source: ManifestSource,
    workers: usize,
    own: Place,
    others: Option<Others>,
    /// Of all copies, in stored bytes.
    fetched: Arc<AtomicU64>,
}

/// The other copies.
#[derive(Debug)]
struct Others {
    copies: OtherCopies,
    /// Those that were used so far, by name.
    places: tokio::sync::Mutex<Vec<(String, Place)>>,
    /// The copy to read frames from first: 0 is the snapshot's own place, 1 the first other copy.
    preferred: AtomicUsize,
}

impl Snapshot {
    /// A reader of the payload of `source`, for this many workers.
    pub fn payload(&self, index: &Index, source: &Name, workers: usize) -> Result<PayloadReader> {
        let sources = &self.manifest().sources;
        let found = sources.iter().find(|s| s.name == *source).ok_or_else(|| {
            let names: Vec<_> = sources.iter().map(|s| s.name.as_str()).collect();
            let message =
                format!("the snapshot {}@{} has no source {source}", self.job(), self.id());
            Error::new(ErrorKind::NotFound, "snapshot.payload", message)
                .remedy_is(format!("its sources are {}", names.join(", ")))
        })?;
        Ok(PayloadReader::new(self, index.clone(), found.clone(), workers))
    }
}

impl PayloadReader {
    pub(crate) fn new(
        snapshot: &Snapshot,
        index: Index,
        source: ManifestSource,
        workers: usize,
    ) -> Self {
        let fetched = Arc::default();
        let own = Place::new(snapshot, &source, &fetched);
        let others = snapshot.others().cloned().map(|copies| Others {
            copies,
            places: Default::default(),
            preferred: AtomicUsize::new(0),
        });
        Self { shared: Arc::new(Shared { index, source, workers, own, others, fetched }) }
    }

    /// The source's entry in the manifest.
    pub fn source(&self) -> &ManifestSource {
        &self.shared.source
    }

    /// How many workers can usefully fetch and decode in parallel.
    pub fn workers(&self) -> usize {
        self.shared.workers
    }

    /// How many bytes were fetched from sinks so far, by this and all its clones: as stored, with
    /// the overhead of encryption.
    pub fn fetched(&self) -> u64 {
        self.shared.fetched.load(Ordering::Relaxed)
    }

    /// The index records of this payload in order: each frame, then the entries that begin in it.
    /// Blocks while it reads a local file.
    pub fn records(&self) -> Result<Records> {
        self.shared.index.records_of(&self.shared.source.name)
    }

    /// The compressed bytes of `frame`, decrypted if needed and checked against their SHA-256.
    pub async fn fetch(&self, frame: &FrameRecord) -> Result<Bytes> {
        let Some(others) = &self.shared.others else { return self.shared.own.fetch(frame).await };
        let preferred = others.preferred.load(Ordering::Relaxed);
        let error = match self.fetch_from(preferred, frame).await {
            Some(Err(error)) if another_may_do(&error) => error,
            Some(fetched) => return fetched,
            None => return self.shared.own.fetch(frame).await,
        };
        for n in (0..).filter(|n| *n != preferred) {
            match self.fetch_from(n, frame).await {
                None => break,
                Some(Err(other)) if another_may_do(&other) => {}
                Some(Err(other)) => return Err(other),
                Some(Ok(bytes)) => {
                    others.preferred.store(n, Ordering::Relaxed);
                    if let Some(copy) = n.checked_sub(1)
                        && let Some((place, _)) = others.places.lock().await.get(copy)
                    {
                        others.copies.tell(&frame.object, copy, place, &error);
                    }
                    return Ok(bytes);
                }
            }
        }
        Err(error)
    }

    /// The bytes of `frame` in copy `n`; `None` if there is no such copy.
    async fn fetch_from(&self, n: usize, frame: &FrameRecord) -> Option<Result<Bytes>> {
        let (Some(copy), Some(others)) = (n.checked_sub(1), &self.shared.others) else {
            return Some(self.shared.own.fetch(frame).await);
        };
        let place = {
            let mut places = others.places.lock().await;
            while places.len() <= copy {
                let (name, snapshot) = others.copies.copy(places.len()).await?;
                let place = Place::new(&snapshot, &self.shared.source, &self.shared.fetched);
                places.push((name, place));
            }
            places.get(copy)?.1.clone()
        };
        Some(place.fetch(frame).await)
    }

    /// The decryptor of the payload, if it is encrypted.
    pub(crate) async fn unsealer(&self) -> Result<Option<Arc<Unsealer>>> {
        self.shared.own.unsealer().await
    }

    /// [`fetch`](Self::fetch) for a blocking thread of the runtime.
    pub fn fetch_blocking(&self, frame: &FrameRecord) -> Result<Bytes> {
        Handle::current().block_on(self.fetch(frame))
    }

    /// A decoder for this payload's frames; each worker keeps its own.
    pub fn decoder(&self) -> Result<FrameDecoder> {
        Ok(FrameDecoder(Decompressor::new(self.shared.source.codec)?))
    }
}

/// A payload in one copy of the snapshot.
#[derive(Clone, Debug)]
struct Place {
    sink: Arc<dyn BackupSink>,
    folder: ObjectKey,
    sealed: Option<SealedObject>,
    fetched: Arc<AtomicU64>,
}

impl Place {
    fn new(snapshot: &Snapshot, source: &ManifestSource, fetched: &Arc<AtomicU64>) -> Self {
        let sealed = SealedObject::of(snapshot, &source.object, Some(source.stored));
        Self {
            sink: snapshot.sink().clone(),
            folder: snapshot.folder().clone(),
            sealed: sealed.map(|sealed| sealed.counting(fetched.clone())),
            fetched: fetched.clone(),
        }
    }

    async fn fetch(&self, frame: &FrameRecord) -> Result<Bytes> {
        let range = frame.offset..frame.offset + frame.stored;
        let stored = match self.unsealer().await? {
            None => self.get(frame, range).await?,
            Some(unsealer) => {
                let sealed = self.get(frame, unsealer.stored_range(&range)).await?;
                let opened = tokio::task::spawn_blocking(move || unsealer.decrypt(&range, sealed));
                let opened = opened.await.map_err(|source| {
                    Error::new(ErrorKind::Internal, "payload.read", "a worker panicked")
                        .caused_by(source)
                })?;
                opened
                    .map_err(|error| damaged(frame, "it cannot be decrypted").caused_by(error))?
                    .into()
            }
        };
        check(frame, &stored)?;
        Ok(stored)
    }

    async fn get(&self, frame: &FrameRecord, range: Range<u64>) -> Result<Bytes> {
        let key = self.folder.join(&frame.object)?;
        let bytes = self.sink.get_range(&key, range).await.map_err(|error| match error.kind() {
            // The manifest says that it exists.
            ErrorKind::NotFound | ErrorKind::InvalidInput => {
                damaged(frame, "it is missing").caused_by(error)
            }
            _ => error,
        })?;
        self.fetched.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    async fn unsealer(&self) -> Result<Option<Arc<Unsealer>>> {
        match &self.sealed {
            None => Ok(None),
            Some(sealed) => sealed.open().await.map(Some),
        }
    }
}

/// Decodes frames one after another.
pub struct FrameDecoder(Decompressor);

impl FrameDecoder {
    /// Replaces the contents of `plain` with the plain bytes of `frame`, whose stored bytes are
    /// given.
    pub fn decode(
        &mut self,
        frame: &FrameRecord,
        stored: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<()> {
        let size = usize::try_from(frame.plain).map_err(|_| damaged(frame, "it is too large"))?;
        self.0
            .decompress(stored, size, plain)
            .map_err(|error| damaged(frame, "it cannot be decompressed").caused_by(error))
    }
}

impl std::fmt::Debug for FrameDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrameDecoder")
    }
}

/// Checks the stored bytes of `frame` against its SHA-256.
pub(crate) fn check(frame: &FrameRecord, stored: &[u8]) -> Result<()> {
    if Digest256::of(stored) == frame.sha256 {
        Ok(())
    } else {
        Err(damaged(frame, "its SHA-256 does not match"))
    }
}

fn damaged(frame: &FrameRecord, why: &str) -> Error {
    let message =
        format!("{} is damaged in the frame at byte {}: {why}", frame.object, frame.offset);
    Error::new(ErrorKind::Damaged, "payload.read", message).remedy_is(
        "restore from another sink or another snapshot; `seaworthy verify` says how much is lost",
    )
}
