//! Where snapshots are stored: the [`BackupSink`] trait and the sinks of this crate.

mod blocking;
mod custom;
mod ext;
mod kind;
pub mod local;
pub mod memory;
#[cfg(any(feature = "local", feature = "s3"))]
mod object_store;
pub mod s3;
#[cfg(any(feature = "local", feature = "s3"))]
mod store;

use std::{
    fmt::{Debug, Display},
    ops::Range,
    pin::Pin,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::{Stream, stream::BoxStream};
use seaworthy_core::{Result, Timestamp, tagged};
use serde::Serialize;

pub use crate::format::ObjectKey;
pub(crate) use blocking::BlockingReader;
pub use custom::CustomSinkConfig;
pub use ext::BackupSinkExt;
pub use kind::{SinkKind, SinkTrial, SinkUse};
pub use memory::MemorySink;

#[cfg(any(feature = "local", feature = "s3"))]
pub use self::object_store::{ObjectStoreSink, StorePreset};

tagged! {
    /// A place for snapshots: `[sink.<name>]`.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[non_exhaustive]
    pub enum SinkConfig as pub dyn SinkKind, "a table such as { type = \"local\", path = … }" {
        /// A folder of this machine.
        "local" => Local(local::LocalSinkConfig),
        /// A bucket of any store that speaks S3.
        "s3" => S3(Box<s3::S3SinkConfig>),
        /// A bucket of Backblaze B2.
        "b2" => B2(Box<s3::B2SinkConfig>),
        /// A sink that a program which embeds Seaworthy brings along.
        "custom" => Custom(CustomSinkConfig),
    }
}

/// Bytes that arrive piece by piece.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A place that stores complete objects: a folder, a bucket, memory.
///
/// [`Display`] names the place for people (`/var/backups`, `s3://bucket/prefix`) and never shows a
/// secret. What [`capabilities`](Self::capabilities) claims must work, and what it does not claim
/// fails with [`ErrorKind::Unsupported`](seaworthy_core::ErrorKind::Unsupported). The test suite in
/// the feature `testing` checks both.
#[async_trait]
pub trait BackupSink: Debug + Display + Send + Sync + 'static {
    /// What this sink can do beyond writing, reading and listing.
    fn capabilities(&self) -> Capabilities;

    /// Starts writing an object. Nothing is visible before [`Upload::commit`]; an upload that is
    /// dropped or aborted leaves nothing visible.
    async fn begin(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn Upload>>;

    /// Reads an object, or the bytes of it in `range`. A range that ends beyond the object returns
    /// the bytes that exist; one that begins beyond it is
    /// [`ErrorKind::InvalidInput`](seaworthy_core::ErrorKind::InvalidInput). An absent object is
    /// [`ErrorKind::NotFound`](seaworthy_core::ErrorKind::NotFound).
    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<ByteStream>;

    /// Returns an object's size and time without reading it.
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo>;

    /// Every object below `prefix`, at any depth, in no particular order. Objects whose names are
    /// not [`ObjectKey`]s are not ours and are skipped. A prefix that does not exist is empty.
    fn list(&self, prefix: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>>;

    /// Deletes an object durably. It is not an error if it does not exist.
    async fn delete(&self, key: &ObjectKey) -> Result<()>;

    /// Everything that the store has under `key`, including what [`stat`](Self::stat) does not
    /// show: older versions, delete markers, locks. Only a key without any trace never existed, or
    /// is really gone. Fails if the store does not allow this query.
    async fn history(&self, key: &ObjectKey) -> Result<ObjectHistory>;

    /// Frees what unfinished uploads below `prefix` left behind, such as those of a run that was
    /// killed, and returns how many there were: those that began before `before`, or all of them.
    /// Only remove all of them while nothing is uploaded there.
    async fn discard_unfinished(
        &self,
        prefix: &ObjectKey,
        before: Option<Timestamp>,
    ) -> Result<u64>;
}

/// An object that is being written to a sink.
#[async_trait]
pub trait Upload: Send {
    /// Adds `chunk` at the end; waits while the sink is slower than the writer.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object visible, complete and durable.
    async fn commit(self: Box<Self>) -> Result<ObjectInfo>;

    /// Aborts the upload and frees what was stored of it.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// What a sink can do beyond writing, reading and listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`BackupSink::delete`] works.
    pub delete: bool,
    /// [`PutOptions::if_absent`] is honoured, also against other processes.
    pub if_absent: bool,
}

impl Capabilities {
    /// All capabilities.
    pub fn all() -> Self {
        Self { delete: true, if_absent: true }
    }
}

/// How to write an object.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PutOptions {
    /// [`Upload::commit`] fails with
    /// [`ErrorKind::AlreadyExists`](seaworthy_core::ErrorKind::AlreadyExists) when the object exists
    /// by then. Needs [`Capabilities::if_absent`].
    pub if_absent: bool,
    /// The object's size in bytes, if known.
    pub size: Option<u64>,
}

impl PutOptions {
    /// Refuses to replace an object.
    pub fn if_absent() -> Self {
        Self { if_absent: true, ..Self::default() }
    }
}

/// What a sink knows about an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Its path.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}

/// Everything that a store has under a key, including what it does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectHistory {
    /// The object exists and is visible.
    pub present: bool,
    /// How many versions are stored, including the visible one.
    pub versions: u64,
    /// How many delete markers there are.
    pub hide_marks: u64,
    /// When the lock of the visible version ends.
    pub locked_until: Option<Timestamp>,
    /// It is under legal hold.
    pub held: bool,
}

impl ObjectHistory {
    /// A visible object, in a store without versions.
    pub fn present() -> Self {
        Self { present: true, versions: 1, ..Self::default() }
    }

    /// Whether the key never existed, or nothing is left of it.
    pub fn is_blank(&self) -> bool {
        !self.present && self.versions == 0 && self.hide_marks == 0
    }
}

impl ObjectInfo {
    /// An object of `size` bytes at `key`, written at `modified`.
    pub fn new(key: ObjectKey, size: u64, modified: Timestamp) -> Self {
        Self { key, size, modified }
    }
}
