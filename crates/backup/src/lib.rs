//! Backups that are proved to restore.

pub mod config;
pub mod payload;
pub mod restore;
pub mod sink;
pub mod snapshot;
pub mod source;

pub use restore::{RestoreReport, RestoreTarget, Selection};
pub use sink::{BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions, Upload};
pub use snapshot::{HostId, Manifest, Snapshot, SnapshotId, SnapshotInfo, SnapshotState};
pub use source::{BackupSource, PayloadKind, SourceSummary};
