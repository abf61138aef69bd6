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

/// A place that stores objects whole: a folder, a bucket, memory.
///
/// [`Display`] names the place for people (`/var/backups`, `s3://bucket/prefix`) and never shows a
/// secret. What [`capabilities`](Self::capabilities) claims must work, and what it does not claim
/// answers [`ErrorKind::Unsupported`](seaworthy_core::ErrorKind::Unsupported). The suite behind
/// feature `testing` proves both.
#[async_trait]
pub trait BackupSink: Debug + Display + Send + Sync + 'static {
    /// What this sink can do beyond writing, reading and listing.
    fn capabilities(&self) -> Capabilities;

    /// Begins to write an object. Nothing is visible before [`Upload::commit`]; an upload that is
    /// dropped or aborted leaves nothing visible.
    async fn begin(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn Upload>>;

    /// Reads an object, or the bytes of it in `range`. A range that ends beyond the object gives
    /// the bytes that exist; one that begins beyond it is
    /// [`ErrorKind::InvalidInput`](seaworthy_core::ErrorKind::InvalidInput). An absent object is
    /// [`ErrorKind::NotFound`](seaworthy_core::ErrorKind::NotFound).
    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<ByteStream>;

    /// Looks at an object without reading it.
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo>;

    /// Every object below `prefix`, at any depth, in no particular order. Objects whose names are
    /// no [`ObjectKey`]s are not ours and are passed over. A prefix that does not exist is empty.
    fn list(&self, prefix: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>>;

    /// Deletes an object so that it is really and durably gone. An absent one is fine.
    async fn delete(&self, key: &ObjectKey) -> Result<()>;

    /// What the store holds under `key`, also what [`stat`](Self::stat) no longer shows: older
    /// versions, marks that hide them, locks. Only what has no trace at all was never there, or
    /// is really gone. Fails where the store does not let us look.
    async fn history(&self, key: &ObjectKey) -> Result<ObjectHistory>;

    /// Frees what unfinished uploads below `prefix` left behind, such as those of a run that was
    /// killed, and says how many there were: those that began before `before`, or all of them. All
    /// of them only while nobody uploads there.
    async fn discard_unfinished(
        &self,
        prefix: &ObjectKey,
        before: Option<Timestamp>,
    ) -> Result<u64>;
}

/// An object on its way into a sink.
#[async_trait]
pub trait Upload: Send {
    /// Adds `chunk` at the end; waits while the sink is slower than the writer.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object visible, whole and durable.
    async fn commit(self: Box<Self>) -> Result<ObjectInfo>;

    /// Gives the object up and frees what was stored of it.
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
    /// A sink that can do all of it.
    pub fn all() -> Self {
        Self { delete: true, if_absent: true }
    }
}

/// How an object is to be written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PutOptions {
    /// [`Upload::commit`] fails with
    /// [`ErrorKind::AlreadyExists`](seaworthy_core::ErrorKind::AlreadyExists) when the object exists
    /// by then. Needs [`Capabilities::if_absent`].
    pub if_absent: bool,
    /// The object's size in bytes, where it is known.
    pub size: Option<u64>,
}

impl PutOptions {
    /// Refuses to replace an object.
    pub fn if_absent() -> Self {
        Self { if_absent: true, ..Self::default() }
    }
}

/// What a sink knows of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Where it lies.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}

/// What a store holds under a key, also what it no longer shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectHistory {
    /// The object is there and is shown.
    pub present: bool,
    /// How many versions are stored, the shown one included.
    pub versions: u64,
    /// How many marks hide versions, or did.
    pub hide_marks: u64,
    /// When the lock of the shown version is over.
    pub locked_until: Option<Timestamp>,
    /// Somebody holds it until they say otherwise.
    pub held: bool,
}

impl ObjectHistory {
    /// An object that is shown, of a store without versions.
    pub fn present() -> Self {
        Self { present: true, versions: 1, ..Self::default() }
    }

    /// Whether nothing was ever there, or nothing is left of it.
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
