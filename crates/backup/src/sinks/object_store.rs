//! One adapter for every store that the crate `object_store` supports.

mod error;
mod upload;

use std::{fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use seaworthy_core::{Error, ErrorKind, Result, Timestamp};

use super::{
    BackupSink, ByteStream, Capabilities, ObjectHistory, ObjectInfo, PutOptions, Upload,
    store::{Plain, Store},
};
use crate::format::ObjectKey;
use upload::ObjectUpload;

/// A folder or a bucket as a sink: [`local`](Self::local), or any store with [`new`](Self::new).
/// Clones share it.
#[derive(Clone)]
pub struct ObjectStoreSink(pub(super) Arc<Inner>);

pub(super) struct Inner {
    store: Arc<dyn Store>,
    label: String,
    prefix: ObjectKey,
    preset: StorePreset,
}

/// How a store differs from others.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StorePreset {
    /// The capabilities that the sink claims.
    pub capabilities: Capabilities,
    /// The size in bytes of every part of an upload except the last. A smaller object is sent in
    /// one request.
    pub part_size: usize,
    /// After the first thousand parts, every 500 are larger than those before, by
    /// [`part_size`](Self::part_size) each.
    pub parts_grow: bool,
    /// The most parts that an upload can have.
    pub max_parts: usize,
    /// The store keeps metadata. Each upload is then marked, so that after a lost response it is
    /// possible to check whether the object is its own.
    pub marks: bool,
    /// How many parts of one upload may be in flight. When this many are, nothing is buffered for
    /// the next one: an upload holds at most this many parts, and the chunk that is being written.
    pub parts_in_flight: usize,
    /// An unfinished upload of the store frees what it stored when it is dropped. If it does not,
    /// the sink aborts it in the background.
    pub drop_frees: bool,
}

impl StorePreset {
    /// Claims `capabilities`; parts of 8 MiB, two of them in flight; a dropped upload is aborted.
    pub fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            part_size: 8 << 20,
            parts_grow: false,
            max_parts: usize::MAX,
            marks: false,
            parts_in_flight: 2,
            drop_frees: false,
        }
    }

    /// The size in bytes of each part of an object of `size` bytes, so that it fits into
    /// [`max_parts`](Self::max_parts) of equal size.
    pub(super) fn part_size_for(&self, size: u64) -> usize {
        const STEP: u64 = 1 << 20;
        let parts = (self.max_parts as u64).saturating_sub(1).max(1);
        let even = size.div_ceil(parts).div_ceil(STEP).saturating_mul(STEP);
        usize::try_from(even).unwrap_or(usize::MAX).max(self.part_size)
    }

    /// The size in bytes of part `n`, counted from 0, if the object's size is not known.
    pub fn part_size_of(&self, n: usize) -> usize {
        let times = if self.parts_grow && n >= 1000 { n / 500 } else { 1 };
        self.part_size.saturating_mul(times)
    }
}

impl ObjectStoreSink {
    /// Everything below `prefix` of `store` as a sink. `label` is the place's name for people and
    /// contains no secret. A claimed [`Capabilities::if_absent`] needs a store that honours
    /// `PutMode::Create` and, for objects of more than one part, `RenameTargetMode::Create`.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        label: impl Into<String>,
        prefix: ObjectKey,
        preset: StorePreset,
    ) -> Self {
        Self::of_store(Arc::new(Plain(store)), label.into(), prefix, preset)
    }

    pub(super) fn of_store(
        store: Arc<dyn Store>,
        label: String,
        prefix: ObjectKey,
        preset: StorePreset,
    ) -> Self {
        Self(Arc::new(Inner { store, label, prefix, preset }))
    }

    /// Warnings about this sink, for people: that its folder, or a job's folder in it, is open to
    /// other users. Folders that this sink created are not.
    pub async fn warnings(&self) -> Vec<String> {
        self.0.store.warnings().await
    }

    /// Never deletes, and does not claim to.
    #[must_use]
    pub fn append_only(self) -> Self {
        let mut preset = self.0.preset;
        preset.capabilities.delete = false;
        let inner = &*self.0;
        Self(Arc::new(Inner {
            store: inner.store.clone(),
            label: inner.label.clone(),
            prefix: inner.prefix.clone(),
            preset,
        }))
    }
}

impl Inner {
    /// The path of the object `key` in the store.
    fn locate(&self, key: &ObjectKey) -> Result<Path> {
        if key.as_str().is_empty() {
            let message = format!("the root of {} is not an object", self.label);
            return Err(Error::new(ErrorKind::InvalidInput, "sink.locate", message));
        }
        self.path(key)
    }

    fn path(&self, key: &ObjectKey) -> Result<Path> {
        Path::parse(self.prefix.join(key.as_str())?.as_str()).map_err(|source| {
            let message = format!("{key} cannot be a key in {}", self.label);
            Error::new(ErrorKind::InvalidInput, "sink.locate", message).caused_by(source)
        })
    }

    /// The object of `meta`; `None` if its name is not one of ours.
    fn info(&self, meta: &ObjectMeta) -> Option<ObjectInfo> {
        let whole: ObjectKey = meta.location.as_ref().parse().ok()?;
        let key = whole.strip_prefix(&self.prefix)?.parse().ok()?;
        let modified = Timestamp::from(std::time::SystemTime::from(meta.last_modified));
        Some(ObjectInfo::new(key, meta.size, modified))
    }

    fn unsupported(&self, operation: &'static str, what: &str) -> Error {
        let message = format!("{} cannot {what}", self.label);
        Error::new(ErrorKind::Unsupported, operation, message)
    }

    async fn size(&self, key: &ObjectKey, path: &Path) -> Result<u64> {
        let meta = self.store.objects().head(path).await;
        Ok(meta.map_err(|e| self.error("sink.read", "read", key, e))?.size)
    }

    /// The result of reading `range` if the store did not accept it: empty at the very end.
    async fn edge(&self, key: &ObjectKey, path: &Path, range: &Range<u64>) -> Result<()> {
        let size = self.size(key, path).await?;
        if range.start <= size {
            return Ok(());
        }
        let message = format!(
            "{key} in {} has {size} bytes, so nothing can be read from byte {}",
            self.label, range.start
        );
        Err(Error::new(ErrorKind::InvalidInput, "sink.read", message))
    }
}

impl fmt::Display for ObjectStoreSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.label)
    }
}

impl fmt::Debug for ObjectStoreSink {
    /// Leaves out the store: its own text may contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStoreSink")
            .field("label", &self.0.label)
            .field("prefix", &self.0.prefix)
            .field("preset", &self.0.preset)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl BackupSink for ObjectStoreSink {
    fn capabilities(&self) -> Capabilities {
        self.0.preset.capabilities
    }

    async fn begin(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn Upload>> {
        let path = self.0.locate(key)?;
        if options.if_absent && !self.0.preset.capabilities.if_absent {
            return Err(self.0.unsupported("sink.begin", "promise not to replace an object"));
        }
        self.0.store.ready_to_write().await?;
        let upload = ObjectUpload::new(self.0.clone(), key.clone(), path, options)?;
        Ok(Box::new(upload))
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<ByteStream> {
        let path = self.0.locate(key)?;
        if let Some(range) = &range {
            if range.start > range.end {
                let message = format!("{range:?} of {key} ends before it begins");
                return Err(Error::new(ErrorKind::InvalidInput, "sink.read", message));
            }
            // Stores treat an empty range differently.
            if range.is_empty() {
                self.0.edge(key, &path, range).await?;
                return Ok(stream::empty().boxed());
            }
        }
        let options =
            GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let found = match (self.0.store.objects().get_opts(&path, options).await, &range) {
            (Ok(found), _) => found,
            (Err(error), None) => return Err(self.0.error("sink.read", "read", key, error)),
            (Err(error), Some(range)) => {
                let error = self.0.error("sink.read", "read", key, error);
                // Only the object's size distinguishes a range beyond it from other failures.
                if matches!(error.kind(), ErrorKind::Io | ErrorKind::InvalidInput)
                    && self.0.size(key, &path).await? <= range.start
                {
                    self.0.edge(key, &path, range).await?;
                    return Ok(stream::empty().boxed());
                }
                return Err(error);
            }
        };
        let (inner, key) = (self.0.clone(), key.clone());
        let bytes = found.into_stream();
        Ok(bytes.map_err(move |e| inner.error("sink.read", "read", &key, e)).boxed())
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let path = self.0.locate(key)?;
        let meta = self.0.store.objects().head(&path).await;
        let meta = meta.map_err(|e| self.0.error("sink.stat", "look at", key, e))?;
        let modified = Timestamp::from(std::time::SystemTime::from(meta.last_modified));
        Ok(ObjectInfo::new(key.clone(), meta.size, modified))
    }

    fn list(&self, prefix: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>> {
        let path = match self.0.path(prefix) {
            Ok(path) => path,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let (inner, prefix) = (self.0.clone(), prefix.clone());
        let found = self.0.store.objects().list((!path.as_ref().is_empty()).then_some(&path));
        found
            .map(move |meta| match meta {
                // Some stores list the object at the prefix itself.
                Ok(meta) => Ok(inner.info(&meta).filter(|info| info.key != prefix)),
                Err(error) => Err(inner.error("sink.list", "list", &prefix, error)),
            })
            .try_filter_map(future::ok)
            .boxed()
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        let path = self.0.locate(key)?;
        if !self.0.preset.capabilities.delete {
            return Err(self.0.unsupported("sink.delete", "delete"));
        }
        let deleted = self.0.store.delete(&path).await;
        match deleted.map_err(|e| self.0.error("sink.delete", "delete", key, e)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn history(&self, key: &ObjectKey) -> Result<ObjectHistory> {
        let path = self.0.locate(key)?;
        let found = self.0.store.history(&path).await;
        match found.map_err(|e| self.0.error("sink.history", "look at", key, e)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(ObjectHistory::default()),
            found => found,
        }
    }

    async fn discard_unfinished(
        &self,
        prefix: &ObjectKey,
        before: Option<Timestamp>,
    ) -> Result<u64> {
        let path = self.0.path(prefix)?;
        let discarded = self.0.store.discard_unfinished(&path, before).await;
        discarded.map_err(|e| {
            self.0.error("sink.discard", "free what unfinished uploads left below", prefix, e)
        })
    }
}
