//! Files and folders as a source: a deterministic walk, read by several workers into a PAX tar.

mod batch;
mod exclude;
pub(super) mod hooks;
mod inode;
mod item;
mod large;
mod listing;
mod roots;
mod small;
mod walk;
mod worker;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Result};

use super::archive::TRAILER;
use crate::{
    format::{PayloadKind, SourceSummary},
    payload::{Segment, SegmentSender},
    sources::BackupSource,
};
use batch::Batches;
use exclude::Excludes;
use hooks::Hooks;
use walk::Walker;
use worker::Shared;

/// Files and folders, with everything below them.
///
/// A path is archived under its absolute name without the leading slash; folders above it are not
/// archived. A path that is itself a symbolic link is followed, and what it points to is archived
/// under the configured name; links met below it are archived as links. The walk continues into
/// other file systems that are mounted below a path. `/` itself has no name and so no entry of its
/// own.
///
/// What cannot be read or disappears below a path is recorded as a loss; a configured path that is
/// missing or cannot be read fails the run.
#[derive(Clone, Debug)]
pub struct FilesSource {
    paths: Vec<PathBuf>,
    excludes: Excludes,
    left_out: Vec<PathBuf>,
    hooks: Hooks,
}

impl FilesSource {
    /// The files and folders `paths`. Relative ones are relative to the current working directory.
    pub fn new<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        let paths = paths.into_iter().map(|path| roots::absolute(path.as_ref()));
        let paths = paths.collect::<Result<Vec<_>>>()?;
        if paths.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "files", "there are no paths")
                .remedy_is("name at least one file or folder in `paths`"));
        }
        let (excludes, left_out) = (Excludes::none(), Vec::new());
        Ok(Self { paths, excludes, left_out, hooks: Hooks::default() })
    }

    /// Excludes what matches one of `patterns`: lines as in a `.gitignore` in each of the paths.
    /// The paths themselves are never excluded.
    ///
    /// Fails with [`ErrorKind::InvalidInput`] on a malformed pattern.
    pub fn exclude<S: AsRef<str>>(mut self, patterns: impl IntoIterator<Item = S>) -> Result<Self> {
        self.excludes = Excludes::new(patterns)?;
        Ok(self)
    }

    /// Excludes these folders, by whatever path they are reached: for example the one that receives
    /// the backup.
    #[must_use]
    pub fn leave_out<P: AsRef<Path>>(mut self, folders: impl IntoIterator<Item = P>) -> Self {
        self.left_out.extend(folders.into_iter().map(|folder| folder.as_ref().to_owned()));
        self
    }

    /// What is backed up, as absolute paths.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    #[cfg(test)]
    pub(crate) fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }
}

#[async_trait]
impl BackupSource for FilesSource {
    fn payload(&self) -> PayloadKind {
        PayloadKind::TAR
    }

    async fn dump(&self, out: SegmentSender, _: &Context) -> Result<SourceSummary> {
        let source = self.clone();
        let workers = out.workers().max(1);
        let open = move || {
            let roots = roots::open(&source.paths, &source.excludes)?;
            let walker = Walker::new(roots, source.excludes, source.hooks);
            Ok(Batches::new(walker.leaving_out(&source.left_out), workers))
        };
        let batches = tokio::task::spawn_blocking(open).await.map_err(panicked)??;
        let shared = Arc::new(Shared::new(batches));
        let running: Vec<_> = (0..workers)
            .map(|_| {
                let (shared, out) = (shared.clone(), out.clone());
                tokio::task::spawn_blocking(move || worker::work(&shared, &out))
            })
            .collect();
        crate::workers::join(running).await?;
        let (data, entries) = (TRAILER.to_vec(), shared.unreported_losses());
        out.send(Segment { data, entries, progress_bytes: 0 }).await?;
        Ok(shared.summary.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "files.read", "a worker panicked").caused_by(source)
}
