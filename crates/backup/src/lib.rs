//! Backups that are proved to restore.

#[cfg(feature = "files")]
mod archive;
#[cfg(test)]
#[cfg(feature = "files")]
mod files_tests;
pub mod payload;
pub mod restore;
pub mod sink;
pub mod snapshot;
pub mod source;

#[cfg(feature = "files")]
pub use archive::TarScanner;
#[cfg(feature = "files")]
pub use restore::FilesTarget;
pub use restore::{RestoreReport, RestoreTarget, Selection};
pub use sink::{BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions, Upload};
pub use snapshot::{HostId, Manifest, Snapshot, SnapshotId, SnapshotInfo, SnapshotState};
#[cfg(feature = "files")]
pub use source::FilesSource;
pub use source::{BackupSource, PayloadKind, SourceSummary};
