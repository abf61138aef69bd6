//! A folder as an object store in which files are private and durable.
//!
//! The crate's own one uses the process's umask for files and folders, needs its root to exist,
//! does not sync after a delete, and reads in steps of 8 KiB.

use std::{
    fmt,
    fs::{File, Metadata},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{
    Attributes, CopyOptions, Error as StoreError, GetOptions, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, RenameTargetMode, path::Path as Location,
};
use seaworthy_core::{Error, ErrorKind};

use crate::payload::buffers::Buffers;

use super::{
    staged::{self, Replace, StagedFile},
    walk,
};

/// How much is read from a file at once: a whole frame of a payload, even an incompressible one.
const READ_STEP: u64 = (4 << 20) + (256 << 10);

#[derive(Clone, Debug)]
pub(super) struct LocalStore {
    root: Arc<Path>,
    buffers: Buffers,
}

impl LocalStore {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root: root.into(), buffers: Buffers::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn file(&self, location: &Location) -> PathBuf {
        self.root.join(location.as_ref())
    }

    /// Creates the root if it is missing and checks that it can be written to.
    pub(super) async fn make_root(&self) -> seaworthy_core::Result<()> {
        let root = self.root.clone();
        blocking(move || staged::open_root(&root)).await.map_err(|e| {
            let root = self.root.display();
            let message = format!("cannot write to the folder {root}");
            match e.kind() {
                io::ErrorKind::NotADirectory => {
                    Error::new(ErrorKind::InvalidInput, "sink.begin", message)
                        .caused_by(e)
                        .remedy_is(format!("use a folder: {root} or one of its parents is a file"))
                }
                io::ErrorKind::ReadOnlyFilesystem => Error::io("sink.begin", message, e)
                    .remedy_is(format!("mount the disk of {root} writable, or use another folder")),
                _ => Error::io("sink.begin", message, e).remedy_is(format!(
                    "make it writable for the user that runs this: chown it and chmod 700 {root}"
                )),
            }
        })
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.display().fmt(f)
    }
}

/// Runs `work` where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(io::Error::other(stopped)),
    }
}

fn failed(location: &Location) -> impl FnOnce(io::Error) -> StoreError {
    let path = location.to_string();
    move |source| match source.kind() {
        io::ErrorKind::NotFound => StoreError::NotFound { path, source: Box::new(source) },
        io::ErrorKind::AlreadyExists => {
            StoreError::AlreadyExists { path, source: Box::new(source) }
        }
        _ => StoreError::Generic { store: "local", source: Box::new(source) },
    }
}

fn not_offered(operation: &str) -> StoreError {
    StoreError::NotImplemented { operation: operation.into(), implementer: "local".into() }
}

fn meta_of(location: Location, meta: &Metadata) -> io::Result<ObjectMeta> {
    Ok(ObjectMeta {
        location,
        last_modified: meta.modified()?.into(),
        size: meta.len(),
        e_tag: None,
        version: None,
    })
}

fn stored() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: Default::default() }
}

/// The bytes of `file` from `at` to `end`; fewer if it ends before.
fn read_file(
    file: File,
    at: u64,
    end: u64,
    buffers: Buffers,
) -> BoxStream<'static, io::Result<Bytes>> {
    stream::try_unfold((file, at, buffers), move |(file, at, buffers)| async move {
        if at >= end {
            return Ok(None);
        }
        blocking(move || {
            let mut bytes = buffers.take();
            bytes.resize(usize::try_from((end - at).min(READ_STEP)).unwrap_or(1), 0);
            let mut filled = 0;
            while filled < bytes.len() {
                match file.read_at(&mut bytes[filled..], at + filled as u64) {
                    Ok(0) => break,
                    Ok(more) => filled += more,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            bytes.truncate(filled);
            let next = at + filled as u64;
            Ok((filled > 0).then(|| (buffers.lend(bytes), (file, next, buffers))))
        })
        .await
    })
    .boxed()
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let replace = match options.mode {
            PutMode::Overwrite => Replace::Yes,
            PutMode::Create => Replace::Never,
            PutMode::Update(_) => return Err(not_offered("an update on a condition")),
        };
        let (root, file) = (self.root.clone(), self.file(location));
        blocking(move || {
            let staged = StagedFile::create(&root, &file)?;
            staged.write_at(&payload, 0)?;
            staged.publish(replace)
        })
        .await
        .map_err(failed(location))?;
        Ok(stored())
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let (root, file) = (self.root.clone(), self.file(location));
        let staged = blocking(move || StagedFile::create(&root, &file)).await;
        let staged = Some(Arc::new(staged.map_err(failed(location))?));
        Ok(Box::new(LocalUpload { staged, location: location.clone(), len: 0 }))
    }

    async fn get_opts(
        &self,
        location: &Location,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let (path, at) = (self.file(location), location.clone());
        let opened = blocking(move || {
            let file = File::open(path)?;
            let meta = file.metadata()?;
            if !meta.is_file() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "it is not a file"));
            }
            Ok((file, meta_of(at, &meta)?))
        });
        let (file, meta) = opened.await.map_err(failed(location))?;
        options.check_preconditions(&meta)?;
        let range = match options.range {
            None => 0..meta.size,
            Some(range) => range.as_range(meta.size).map_err(|source| StoreError::Generic {
                store: "local",
                source: Box::new(source),
            })?,
        };
        let location = location.clone();
        let bytes = read_file(file, range.start, range.end, self.buffers.clone());
        let bytes = bytes.map_err(move |e| failed(&location)(e)).boxed();
        Ok(GetResult {
            payload: GetResultPayload::Stream(bytes),
            meta,
            range,
            attributes: Attributes::default(),
            extensions: Default::default(),
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Location>>,
    ) -> BoxStream<'static, object_store::Result<Location>> {
        let store = self.clone();
        locations
            .and_then(move |location| {
                let (root, file) = (store.root.clone(), store.file(&location));
                async move {
                    blocking(move || staged::remove(&root, &file))
                        .await
                        .map_err(failed(&location))?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(
        &self,
        prefix: Option<&Location>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let root = self.root.clone();
        let prefix = prefix.cloned().unwrap_or_default();
        let walked = async move {
            let below = prefix.to_string();
            let found = blocking(move || walk::files(&root, &below, walk::is_object_name)).await;
            let metas = found.map_err(failed(&prefix))?.into_iter().map(|found| {
                let location = Location::parse(&found.name)?;
                meta_of(location.clone(), &found.meta).map_err(failed(&location))
            });
            Ok::<_, StoreError>(stream::iter(metas.collect::<Vec<_>>()))
        };
        stream::once(walked).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Location>) -> object_store::Result<ListResult> {
        Err(not_offered("a list of one level"))
    }

    async fn copy_opts(
        &self,
        _: &Location,
        _: &Location,
        _: CopyOptions,
    ) -> object_store::Result<()> {
        Err(not_offered("a copy"))
    }

    async fn rename_opts(
        &self,
        from: &Location,
        to: &Location,
        options: RenameOptions,
    ) -> object_store::Result<()> {
        let replace = match options.target_mode {
            RenameTargetMode::Overwrite => Replace::Yes,
            RenameTargetMode::Create => Replace::Never,
        };
        let (from, file) = (self.file(from), self.file(to));
        blocking(move || staged::rename(&from, &file, replace)).await.map_err(failed(to))
    }
}

/// A file that is written next to its final path.
#[derive(Debug)]
struct LocalUpload {
    /// `None` once it is complete or aborted.
    staged: Option<Arc<StagedFile>>,
    location: Location,
    len: u64,
}

impl LocalUpload {
    fn take(&mut self) -> object_store::Result<Arc<StagedFile>> {
        let over = || io::Error::other("the upload is over");
        self.staged.take().ok_or_else(|| failed(&self.location)(over()))
    }
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, part: PutPayload) -> object_store::UploadPart {
        let (staged, location, at) = (self.staged.clone(), self.location.clone(), self.len);
        self.len += part.content_length() as u64;
        Box::pin(async move {
            let written = blocking(move || match staged {
                Some(staged) => staged.write_at(&part, at),
                None => Err(io::Error::other("the upload is over")),
            });
            written.await.map_err(failed(&location))
        })
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let staged = self.take()?;
        blocking(move || staged.publish(Replace::Yes)).await.map_err(failed(&self.location))?;
        Ok(stored())
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        let staged = self.take()?;
        blocking(move || staged.discard()).await.map_err(failed(&self.location))
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        // Immediately, even if a part may still be being written to the unnamed file.
        if let Some(staged) = self.staged.take() {
            let _ = staged.unlink();
        }
    }
}
