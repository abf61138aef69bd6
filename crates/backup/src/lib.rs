//! Backups that are proved to restore.

pub mod payload;
pub mod sink;
pub mod snapshot;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use sink::{BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions, Upload};
