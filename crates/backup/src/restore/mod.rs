//! Restore targets: the [`RestoreTarget`] trait and the targets of this crate.

pub(crate) mod folder;
pub(crate) mod plain;
#[cfg(any(feature = "files", feature = "sqlite"))]
pub(crate) mod renames;
mod run;

use std::{fmt::Debug, path::PathBuf};

use async_trait::async_trait;
use seaworthy_core::{Context, Result};
use serde::Serialize;

use crate::{
    format::index::PathBytes,
    snapshot::{PayloadReader, Snapshot},
};

pub(crate) use folder::FreshFolder;
pub use plain::PlainTarget;
pub use run::{Restoration, RestoreOptions, restore};

/// A place that one source of a snapshot is restored to: a folder, a database, a scratch place for
/// a drill.
///
/// The engine calls [`prepare`](Self::prepare), [`load`](Self::load) and
/// [`finish`](Self::finish) in this order, or [`abort`](Self::abort) after a failure. Nothing that
/// was there before may be changed before `finish`, and even then it is moved aside, never
/// overwritten.
#[async_trait]
pub trait RestoreTarget: Debug + Send + 'static {
    /// Checks that the restore can work here and prepares it; does not change existing data.
    async fn prepare(&mut self, snapshot: &Snapshot, cx: &Context) -> Result<()>;

    /// Loads `selection` from `payload`, next to the existing data.
    async fn load(
        &mut self,
        payload: PayloadReader,
        selection: &Selection,
        cx: &Context,
    ) -> Result<()>;

    /// Moves the loaded data to its place.
    async fn finish(self: Box<Self>, cx: &Context) -> Result<RestoreReport>;

    /// Aborts and removes what was loaded; existing data stays as it was.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// Which part of a source to restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    only: Vec<PathBytes>,
}

impl Selection {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only these paths and everything below them. A leading slash is ignored.
    pub fn only(paths: impl IntoIterator<Item = PathBytes>) -> Self {
        Self { only: paths.into_iter().map(PathBytes::without_root).collect() }
    }

    /// Whether everything is selected.
    pub fn is_all(&self) -> bool {
        self.only.is_empty()
    }

    /// The selected paths, without leading slashes; empty if everything is selected.
    pub fn paths(&self) -> &[PathBytes] {
        &self.only
    }

    /// Whether the table `name` of `schema` is selected: as `schema.name`, or as `name` alone.
    pub fn contains_table(&self, schema: &str, name: &str) -> bool {
        let is = |wanted: &PathBytes| {
            let wanted = wanted.0.as_slice();
            wanted == name.as_bytes()
                || wanted
                    .strip_prefix(schema.as_bytes())
                    .and_then(|rest| rest.strip_prefix(b"."))
                    .is_some_and(|rest| rest == name.as_bytes())
        };
        self.is_all() || self.only.iter().any(is)
    }

    /// Whether `path` is selected.
    pub fn contains(&self, path: &PathBytes) -> bool {
        self.is_all() || self.only.iter().any(|wanted| path.is_within(&wanted.0))
    }
}

/// The result of restoring one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// Files or databases restored, without folders.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// How many bytes were fetched from sinks for it, as stored there, with the overhead of
    /// encryption.
    pub fetched: u64,
    /// Where the restored data is.
    pub placed: Vec<PathBuf>,
    /// Where the previous data was moved to.
    pub moved_aside: Vec<PathBuf>,
    /// What could not be restored exactly, such as an owner that only root can set.
    pub warnings: Vec<String>,
}
