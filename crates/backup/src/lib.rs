//! Backups that are proved to restore.

pub mod payload;
pub mod retention;
pub mod sink;
pub mod snapshot;
pub mod source;

pub use retention::{Keep, KeepPolicy, RetentionPlan, RetentionPolicy};
pub use sink::{BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions, Upload};
