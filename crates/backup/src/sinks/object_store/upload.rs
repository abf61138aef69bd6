//! An upload to a store: buffered into equal parts, several of them in flight.

use std::{mem, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::{
    Attribute, Attributes, GetOptions, MultipartUpload, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutPayload, RenameOptions, RenameTargetMode, path::Path,
};
use seaworthy_core::{ByteSize, Clock, Error, ErrorKind, Result, SystemClock};
use tokio::{runtime::Handle, task::JoinSet};

use super::Inner;
use crate::{
    format::ObjectKey,
    sinks::{ObjectInfo, PutOptions, Upload},
};

/// Shorter chunks are copied together: keeping each one would have overhead, and would keep the
/// larger buffer alive that it may be part of.
const WORTH_KEEPING: usize = 16 << 10;

/// The metadata that names the upload that wrote an object.
const MARK: &str = "seaworthy-upload";

pub(super) struct ObjectUpload {
    inner: Arc<Inner>,
    key: ObjectKey,
    path: Path,
    if_absent: bool,
    buffer: PartBuffer,
    multipart: Option<Multipart>,
    written: u64,
    /// The size of each part, if the object's is known.
    even_parts: Option<usize>,
    /// The object's metadata about its upload; empty if the store keeps no metadata.
    attributes: Attributes,
    /// A write failed or was cancelled, so bytes are missing.
    broken: bool,
}

impl ObjectUpload {
    pub(super) fn new(
        inner: Arc<Inner>,
        key: ObjectKey,
        path: Path,
        options: PutOptions,
    ) -> Result<Self> {
        let mut attributes = Attributes::new();
        if inner.preset.marks {
            let mark = random().map_err(|e| inner.error("sink.begin", "write", &key, e))?;
            attributes.insert(Attribute::Metadata(MARK.into()), mark.into());
        }
        Ok(Self {
            even_parts: options.size.map(|size| inner.preset.part_size_for(size)),
            inner,
            key,
            path,
            if_absent: options.if_absent,
            buffer: PartBuffer::default(),
            multipart: None,
            written: 0,
            attributes,
            broken: false,
        })
    }

    fn error(&self, operation: &'static str, error: object_store::Error) -> Error {
        self.inner.error(operation, "write", &self.key, error)
    }

    fn proof(&self) -> Proof {
        let (inner, path) = (self.inner.clone(), self.path.clone());
        Proof { inner, path, attributes: self.attributes.clone(), size: self.written }
    }

    fn sent_parts(&self) -> usize {
        self.multipart.as_ref().map_or(0, |multipart| multipart.sent)
    }

    fn next_part_size(&self) -> usize {
        self.even_parts.unwrap_or_else(|| self.inner.preset.part_size_of(self.sent_parts()))
    }

    fn too_large(&self) -> Error {
        let (key, label) = (&self.key, &self.inner.label);
        let (parts, bytes) = (self.inner.preset.max_parts, ByteSize::new(self.written));
        let message =
            format!("{key} is too large for {label}: {parts} parts can hold about {bytes}");
        Error::new(ErrorKind::InvalidInput, "sink.write", message)
            .remedy_is("set a larger `part_size` for the sink, such as 512MiB")
    }

    async fn send_part(&mut self, part: PutPayload) -> object_store::Result<()> {
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            none => {
                // No store can complete an upload only if the object does not exist. So an object
                // that must not replace another is uploaded under another name and moved.
                let at = if self.if_absent { beside(&self.path)? } else { self.path.clone() };
                none.insert(Multipart::begin(&self.inner, at, self.attributes.clone()).await?)
            }
        };
        multipart.send(part, self.inner.preset.parts_in_flight).await
    }

    async fn store(&mut self) -> object_store::Result<()> {
        let store = self.inner.store.objects();
        if self.multipart.is_none() {
            let mode = if self.if_absent { PutMode::Create } else { PutMode::Overwrite };
            let mut options = object_store::PutOptions::from(mode);
            options.attributes = self.attributes.clone();
            let stored = store.put_opts(&self.path, self.buffer.take(), options).await.map(drop);
            return self.proof().settle(stored).await;
        }
        if self.buffer.len > 0 {
            let part = self.buffer.take();
            self.send_part(part).await?;
        }
        let Some(multipart) = &mut self.multipart else { return Ok(()) };
        let completed = multipart.complete().await;
        if !self.if_absent {
            return self.proof().settle(completed).await;
        }
        completed?;
        let store = self.inner.store.objects();
        let options = RenameOptions::new().with_target_mode(RenameTargetMode::Create);
        let moved = store.rename_opts(&multipart.at, &self.path, options).await;
        if moved.is_err() {
            let _ = store.delete(&multipart.at).await;
        }
        moved
    }
}

/// How to distinguish an upload with a lost response from a failed one.
struct Proof {
    inner: Arc<Inner>,
    path: Path,
    attributes: Attributes,
    size: u64,
}

impl Proof {
    /// The result of a request that makes the object visible: if its response may be lost, the
    /// object itself is checked.
    async fn settle(self, done: object_store::Result<()>) -> object_store::Result<()> {
        match done {
            Err(error) if self.inner.store.is_ambiguous(&error) && self.is_there().await => Ok(()),
            done => done,
        }
    }

    /// Whether the object is the complete one that this upload wrote.
    async fn is_there(&self) -> bool {
        if self.attributes.is_empty() {
            return false;
        }
        let options = GetOptions { head: true, ..GetOptions::default() };
        let mark = Attribute::Metadata(MARK.into());
        match self.inner.store.objects().get_opts(&self.path, options).await {
            Ok(found) => {
                found.meta.size == self.size
                    && found.attributes.get(&mark) == self.attributes.get(&mark)
            }
            Err(_) => false,
        }
    }
}

#[async_trait]
impl Upload for ObjectUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        // Stays set if this future is dropped while a part is being sent.
        let was_broken = mem::replace(&mut self.broken, true);
        // Buffer more only when a part has been sent.
        if let Some(multipart) = &mut self.multipart
            && let Err(error) = multipart.make_room(self.inner.preset.parts_in_flight).await
        {
            return Err(self.error("sink.write", error));
        }
        self.written += chunk.len() as u64;
        self.buffer.push(chunk);
        while let Some(part) = self.buffer.take_part(self.next_part_size()) {
            if self.sent_parts() + 1 >= self.inner.preset.max_parts {
                return Err(self.too_large());
            }
            if let Err(error) = self.send_part(part).await {
                return Err(self.error("sink.write", error));
            }
        }
        self.broken = was_broken;
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<ObjectInfo> {
        if self.broken {
            let message = format!("{} is not complete: a write of it failed", self.key);
            return Err(Error::new(ErrorKind::InvalidInput, "sink.commit", message));
        }
        if let Err(error) = self.store().await {
            let error = self.error("sink.commit", error);
            if let Some(multipart) = self.multipart.take() {
                // The first error is the one that matters.
                let _ = multipart.abort().await;
            }
            return Err(error);
        }
        // A key that can only write cannot read: our own clock is close enough then.
        let modified = match self.inner.store.objects().head(&self.path).await {
            Ok(meta) => std::time::SystemTime::from(meta.last_modified).into(),
            Err(_) => SystemClock.now(),
        };
        Ok(ObjectInfo::new(self.key.clone(), self.written, modified))
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let Some(multipart) = self.multipart.take() else { return Ok(()) };
        multipart.abort().await.map_err(|e| self.inner.error("sink.abort", "give up", &self.key, e))
    }
}

/// Sixteen random digits.
fn random() -> object_store::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|e| object_store::Error::Generic { store: "random", source: Box::new(e) })?;
    Ok(format!("{:016x}", u64::from_le_bytes(random)))
}

/// A hidden name next to `path`, which our listings never show.
fn beside(path: &Path) -> object_store::Result<Path> {
    let random = random()?;
    let (folder, name) = path.as_ref().rsplit_once('/').unwrap_or(("", path.as_ref()));
    let hidden = format!("{folder}/.{name}.staged-{random}");
    Ok(Path::parse(hidden.trim_start_matches('/'))?)
}

/// A multipart upload that the store knows.
struct Multipart {
    /// `None` once it is complete or aborted.
    upload: Option<Box<dyn MultipartUpload>>,
    at: Path,
    /// How many parts were sent.
    sent: usize,
    parts: JoinSet<object_store::Result<()>>,
    drop_frees: bool,
}

impl Multipart {
    async fn begin(inner: &Inner, at: Path, attributes: Attributes) -> object_store::Result<Self> {
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let upload = inner.store.objects().put_multipart_opts(&at, options).await?;
        let drop_frees = inner.preset.drop_frees;
        Ok(Self { upload: Some(upload), at, sent: 0, parts: JoinSet::new(), drop_frees })
    }

    /// Waits until fewer than `in_flight` parts are being sent.
    async fn make_room(&mut self, in_flight: usize) -> object_store::Result<()> {
        while self.parts.len() >= in_flight.max(1) {
            self.join_one().await?;
        }
        Ok(())
    }

    async fn send(&mut self, part: PutPayload, in_flight: usize) -> object_store::Result<()> {
        self.make_room(in_flight).await?;
        if let Some(upload) = &mut self.upload {
            self.parts.spawn(upload.put_part(part));
            self.sent += 1;
        }
        Ok(())
    }

    async fn join_one(&mut self) -> object_store::Result<()> {
        match self.parts.join_next().await {
            Some(done) => done?,
            None => Ok(()),
        }
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        while !self.parts.is_empty() {
            self.join_one().await?;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await?;
        }
        self.upload = None;
        Ok(())
    }

    async fn abort(mut self) -> object_store::Result<()> {
        // A part that arrives after the abort would stay, so wait for each one.
        self.parts.shutdown().await;
        match &mut self.upload {
            Some(upload) => {
                let aborted = upload.abort().await;
                self.upload = None;
                aborted
            }
            None => Ok(()),
        }
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        if self.drop_frees {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let mut parts = mem::take(&mut self.parts);
            runtime.spawn(async move {
                parts.shutdown().await;
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "cannot free the parts of a dropped upload");
                }
            });
        }
    }
}

/// Bytes that are buffered until they fill a part. Large chunks are kept without a copy.
#[derive(Default)]
struct PartBuffer {
    chunks: Vec<Bytes>,
    small: BytesMut,
    len: usize,
}

impl PartBuffer {
    fn push(&mut self, chunk: Bytes) {
        self.len += chunk.len();
        if chunk.len() < WORTH_KEEPING {
            self.small.extend_from_slice(&chunk);
        } else {
            self.keep_small();
            self.chunks.push(chunk);
        }
    }

    fn keep_small(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push(self.small.split().freeze());
        }
    }

    /// The first `size` bytes, once there are as many.
    fn take_part(&mut self, size: usize) -> Option<PutPayload> {
        let size = size.max(1);
        if self.len < size {
            return None;
        }
        self.keep_small();
        let mut missing = size;
        let mut whole = 0;
        while let Some(chunk) = self.chunks.get(whole).filter(|chunk| chunk.len() <= missing) {
            missing -= chunk.len();
            whole += 1;
        }
        let mut part: Vec<_> = self.chunks.drain(..whole).collect();
        if let Some(chunk) = self.chunks.first_mut().filter(|_| missing > 0) {
            part.push(chunk.split_to(missing));
        }
        self.len -= size;
        Some(part.into_iter().collect())
    }

    /// All remaining statements.
    fn take(&mut self) -> PutPayload {
        self.keep_small();
        self.len = 0;
        mem::take(&mut self.chunks).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_and_large_chunks_are_not_copied() {
        let mut buffer = PartBuffer::default();
        let large = Bytes::from(vec![7; 100_000]);
        buffer.push(Bytes::from_static(b"small"));
        buffer.push(large.clone());
        buffer.push(Bytes::from_static(b"end"));
        let part = buffer.take_part(60_000).unwrap();
        assert_eq!(part.content_length(), 60_000);
        assert_eq!(part.iter().nth(1).unwrap().as_ptr(), large.as_ptr());
        assert!(buffer.take_part(60_000).is_none());
        let rest = buffer.take();
        assert_eq!(rest.content_length(), 100_008 - 60_000);
        assert!(Bytes::from(rest).ends_with(b"\x07end"));
        assert_eq!(buffer.take().content_length(), 0);
    }
}
