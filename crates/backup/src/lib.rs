//! Backups that are proved to restore.

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
pub mod verify;

pub use prune::{Prune, PruneReport};
pub use repository::Repository;
pub use restore::{RestoreReport, RestoreTarget, Selection};
pub use retention::{Keep, KeepPolicy, RetentionPlan, RetentionPolicy};
pub use run::{BackupJob, BackupReport, JobLock, RunOptions, VerifyAfter};
pub use sink::{BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions, Upload};
pub use snapshot::{HostId, Manifest, Snapshot, SnapshotId, SnapshotInfo, SnapshotState};
pub use source::{BackupSource, PayloadKind, SourceSummary};
pub use state::StateFolder;
