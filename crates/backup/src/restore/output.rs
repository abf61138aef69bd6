//! A payload as one file: what a command once said.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};
use tokio::task::JoinSet;

use super::{FreshFolder, RestoreReport, RestoreTarget, Selection};
use crate::{
    payload::PayloadReader,
    snapshot::{Records, Snapshot, index::Record},
};

/// Restores a command's output to a file of the output's own name.
#[derive(Debug)]
pub struct OutputTarget {
    folder: FreshFolder,
    report: RestoreReport,
}

impl OutputTarget {
    /// Restores into `folder`, which must be empty or absent.
    pub fn to_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: FreshFolder::new(folder.into()), report: RestoreReport::default() }
    }
}

#[async_trait]
impl RestoreTarget for OutputTarget {
    async fn prepare(&mut self, _: &Snapshot, _: &Context) -> Result<()> {
        self.folder.check()
    }

    async fn load(
        &mut self,
        payload: PayloadReader,
        selection: &Selection,
        cx: &Context,
    ) -> Result<()> {
        if !selection.is_all() {
            let message = "a part of a command's output cannot be restored by itself";
            return Err(Error::new(ErrorKind::InvalidInput, "output.restore", message)
                .remedy_is("leave --only out, or name the --source whose files you mean"));
        }
        self.folder.open()?;
        let path = self.folder.path().join(&payload.source().kind);
        let fail = |e| Error::io("output.restore", format!("cannot write {}", path.display()), e);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = Arc::new(file.map_err(fail)?);
        self.report.fetched = write_frames(&payload, file.clone(), &path, cx).await?;
        self.report.bytes = file.metadata().map_err(fail)?.len();
        self.report.files = 1;
        self.report.placed = vec![path];
        Ok(())
    }

    async fn finish(self: Box<Self>, _: &Context) -> Result<RestoreReport> {
        self.folder.finish()?;
        Ok(self.report)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.folder.abort()
    }
}

/// Fetches and decodes all frames side by side, each to its place in `file`, and says how many
/// stored bytes were fetched.
pub(super) async fn write_frames(
    payload: &PayloadReader,
    file: Arc<File>,
    path: &Path,
    cx: &Context,
) -> Result<u64> {
    let records = Arc::new(Mutex::new(payload.records()?));
    let mut workers = JoinSet::new();
    for _ in 0..payload.workers() {
        let (payload, file, path) = (payload.clone(), file.clone(), path.to_owned());
        let (records, cx) = (records.clone(), cx.clone());
        workers.spawn_blocking(move || {
            let (mut decoder, mut plain, mut fetched) = (payload.decoder()?, Vec::new(), 0);
            while let Some(record) = next(&records) {
                let Record::Frame(frame) = record? else { continue };
                cx.check("restore.load")?;
                decoder.decode(&frame, &payload.fetch_blocking(&frame)?, &mut plain)?;
                file.write_all_at(&plain, frame.plain_offset).map_err(|e| {
                    Error::io("restore.load", format!("cannot write {}", path.display()), e)
                })?;
                fetched += frame.stored;
                cx.emit(Event::Advanced { bytes: frame.plain, items: 0 });
            }
            Ok::<_, Error>(fetched)
        });
    }
    let mut fetched = 0;
    while let Some(done) = workers.join_next().await {
        fetched += done.map_err(panicked)??;
    }
    Ok(fetched)
}

fn next(records: &Mutex<Records>) -> Option<Result<Record>> {
    records.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// A worker that did not come back.
pub(super) fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "restore.load", "a worker panicked").caused_by(source)
}
