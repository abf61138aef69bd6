//! Backups that are proved to restore.

pub mod payload;
pub mod sink;
pub mod snapshot;
pub mod source;

pub use sink::{BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions, Upload};
