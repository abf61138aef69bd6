//! From a source to the frame writer: segments, compressed where they are produced.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use seaworthy_core::{Cancel, Context, Error, ErrorKind, Event, Result};
use sha2::{Digest, Sha256};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

use super::{Compression, buffers::Buffers, codec::Compressor, hints::CompressionHint};
use crate::format::{Codec, Digest256, MAX_FRAME, index::Entry};

/// How much plain data a source should put into one segment, in bytes.
pub const SEGMENT_SIZE: usize = 4 << 20;

/// Plain bytes of a payload that become one frame, and the index entries that begin in them.
#[derive(Debug, Default)]
pub struct Segment {
    /// The plain bytes; about [`SEGMENT_SIZE`] of them, or none if there are only losses.
    pub data: Vec<u8>,
    /// What begins in this segment, in payload order; [`Entry`] offsets count from the segment's
    /// first byte.
    pub entries: Vec<Entry>,
    /// How many bytes of user data this is, for progress: without headers and padding.
    pub progress_bytes: u64,
}

/// Receives a source's segments. Clones share one order: that in which slots are reserved.
///
/// A source with several workers reserves a slot, then decides under its own lock what goes into
/// it, then fills it; segments reach the payload in the order of their slots. At most
/// `workers + 2` slots are open at a time, so memory stays bounded.
#[derive(Clone, Debug)]
pub struct SegmentSender(Arc<Shared>);

struct Shared {
    credits: Arc<Semaphore>,
    next: AtomicU64,
    frames: mpsc::UnboundedSender<(u64, Option<Frame>)>,
    compression: Compression,
    compressors: Mutex<Vec<Compressor>>,
    /// For plain segments and, apart from them, for compressed ones.
    plain: Buffers,
    stored: Buffers,
    workers: usize,
    cx: Context,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("workers", &self.workers).finish_non_exhaustive()
    }
}

/// A compressed segment on its way to the frame writer.
pub(crate) struct Frame {
    pub(crate) stored: Bytes,
    pub(crate) plain_len: u64,
    pub(crate) sha256: Digest256,
    pub(crate) entries: Vec<Entry>,
    /// Frees a slot once the frame is written.
    pub(crate) _credit: OwnedSemaphorePermit,
}

/// Connects a source with a frame writer.
pub(crate) fn segments(
    compression: Compression,
    workers: usize,
    cx: &Context,
) -> (SegmentSender, FrameReceiver) {
    let (frames, receiver) = mpsc::unbounded_channel();
    let credits = Arc::new(Semaphore::new(workers + 2));
    let shared = Shared {
        credits: credits.clone(),
        next: AtomicU64::new(0),
        frames,
        compression,
        compressors: Mutex::default(),
        plain: Buffers::default(),
        stored: Buffers::default(),
        workers,
        cx: cx.clone(),
    };
    (SegmentSender(Arc::new(shared)), FrameReceiver { receiver, credits })
}

/// The frame writer's end.
pub(crate) struct FrameReceiver {
    receiver: mpsc::UnboundedReceiver<(u64, Option<Frame>)>,
    credits: Arc<Semaphore>,
}

impl FrameReceiver {
    /// The next frame, in no particular order, with its place in the order.
    pub(crate) async fn next(&mut self) -> Option<(u64, Option<Frame>)> {
        self.receiver.recv().await
    }
}

impl Drop for FrameReceiver {
    /// Wakes everything that waits for a slot: it will not be written.
    fn drop(&mut self) {
        self.credits.close();
    }
}

impl SegmentSender {
    /// How many workers may usefully fill slots at a time.
    pub fn workers(&self) -> usize {
        self.0.workers
    }

    /// The codec that segments are compressed with.
    pub fn codec(&self) -> Codec {
        self.0.compression.codec
    }

    /// Reserves the next place in the payload; waits while too many are open.
    pub async fn reserve(&self) -> Result<SegmentSlot> {
        let shared = &self.0;
        shared.cx.check("backup.read")?;
        let credit = tokio::select! {
            credit = shared.credits.clone().acquire_owned() => credit.map_err(|_| closed())?,
            () = shared.cx.cancel().triggered() => return Err(Error::cancelled("backup.read")),
        };
        let place = shared.next.fetch_add(1, Ordering::Relaxed);
        Ok(SegmentSlot { sender: self.clone(), place, credit: Some(credit), hint: None })
    }

    /// [`reserve`](Self::reserve) for a blocking thread of the runtime.
    pub fn reserve_blocking(&self) -> Result<SegmentSlot> {
        Handle::current().block_on(self.reserve())
    }

    /// Reserves a place and fills it, compressing on a blocking thread.
    pub async fn send(&self, segment: Segment) -> Result<()> {
        let slot = self.reserve().await?;
        tokio::task::spawn_blocking(move || slot.fill(segment)).await.map_err(|source| {
            Error::new(ErrorKind::Internal, "compress", "a worker panicked").caused_by(source)
        })?
    }

    /// An empty buffer with space for a segment, reused from an earlier one if possible.
    pub fn buffer(&self) -> Vec<u8> {
        let mut buffer = self.0.plain.take();
        buffer.clear();
        buffer.reserve(SEGMENT_SIZE + (64 << 10));
        buffer
    }

    /// Whether the run was cancelled; long reads check it between steps.
    pub fn cancel(&self) -> &Cancel {
        self.0.cx.cancel()
    }

    /// The frame with the content `plain`, which is consumed.
    fn compress(&self, plain: Vec<u8>, hint: Option<&CompressionHint>) -> Result<Bytes> {
        let shared = &self.0;
        if shared.compression.codec == Codec::None {
            return Ok(shared.plain.lend(plain));
        }
        let idle = shared.compressors.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut compressor = match idle {
            Some(compressor) => compressor,
            None => Compressor::new(shared.compression)?,
        };
        let mut stored = shared.stored.take();
        match hint {
            Some(hint) => compressor.compress_alike(&plain, hint, &mut stored)?,
            None => compressor.compress(&plain, &mut stored)?,
        }
        shared.compressors.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
        shared.plain.give(plain);
        Ok(shared.stored.lend(stored))
    }
}

fn closed() -> Error {
    Error::cancelled("backup.read").with("reason", "the payload's writer has stopped")
}

/// A reserved place in a payload. Dropping it leaves the place empty.
#[derive(Debug)]
pub struct SegmentSlot {
    sender: SegmentSender,
    place: u64,
    credit: Option<OwnedSemaphorePermit>,
    hint: Option<CompressionHint>,
}

impl SegmentSlot {
    /// The slot, for a segment with contents that compress as `hint` tells.
    #[cfg(feature = "postgres")]
    pub(crate) fn of(mut self, hint: Option<CompressionHint>) -> Self {
        self.hint = hint;
        self
    }

    /// Compresses `segment` on this thread, which must be a blocking one, and passes it on.
    pub fn fill(mut self, mut segment: Segment) -> Result<()> {
        let shared = self.sender.0.clone();
        if segment.data.is_empty() && segment.entries.is_empty() {
            return Ok(());
        }
        let plain_len = segment.data.len() as u64;
        if plain_len > MAX_FRAME {
            let message = format!("a segment of {plain_len} bytes is more than a frame may hold");
            return Err(Error::new(ErrorKind::InvalidInput, "backup.read", message));
        }
        let stored = match plain_len {
            0 => Bytes::new(),
            _ => self.sender.compress(std::mem::take(&mut segment.data), self.hint.as_ref())?,
        };
        let sha256 = Digest256::from(Sha256::digest(&stored));
        let items = segment.entries.len() as u64;
        if let Some(credit) = self.credit.take() {
            let frame =
                Frame { stored, plain_len, sha256, entries: segment.entries, _credit: credit };
            shared.frames.send((self.place, Some(frame))).map_err(|_| closed())?;
        }
        shared.cx.emit(Event::Advanced { bytes: segment.progress_bytes, items });
        Ok(())
    }
}

impl Drop for SegmentSlot {
    fn drop(&mut self) {
        if self.credit.take().is_some() {
            // If the writer has gone too, nothing waits for this slot.
            let _ = self.sender.0.frames.send((self.place, None));
        }
    }
}
