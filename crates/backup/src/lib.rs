//! Backups that are proved to restore.
//!
//! To read this crate, follow the data:
//!
//! 1. A [`BackupSource`] (folders, a database) sends [segments](payload::Segment) of plain bytes.
//! 2. They become a [`payload`]: frames, compressed by themselves, one after another, that stock tools
//!    read as one stream. The [index](format::index) says where each lies and what is in it.
//! 3. A [`BackupSink`] stores the objects. The [`Manifest`] is written last and makes them a
//!    snapshot.
//! 4. [`verify`](verify::verify) reads everything back, and a [`RetentionPolicy`] says which older
//!    snapshots may be removed.
//! 5. [`restore`](restore::restore) brings a [`Snapshot`] to a [`RestoreTarget`], whole or in part,
//!    and [`drill`](drill::drill) tests that in a temporary place.
//!
//! [`BackupJob`] drives 1 to 4, [`Repository`] lists the snapshots of a job in a sink. Every trait
//! has a test suite or a reference implementation in the feature `testing`.
//!
//! [`format`](mod@format) is what is stored, [`sources`] has a folder for each kind of source, with what
//! restores and tries out its payloads, and [`sinks`] one for each kind of sink. A module imports from
//! lower ones alone: the test `modules` has their order.
//!
//! [`encryption`] and [`signing`] protect what is stored from being read and forged: with the
//! feature `encryption`.
//!
//! Without features this crate has only the engine and [`MemorySink`]; `files`, `sqlite`,
//! `postgres`, `local` and `s3` add sources, targets and sinks.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod config;
pub mod drill;
pub mod encryption;
pub mod format;
mod options;
mod paths;
pub mod payload;
mod prune;
mod replica;
mod repository;
pub mod restore;
pub mod retention;
mod run;
pub mod signing;
pub mod sinks;
pub mod snapshot;
pub mod sources;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
pub mod verify;
mod workers;

pub use format::{
    HostId, Manifest, ObjectKey, PayloadKind, SnapshotId, SnapshotInfo, SnapshotState,
    SourceSummary,
};
pub use options::{RunOptions, VerifyAfter};
pub use prune::{Locked, Prune, PruneReport};
pub use replica::{CopyReport, Replica, ReplicaReport};
pub use repository::{Repository, SnapshotCache, SnapshotSummary, jobs_in};
pub use restore::{RestoreReport, RestoreTarget, Selection};
pub use retention::{Holds, Keep, KeepPolicy, RetentionPlan, RetentionPolicy};
pub use run::{BackupJob, BackupReport, JobLock};
pub use signing::Keys;
#[cfg(any(feature = "local", feature = "s3"))]
pub use sinks::ObjectStoreSink;
pub use sinks::{BackupSink, BackupSinkExt, MemorySink, PutOptions, Upload};
pub use snapshot::Snapshot;
pub use sources::BackupSource;
#[cfg(feature = "files")]
pub use sources::{FilesSource, FilesTarget};
pub use state::StateFolder;

/// The example of the README compiles.
#[cfg(all(doctest, feature = "files", feature = "local"))]
#[doc = include_str!("../README.md")]
struct Readme;
