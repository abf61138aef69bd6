//! Reading a payload back: whole or in part, each frame checked before it is used.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

use super::{codec::Decompressor, sealed::SealedObject};
use crate::{
    BackupSink, BackupSinkExt, ObjectKey,
    encryption::Unsealer,
    snapshot::{
        Digest256, ManifestSource,
        index::FrameRecord,
        index_file::{Index, Records},
    },
};

/// Reads the payload of one source of a snapshot. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct PayloadReader {
    sink: Arc<dyn BackupSink>,
    folder: ObjectKey,
    index: Index,
    source: ManifestSource,
    sealed: Option<SealedObject>,
    workers: usize,
}

impl PayloadReader {
    pub(crate) fn new(
        sink: Arc<dyn BackupSink>,
        folder: ObjectKey,
        index: Index,
        source: ManifestSource,
        sealed: Option<SealedObject>,
        workers: usize,
    ) -> Self {
        Self { sink, folder, index, source, sealed, workers }
    }

    /// What the manifest says of the source.
    pub fn source(&self) -> &ManifestSource {
        &self.source
    }

    /// How many workers may usefully fetch and decode at a time.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// The index records of this payload in order: each frame, then what begins in it. Blocks on
    /// reading a local file.
    pub fn records(&self) -> Result<Records> {
        self.index.records_of(&self.source.name)
    }

    /// The compressed bytes of `frame`, decrypted where they are encrypted and checked against their
    /// SHA-256.
    pub async fn fetch(&self, frame: &FrameRecord) -> Result<Bytes> {
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
        self.sink.get_range(&key, range).await.map_err(|error| match error.kind() {
            // The manifest promised it.
            ErrorKind::NotFound | ErrorKind::InvalidInput => {
                damaged(frame, "it is missing").caused_by(error)
            }
            _ => error,
        })
    }

    /// What decrypts the payload, where it is encrypted.
    pub(crate) async fn unsealer(&self) -> Result<Option<Arc<Unsealer>>> {
        match &self.sealed {
            None => Ok(None),
            Some(sealed) => sealed.open().await.map(Some),
        }
    }

    /// [`fetch`](Self::fetch) for a blocking thread of the runtime.
    pub fn fetch_blocking(&self, frame: &FrameRecord) -> Result<Bytes> {
        Handle::current().block_on(self.fetch(frame))
    }

    /// A decoder for this payload's frames; each worker keeps its own.
    pub fn decoder(&self) -> Result<FrameDecoder> {
        Ok(FrameDecoder(Decompressor::new(self.source.codec)?))
    }
}

/// Decodes frames one after another.
pub struct FrameDecoder(Decompressor);

impl FrameDecoder {
    /// Replaces the contents of `plain` by the plain bytes of `frame`, whose stored bytes are given.
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
        Err(damaged(frame, "its SHA-256 is another"))
    }
}

fn damaged(frame: &FrameRecord, why: &str) -> Error {
    let message =
        format!("{} is damaged in the frame at byte {}: {why}", frame.object, frame.offset);
    Error::new(ErrorKind::Damaged, "payload.read", message).remedy_is(
        "restore from another sink or another snapshot; `seaworthy verify` says how much is lost",
    )
}
