//! Sends segments.

use std::sync::Arc;

use seaworthy_core::{Error, ErrorKind, Result};
use tokio::{sync::Mutex, task::JoinSet};

use crate::payload::{Segment, SegmentSender, SegmentSlot, hints::CompressionHint};

/// Sends segments. Its clones share one order, which one of them can lock while it sends several
/// segments that must follow one another.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    sender: SegmentSender,
    order: Arc<Mutex<()>>,
}

impl Out {
    pub(crate) fn new(sender: SegmentSender) -> Self {
        Self { sender, order: Arc::default() }
    }

    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.sender.buffer()
    }

    /// How many segments can usefully be compressed in parallel.
    pub(crate) fn workers(&self) -> usize {
        self.sender.workers()
    }

    /// The next place in the payload.
    pub(crate) async fn reserve(&self) -> Result<SegmentSlot> {
        let _order = self.order.lock().await;
        self.sender.reserve().await
    }

    /// Compresses `segment` in the background, as one of `compressing`.
    pub(crate) async fn send(
        &self,
        segment: Segment,
        hint: Option<CompressionHint>,
        compressing: &mut Compressing,
    ) -> Result<()> {
        let slot = self.reserve().await?.of(hint);
        compressing.0.spawn_blocking(move || slot.fill(segment));
        compressing.settle().await
    }

    /// Sends `segments` without others between them.
    pub(crate) async fn send_together(
        &self,
        segments: impl Iterator<Item = Segment> + Send,
        compressing: &mut Compressing,
    ) -> Result<()> {
        let _order = self.order.lock().await;
        for segment in segments {
            let slot = self.sender.reserve().await?;
            compressing.0.spawn_blocking(move || slot.fill(segment));
            compressing.settle().await?;
        }
        Ok(())
    }
}

/// Segments that are being compressed. The sender limits how many there are.
#[derive(Debug, Default)]
pub(crate) struct Compressing(JoinSet<Result<()>>);

impl Compressing {
    async fn settle(&mut self) -> Result<()> {
        while let Some(filled) = self.0.try_join_next() {
            filled.map_err(panicked)??;
        }
        Ok(())
    }

    /// Waits for all of them.
    pub(crate) async fn finish(mut self) -> Result<()> {
        while let Some(filled) = self.0.join_next().await {
            filled.map_err(panicked)??;
        }
        Ok(())
    }
}

fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "postgres.dump", "a worker panicked").caused_by(source)
}
