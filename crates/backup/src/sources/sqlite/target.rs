//! Restores an SQLite database: loaded next to the old one, then swapped in by rename.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Result, durable};

use super::source::with_suffix;
use crate::{
    format::index::{DatabaseRecord, Record},
    restore::{
        FreshFolder, RestoreReport, RestoreTarget, Selection, folder::remove, plain::write_frames,
        renames::Renames,
    },
    snapshot::{PayloadReader, Snapshot},
};

/// A target for an SQLite database.
#[derive(Debug)]
pub struct SqliteTarget {
    place: Place,
    staged: Option<PathBuf>,
    report: RestoreReport,
}

#[derive(Debug)]
enum Place {
    /// A file of the database's own name in this folder.
    Folder(FreshFolder),
    /// This path; an existing file is moved aside to a name that ends with the stamp.
    Path { path: PathBuf, stamp: String },
}

impl SqliteTarget {
    /// Restores into `folder`, which must be empty or absent, under the database's own name.
    pub fn to_folder(folder: impl Into<PathBuf>) -> Self {
        Self::new(Place::Folder(FreshFolder::new(folder.into())))
    }

    /// Restores to `path`. An existing database is moved aside, to `<path>.before-restore-<stamp>`.
    pub fn in_place(path: impl Into<PathBuf>, stamp: impl Into<String>) -> Self {
        Self::new(Place::Path { path: path.into(), stamp: stamp.into() })
    }

    fn new(place: Place) -> Self {
        Self { place, staged: None, report: RestoreReport::default() }
    }

    /// Where the database is loaded, and its final path.
    fn paths(&self, record: &DatabaseRecord) -> Result<(PathBuf, PathBuf)> {
        let (path, stamp) = match &self.place {
            Place::Path { path, stamp } => (path.clone(), stamp.as_str()),
            Place::Folder(folder) => {
                let name = record.path.as_path().file_name().unwrap_or("database.sqlite".as_ref());
                (folder.path().join(name), "loading")
            }
        };
        let name = path.file_name().ok_or_else(|| {
            let message = format!("{} cannot be the path of a database", path.display());
            Error::new(ErrorKind::InvalidInput, "sqlite.restore", message)
        })?;
        let mut staged = std::ffi::OsString::from(".");
        staged.push(name);
        staged.push(format!(".seaworthy-restore-{stamp}"));
        Ok((path.with_file_name(staged), path))
    }
}

impl SqliteTarget {
    /// Moves the existing database aside, with its companion files, and puts the staged one in its
    /// place.
    fn swap(&mut self, staged: &Path, path: &Path, renames: &mut Renames) -> Result<()> {
        if let Place::Path { stamp, .. } = &self.place {
            let aside = with_suffix(path, &format!(".before-restore-{stamp}"));
            for suffix in ["", "-wal", "-shm", "-journal"] {
                // SQLite finds a log by the database's name, so they are moved together.
                let (from, to) = (with_suffix(path, suffix), with_suffix(&aside, suffix));
                if from.symlink_metadata().is_ok() {
                    renames.rename(&from, &to)?;
                    self.report.moved_aside.push(to);
                }
            }
        }
        renames.rename(staged, path)?;
        durable::sync_folder(path.parent().unwrap_or(Path::new("/")))
    }

    /// Gives the database its original owner and mode, as far as permitted.
    fn set_owner(&mut self, file: &File, record: &DatabaseRecord) -> io::Result<()> {
        let mut record = record.clone();
        if record.mode == 0 {
            // A rebuilt index does not have them: use those of the replaced file, if there is one.
            let Place::Path { path, .. } = &self.place else { return Ok(()) };
            let Ok(meta) = fs::metadata(path) else { return Ok(()) };
            (record.mode, record.uid, record.gid) = (meta.mode() & 0o7777, meta.uid(), meta.gid());
        }
        if rustix::process::geteuid().is_root() {
            fchown(file, Some(record.uid), Some(record.gid))?;
        } else if rustix::process::geteuid().as_raw() != record.uid {
            self.report.warnings.push("its owner can only be restored by root".to_owned());
        }
        file.set_permissions(fs::Permissions::from_mode(record.mode))
    }
}

#[async_trait]
impl RestoreTarget for SqliteTarget {
    async fn prepare(&mut self, _: &Snapshot, _: &Context) -> Result<()> {
        match &mut self.place {
            Place::Folder(folder) => folder.check()?,
            Place::Path { path, .. } => {
                // If the path is a link, replace its target.
                if let Ok(real) = fs::canonicalize(&*path) {
                    *path = real;
                }
                let folder = path.parent().unwrap_or(Path::new("/"));
                if !folder.is_dir() {
                    let message = format!("the folder {} does not exist", folder.display());
                    return Err(Error::new(ErrorKind::NotFound, "sqlite.restore", message)
                        .remedy_is("create it with the owner that the application needs"));
                }
            }
        }
        Ok(())
    }

    async fn load(
        &mut self,
        payload: PayloadReader,
        selection: &Selection,
        cx: &Context,
    ) -> Result<()> {
        if !selection.is_all() {
            let message = "an SQLite database cannot be restored in part";
            return Err(Error::new(ErrorKind::InvalidInput, "sqlite.restore", message)
                .remedy_with(
                    "leave `only` out, or name the `source` whose files you mean",
                    &["only", "source"],
                ));
        }
        let record = payload.records()?.find_map(|record| match record {
            Ok(Record::Database(database)) => Some(Ok(database)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        let record = record.transpose()?.ok_or_else(|| {
            let message = format!("the index names no database in {}", payload.source().object);
            Error::new(ErrorKind::Damaged, "sqlite.restore", message)
        })?;
        if let Place::Folder(folder) = &mut self.place {
            folder.open()?;
        }
        let (staged, _) = self.paths(&record)?;
        let fail = |e| {
            let message = format!("cannot write {}", staged.display());
            Error::io("sqlite.restore", message, e)
        };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged);
        let file = Arc::new(file.map_err(fail)?);
        self.staged = Some(staged.clone());
        let before = payload.fetched();
        write_frames(&payload, file.clone(), &staged, cx).await?;
        self.report.fetched = payload.fetched() - before;

        let size = file.metadata().map_err(fail)?.len();
        if size != record.size {
            let message = format!("the database has {size} bytes, not {}", record.size);
            return Err(Error::new(ErrorKind::Damaged, "sqlite.restore", message));
        }
        self.report.files = 1;
        self.report.bytes = size;
        self.set_owner(&file, &record).map_err(fail)?;
        tokio::task::spawn_blocking(move || file.sync_all())
            .await
            .map_err(panicked)?
            .map_err(fail)?;
        self.report.placed = vec![self.paths(&record)?.1];
        Ok(())
    }

    async fn finish(mut self: Box<Self>, _: &Context) -> Result<RestoreReport> {
        let (Some(staged), Some(path)) = (self.staged.take(), self.report.placed.first().cloned())
        else {
            return Err(Error::new(ErrorKind::Internal, "sqlite.restore", "nothing was loaded"));
        };
        let mut renames = Renames::default();
        if let Err(error) = self.swap(&staged, &path, &mut renames) {
            let error = renames.undo_after(error);
            // The first error matters more than a copy that is left.
            let _ = fs::remove_file(&staged);
            return Err(error);
        }
        if let Place::Folder(folder) = &self.place {
            folder.finish()?;
        }
        Ok(self.report)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        match self.place {
            Place::Folder(folder) => folder.abort(),
            Place::Path { .. } => match &self.staged {
                Some(staged) => remove(staged).map_err(|e| {
                    let message = format!("cannot remove {}", staged.display());
                    Error::io("sqlite.restore", message, e)
                }),
                None => Ok(()),
            },
        }
    }
}

fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "sqlite.restore", "a worker panicked").caused_by(source)
}
