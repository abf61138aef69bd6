//! A sink in memory: the reference implementation, for tests and examples.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use seaworthy_core::{Clock, Error, ErrorKind, Result, SystemClock, Timestamp};

use crate::{
    format::ObjectKey,
    sinks::{BackupSink, ByteStream, Capabilities, ObjectHistory, ObjectInfo, PutOptions, Upload},
};

/// Keeps objects in memory. Clones share them.
///
/// ```
/// # use seaworthy_backup::{BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let sink = MemorySink::new();
/// let key: ObjectKey = "a/b".parse()?;
/// sink.put(&key, "hello".into(), PutOptions::default()).await?;
/// assert_eq!(sink.stat(&key).await?.size, 5);
/// # Ok::<(), seaworthy_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemorySink(Arc<Mutex<Objects>>);

type Objects = BTreeMap<ObjectKey, (Bytes, Timestamp)>;

impl MemorySink {
    /// An empty sink.
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for MemorySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

#[async_trait]
impl BackupSink for MemorySink {
    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    async fn begin(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn Upload>> {
        Ok(Box::new(MemoryUpload {
            sink: self.clone(),
            key: key.clone(),
            if_absent: options.if_absent,
            bytes: BytesMut::new(),
        }))
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<ByteStream> {
        let bytes = self.objects().get(key).map(|(bytes, _)| bytes.clone());
        let bytes = bytes.ok_or_else(|| absent(key))?;
        let part = match range {
            None => bytes,
            Some(range) if range.start > bytes.len() as u64 || range.start > range.end => {
                let message = format!("{key} has {} bytes, not {range:?}", bytes.len());
                return Err(Error::new(ErrorKind::InvalidInput, "sink.read", message));
            }
            Some(range) => {
                let index =
                    |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
                bytes.slice(index(range.start)..index(range.end))
            }
        };
        Ok(stream::iter([Ok(part)]).boxed())
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let objects = self.objects();
        let (bytes, modified) = objects.get(key).ok_or_else(|| absent(key))?;
        Ok(ObjectInfo::new(key.clone(), bytes.len() as u64, *modified))
    }

    fn list(&self, prefix: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>> {
        let objects = self.objects();
        let below = objects.iter().filter(|(key, _)| key.starts_with(prefix) && *key != prefix);
        let infos: Vec<_> = below
            .map(|(key, (bytes, modified))| {
                Ok(ObjectInfo::new(key.clone(), bytes.len() as u64, *modified))
            })
            .collect();
        stream::iter(infos).boxed()
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        self.objects().remove(key);
        Ok(())
    }

    async fn history(&self, key: &ObjectKey) -> Result<ObjectHistory> {
        let present = self.objects().contains_key(key);
        Ok(if present { ObjectHistory::present() } else { ObjectHistory::default() })
    }

    async fn discard_unfinished(&self, _: &ObjectKey, _: Option<Timestamp>) -> Result<u64> {
        Ok(0)
    }
}

struct MemoryUpload {
    sink: MemorySink,
    key: ObjectKey,
    if_absent: bool,
    bytes: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&chunk);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo> {
        let mut objects = self.sink.objects();
        if self.if_absent && objects.contains_key(&self.key) {
            let message = format!("{} exists already", self.key);
            return Err(Error::new(ErrorKind::AlreadyExists, "sink.commit", message));
        }
        let (bytes, modified) = (self.bytes.freeze(), SystemClock.now());
        let info = ObjectInfo::new(self.key.clone(), bytes.len() as u64, modified);
        objects.insert(self.key, (bytes, modified));
        Ok(info)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

fn absent(key: &ObjectKey) -> Error {
    Error::new(ErrorKind::NotFound, "sink.read", format!("{key} does not exist"))
}
