//! Files as a restore target: a new folder, or their original place.

mod complete;
mod confine;
mod deferred;
mod extract;
mod in_place;
mod large;
mod metadata;
mod mount;
mod plan;
mod swap;
mod warnings;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Result};

use crate::{
    format::index::PathBytes,
    restore::{FreshFolder, RestoreReport, RestoreTarget, Selection},
    snapshot::{PayloadReader, Snapshot},
};
use extract::Shared;
use in_place::InPlace;
use plan::{Place, Scope};

pub(crate) use confine::Folders;

/// Restores a tar payload as files.
///
/// Nothing in an archive can reach outside the target: every folder on the path is opened
/// separately and never through a symbolic link. Owners are restored by number, and only as root.
#[derive(Debug)]
pub struct FilesTarget {
    kind: Kind,
    report: RestoreReport,
}

#[derive(Debug)]
enum Kind {
    Folder(FreshFolder),
    InPlace(InPlace),
}

impl FilesTarget {
    /// Restores below `folder`, which must be absent or empty, under the names in the archive:
    /// `/srv/uploads` is restored to `folder/srv/uploads`.
    pub fn to_folder(folder: impl Into<PathBuf>) -> Self {
        let kind = Kind::Folder(FreshFolder::new(folder.into()));
        Self { kind, report: RestoreReport::default() }
    }

    /// Restores `paths`, which were backed up, where they were. Existing data is moved to
    /// `<path>.before-restore-<stamp>`, and for a mount point into `.before-restore-<stamp>` inside
    /// it; it is never overwritten. With a selection only the selected paths are replaced.
    pub fn in_place<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>, stamp: &str) -> Self {
        let paths = paths.into_iter().map(|path| path.as_ref().to_owned()).collect();
        let kind = Kind::InPlace(InPlace::new(paths, stamp.to_owned()));
        Self { kind, report: RestoreReport::default() }
    }

    fn places(&mut self, selection: &Selection) -> Result<Vec<Place>> {
        match &mut self.kind {
            Kind::Folder(folder) => {
                let (part, root, path) =
                    (PathBytes(Vec::new()), folder.open()?, folder.path().to_owned());
                Ok(vec![Place { part, root, called: Vec::new(), path }])
            }
            Kind::InPlace(in_place) => in_place.open(selection),
        }
    }
}

#[async_trait]
impl RestoreTarget for FilesTarget {
    async fn prepare(&mut self, _: &Snapshot, _: &Context) -> Result<()> {
        match &mut self.kind {
            Kind::Folder(folder) => folder.check(),
            Kind::InPlace(in_place) => in_place.check(),
        }
    }

    async fn load(
        &mut self,
        payload: PayloadReader,
        selection: &Selection,
        cx: &Context,
    ) -> Result<()> {
        let (places, selection, cx) = (self.places(selection)?, selection.clone(), cx.clone());
        let (workers, before) = (payload.workers().max(1), payload.fetched());
        let shared = blocking(move || {
            let scope = Scope::new(places, selection, &payload)?;
            Shared::new(scope, payload, &cx).map(Arc::new)
        })
        .await?;
        let running: Vec<_> = (0..workers)
            .map(|_| {
                let shared = shared.clone();
                tokio::task::spawn_blocking(move || extract::work(&shared))
            })
            .collect();
        crate::workers::join(running).await?;
        let completing = shared.clone();
        blocking(move || complete::complete(&completing)).await?;
        self.report.files = shared.files.load(Ordering::Relaxed);
        self.report.bytes = shared.bytes.load(Ordering::Relaxed);
        self.report.fetched = shared.reader.fetched() - before;
        self.report.warnings = shared.metadata.warnings.take();
        Ok(())
    }

    async fn finish(self: Box<Self>, _: &Context) -> Result<RestoreReport> {
        blocking(move || {
            let Self { kind, mut report } = *self;
            match kind {
                Kind::Folder(folder) => {
                    folder.finish()?;
                    report.placed.push(folder.path().to_owned());
                }
                Kind::InPlace(in_place) => in_place.finish(&mut report)?,
            }
            Ok(report)
        })
        .await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        blocking(move || match self.kind {
            Kind::Folder(folder) => folder.abort(),
            Kind::InPlace(in_place) => in_place.abort(),
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(panicked)?
}

fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "restore", "a worker panicked").caused_by(source)
}
