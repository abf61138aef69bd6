//! Where data comes from: the [`BackupSource`] trait and the sources of this crate.

pub mod command;
pub mod files;
mod kind;
mod payload;
pub mod postgres;
pub mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;
use seaworthy_core::{Context, Result, tagged};
use serde::Serialize;

use crate::payload::SegmentSender;

pub use crate::format::{PayloadKind, SourceSummary};

pub use command::CommandSource;
#[cfg(feature = "files")]
pub use files::{FilesSource, FilesTarget};
pub use kind::{OpenedSource, Origin, Place, PlacedTarget, SourceKind, origin_of, part_name};
use payload::AnyPayload;
pub use payload::{EntryScanner, PayloadHandler};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteSource, SqliteTarget};

tagged! {
    /// What is backed up: `[backup.<name>.sources.<name>]`.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[non_exhaustive]
    pub enum SourceConfig as pub dyn SourceKind, "a table such as { type = \"files\", paths = […] }" {
        /// Files and folders.
        "files" => Files(files::FilesConfig),
        /// An SQLite database.
        "sqlite" => Sqlite(sqlite::SqliteConfig),
        /// A command's standard output.
        "command" => Command(command::CommandConfig),
        /// A PostgreSQL database.
        "postgres" => Postgres(Box<postgres::PostgresConfig>),
    }
}

/// The kinds of payloads that this crate knows, a line per kind. Any other is kept as it is.
static KINDS: &[(PayloadKind, &dyn PayloadHandler)] = &[
    (PayloadKind::TAR, &files::TarPayload),
    (PayloadKind::SQLITE, &sqlite::SqlitePayload),
    (PayloadKind::SQL, &postgres::SqlPayload),
];

/// What can be done with payloads of the kind that is called `kind` in a manifest.
pub fn payload_handler(kind: &str) -> &'static dyn PayloadHandler {
    known(kind).unwrap_or(&AnyPayload)
}

/// Whether this crate knows payloads of `kind`.
pub(crate) fn is_known(kind: &PayloadKind) -> bool {
    known(kind.as_str()).is_some()
}

fn known(kind: &str) -> Option<&'static dyn PayloadHandler> {
    KINDS.iter().find(|(known, _)| known.as_str() == kind).map(|(_, handler)| *handler)
}

/// Something that can be backed up: folders, a database, a command's output.
#[async_trait]
pub trait BackupSource: Debug + Send + Sync + 'static {
    /// The kind of its payload: `tar`, `sqlite`, …. Part of the payload's object name.
    fn payload(&self) -> PayloadKind;

    /// Sends all of its data, as segments in payload order, and returns a summary.
    ///
    /// An error fails the whole snapshot. A missing item (a file that cannot be read) is sent as a
    /// loss and counted. The future may be dropped at any time.
    async fn dump(&self, out: SegmentSender, cx: &Context) -> Result<SourceSummary>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_registered_once_and_any_other_is_kept_as_it_is() {
        for (kind, _) in KINDS {
            assert_eq!(KINDS.iter().filter(|(other, _)| other == kind).count(), 1, "{kind:?}");
            assert!(is_known(kind));
        }
        assert!(payload_handler("sql").takes_url());
        assert!(!payload_handler("sqlite").has_parts());
        let other = payload_handler("dump.rdb");
        assert_eq!((other.noun(), other.takes_url()), ("file", false));
        assert!(!is_known(&PayloadKind::new("dump.rdb").unwrap()));
    }
}
