//! Where data comes from: the [`BackupSource`] trait and the sources of this crate.

pub mod command;
pub mod files;
pub mod postgres;
mod scan;
pub mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;
use seaworthy_core::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::payload::SegmentSender;

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

/// What a payload is, and so how it is restored: the middle of its object's name
/// (`uploads.tar.zst`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PayloadKind(std::borrow::Cow<'static, str>);

impl PayloadKind {
    /// A PAX tar archive.
    pub const TAR: Self = Self(std::borrow::Cow::Borrowed("tar"));
    /// Plain SQL, as `psql` reads it.
    pub const SQL: Self = Self(std::borrow::Cow::Borrowed("sql"));
    /// An SQLite database.
    pub const SQLITE: Self = Self(std::borrow::Cow::Borrowed("sqlite"));

    /// A kind of one's own. It must be a [`Name`](seaworthy_core::Name).
    pub fn new(name: &str) -> Result<Self> {
        Ok(Self(seaworthy_core::Name::new(name)?.to_string().into()))
    }

    /// The kind as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Counts of what a source held and of what its payload lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SourceSummary {
    /// Files, databases or whatever it counts, without folders.
    pub files: u64,
    /// The size of those, in bytes, holes included.
    pub bytes: u64,
    /// Rows of tables, where it counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Items that could not be read and are missing.
    #[serde(skip_serializing_if = "is_zero")]
    pub unreadable: u64,
    /// Items that were gone when they were to be read.
    #[serde(skip_serializing_if = "is_zero")]
    pub vanished: u64,
    /// Items that changed while they were read.
    #[serde(skip_serializing_if = "is_zero")]
    pub changed: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
