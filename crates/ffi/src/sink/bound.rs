//! A sink of the host for the engine, during one call: every request goes through the
//! queue to the thread that made the call.

use std::{fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    FutureExt, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use seaworthy::{
    backup::{
        BackupSink, ObjectKey, PutOptions, Upload,
        sinks::{ByteStream, Capabilities, ObjectHistory, ObjectInfo},
    },
    core::{Error, ErrorKind, Result, Timestamp},
};

use super::host::HostSink;
use crate::queue::Queue;

/// How many bytes are read at once.
const READ: u64 = 1 << 20;

/// A sink of the host, bound to one call.
#[derive(Clone, Debug)]
pub(crate) struct BoundSink {
    name: Arc<str>,
    sink: Arc<HostSink>,
    queue: Arc<Queue>,
}

impl BoundSink {
    pub(crate) fn new(name: &str, sink: Arc<HostSink>, queue: Arc<Queue>) -> Self {
        Self { name: name.into(), sink, queue }
    }

    /// Lets the calling thread do `work`, unless nothing waits for it any more by then.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&HostSink) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let sink = self.sink.clone();
        // An upload without a receiver is dropped, which aborts it.
        self.queue.ask("sink", move || work(&sink)).await
    }

    fn unsupported(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unsupported, "sink", format!("{self} cannot {what}"))
    }
}

impl fmt::Display for BoundSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the custom sink {}", self.name)
    }
}

#[async_trait]
impl BackupSink for BoundSink {
    fn capabilities(&self) -> Capabilities {
        self.sink.capabilities()
    }

    async fn begin(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn Upload>> {
        if options.if_absent && !self.capabilities().if_absent {
            return Err(self.unsupported("refuse to replace an object"));
        }
        let (to, key) = (self.clone(), key.clone());
        let upload = self.ask(move |sink| {
            let number = sink.begin(&key, options.if_absent, options.size)?;
            Ok(BoundUpload { to, key, number, over: false })
        });
        Ok(Box::new(upload.await?))
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<ByteStream> {
        let size = self.stat(key).await?.size;
        let range = range.unwrap_or(0..size);
        if range.start > size || range.start > range.end {
            let message = format!("{key} of {size} bytes has no bytes {range:?}");
            return Err(Error::new(ErrorKind::InvalidInput, "sink.read", message));
        }
        let (end, sink, key) = (range.end.min(size), self.clone(), key.clone());
        let chunks = stream::try_unfold(range.start, move |at| {
            let (sink, key) = (sink.clone(), key.clone());
            async move {
                if at >= end {
                    return Ok(None);
                }
                let wanted = READ.min(end - at) as usize;
                let chunk = sink.ask(move |sink| {
                    let mut buffer = vec![0; wanted];
                    let filled = sink.read_at(&key, at, &mut buffer)?;
                    if filled < wanted {
                        let message = format!("{key} ends after {} bytes", at + filled as u64);
                        return Err(Error::new(ErrorKind::Damaged, "sink.read", message));
                    }
                    Ok(Bytes::from(buffer))
                });
                let chunk = chunk.await?;
                let next = at + chunk.len() as u64;
                Ok::<_, Error>(Some((chunk, next)))
            }
        });
        Ok(chunks.boxed())
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let key = key.clone();
        self.ask(move |sink| sink.stat(&key)).await
    }

    fn list(&self, prefix: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>> {
        let (sink, prefix) = (self.clone(), prefix.clone());
        let listed = async move { sink.ask(move |sink| sink.list(&prefix)).await };
        let each = |listed: Vec<ObjectInfo>| stream::iter(listed.into_iter().map(Ok));
        listed.into_stream().map_ok(each).try_flatten().boxed()
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        if !self.capabilities().delete {
            return Err(self.unsupported("delete"));
        }
        let key = key.clone();
        self.ask(move |sink| sink.delete(&key)).await
    }

    /// A host's store has no hidden versions.
    async fn history(&self, key: &ObjectKey) -> Result<ObjectHistory> {
        match self.stat(key).await {
            Ok(_) => Ok(ObjectHistory::present()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(ObjectHistory::default()),
            Err(error) => Err(error),
        }
    }

    /// A host does not report the age of its uploads: only all of them can be aborted.
    async fn discard_unfinished(
        &self,
        prefix: &ObjectKey,
        before: Option<Timestamp>,
    ) -> Result<u64> {
        if before.is_some() {
            return Ok(0);
        }
        let prefix = prefix.clone();
        self.ask(move |sink| sink.discard_unfinished(&prefix)).await
    }
}

/// An upload of a sink of the host. If it is dropped before its end it is aborted.
struct BoundUpload {
    to: BoundSink,
    key: ObjectKey,
    number: u64,
    over: bool,
}

#[async_trait]
impl Upload for BoundUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let (key, number) = (self.key.clone(), self.number);
        self.to.ask(move |sink| sink.write(&key, number, &chunk)).await
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo> {
        let (to, mut upload) = (self.to.clone(), self);
        // The upload is moved along: if the request is dropped, so is the upload.
        to.ask(move |sink| {
            upload.over = true;
            sink.commit(&upload.key, upload.number)
        })
        .await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let (to, mut upload) = (self.to.clone(), self);
        to.ask(move |sink| {
            upload.over = true;
            sink.abort(&upload.key, upload.number)
        })
        .await
    }
}

impl Drop for BoundUpload {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (sink, key, number) = (self.to.sink.clone(), self.key.clone(), self.number);
        let abort = Box::new(move || {
            if let Err(error) = sink.abort(&key, number) {
                tracing::warn!(error = error.chain(), "cannot give up an upload");
            }
        });
        if self.to.queue.push_work(abort).is_err() {
            self.to.sink.forget(number);
        }
    }
}
