//! Backups that are proved to restore.

#[cfg(feature = "files")]
mod archive;
pub mod config;
#[cfg(all(test, feature = "files"))]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod files_tests;
pub mod payload;
#[cfg(feature = "postgres")]
pub mod postgres;
mod prune;
mod repository;
pub mod restore;
pub mod retention;
mod run;
pub mod sink;
pub mod snapshot;
pub mod source;
mod state;
mod suspicion;
#[cfg(feature = "testing")]
pub mod testing;
pub mod verify;

#[cfg(feature = "files")]
pub use archive::TarScanner;
pub use prune::{Prune, PruneReport};
pub use repository::Repository;
#[cfg(feature = "files")]
pub use restore::FilesTarget;
pub use restore::{RestoreReport, RestoreTarget, Selection};
pub use retention::{Keep, KeepPolicy, RetentionPlan, RetentionPolicy};
pub use run::{BackupJob, BackupReport, JobLock, RunOptions, VerifyAfter};
#[cfg(feature = "local")]
pub use sink::ObjectStoreSink;
pub use sink::{BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions, Upload};
pub use snapshot::{HostId, Manifest, Snapshot, SnapshotId, SnapshotInfo, SnapshotState};
#[cfg(feature = "files")]
pub use source::FilesSource;
pub use source::{BackupSource, PayloadKind, SourceSummary};
pub use state::StateFolder;
