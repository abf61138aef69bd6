//! A payload as one file: the same bytes as when stock tools decompress it.

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
    format::index::Record,
    snapshot::{PayloadReader, Records, Snapshot},
};

/// Writes a decompressed payload into a folder, as `<source>.<kind>`: SQL for `psql`, or the output
/// of a command.
#[derive(Debug)]
pub struct PlainTarget {
    folder: FreshFolder,
    report: RestoreReport,
}

impl PlainTarget {
    /// Writes into `folder`, which must be empty or absent.
    pub fn to_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: FreshFolder::new(folder.into()), report: RestoreReport::default() }
    }
}

#[async_trait]
impl RestoreTarget for PlainTarget {
    async fn prepare(&mut self, _: &Snapshot, _: &Context) -> Result<()> {
        self.folder.check()
    }

    async fn load(
        &mut self,
        payload: PayloadReader,
        selection: &Selection,
        cx: &Context,
    ) -> Result<()> {
        let source = payload.source();
        if !selection.is_all() {
            let message = format!("{} can only be written to a folder as a whole", source.name);
            return Err(Error::new(ErrorKind::InvalidInput, "restore", message)
                .remedy_with("restore a table `to` a database: postgres://…", &["to"]));
        }
        let path = self.folder.path().join(format!("{}.{}", source.name, source.kind));
        self.folder.open()?;
        let fail = |e| Error::io("restore", format!("cannot write {}", path.display()), e);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = Arc::new(file.map_err(fail)?);
        let before = payload.fetched();
        write_frames(&payload, file.clone(), &path, cx).await?;
        self.report.fetched = payload.fetched() - before;
        self.report.bytes = file.metadata().map_err(fail)?.len();
        if self.report.bytes != source.plain {
            let message =
                format!("{} has {} bytes, not {}", source.object, self.report.bytes, source.plain);
            return Err(Error::new(ErrorKind::Damaged, "restore", message));
        }
        self.report.files = 1;
        self.report.placed.push(path);
        Ok(())
    }

    async fn finish(self: Box<Self>, _: &Context) -> Result<RestoreReport> {
        tokio::task::spawn_blocking(move || self.folder.finish().map(|()| self.report))
            .await
            .map_err(panicked)?
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.folder.abort()
    }
}

/// Fetches and decodes the frames in parallel, each to its position in `file`.
pub(crate) async fn write_frames(
    payload: &PayloadReader,
    file: Arc<File>,
    path: &Path,
    cx: &Context,
) -> Result<()> {
    let records = Arc::new(Mutex::new(payload.records()?));
    let mut workers = JoinSet::new();
    for _ in 0..payload.workers() {
        let (payload, file, path) = (payload.clone(), file.clone(), path.to_owned());
        let (records, cx) = (records.clone(), cx.clone());
        workers.spawn_blocking(move || {
            let (mut decoder, mut plain) = (payload.decoder()?, Vec::new());
            while let Some(record) = next(&records) {
                let Record::Frame(frame) = record? else { continue };
                cx.check("restore")?;
                decoder.decode(&frame, &payload.fetch_blocking(&frame)?, &mut plain)?;
                file.write_all_at(&plain, frame.plain_offset).map_err(|e| {
                    Error::io("restore", format!("cannot write {}", path.display()), e)
                })?;
                cx.emit(Event::Advanced { bytes: frame.plain, items: 0 });
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(panicked)??;
    }
    Ok(())
}

fn next(records: &Mutex<Records>) -> Option<Result<Record>> {
    records.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "restore", "a worker panicked").caused_by(source)
}
