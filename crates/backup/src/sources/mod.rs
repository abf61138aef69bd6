//! Where data comes from: the [`BackupSource`] trait and the sources of this crate.

pub mod command;
pub mod files;
pub mod postgres;
mod scan;
pub mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;
use seaworthy_core::{Context, Result};

use crate::payload::SegmentSender;

pub use crate::format::{PayloadKind, SourceSummary};

pub use command::CommandSource;
#[cfg(feature = "files")]
pub use files::{FilesSource, FilesTarget};
pub(crate) use scan::EntryScanner;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteSource, SqliteTarget};

/// Something that can be backed up: folders, a database, a command's output.
#[async_trait]
pub trait BackupSource: Debug + Send + Sync + 'static {
    /// What its payload is: `tar`, `sqlite`, …. Part of the payload's object name.
    fn payload(&self) -> PayloadKind;

    /// Sends everything it holds, as segments in payload order, and says what that was.
    ///
    /// An error fails the whole snapshot. What is merely missing (a file that cannot be read) is
    /// sent as a loss and counted. The future may be dropped at any moment.
    async fn dump(&self, out: SegmentSender, cx: &Context) -> Result<SourceSummary>;
}
