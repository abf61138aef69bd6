//! A fresh folder as a target.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{CWD, Mode, OFlags, openat, syncfs};
use seaworthy_core::{Error, ErrorKind, Result};

use super::plan::Place;
use crate::{restore::RestoreReport, snapshot::index::PathBytes};

/// A folder that is empty or not there yet.
#[derive(Debug)]
pub(super) struct FreshFolder {
    path: PathBuf,
    /// The folders that were made for it, the outermost first.
    made: Vec<PathBuf>,
    root: Option<Arc<OwnedFd>>,
    /// The permissions it gets in the end.
    mode: u32,
}

impl FreshFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, made: Vec::new(), root: None, mode: 0o755 }
    }

    /// Fails unless it is absent or empty.
    pub(super) fn check(&self) -> Result<()> {
        let path = self.path.display();
        let taken = |kind, what: &str| {
            Error::new(kind, "restore", format!("{path} {what}"))
                .remedy_is("name a folder that is empty or does not exist yet")
        };
        match fs::read_dir(&self.path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(taken(ErrorKind::NotEmpty, "is not empty")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(taken(ErrorKind::AlreadyExists, "is no folder"))
            }
            Err(error) => Err(Error::io("restore", format!("cannot read {path}"), error)),
        }
    }

    /// Makes it and opens it; nobody else may look in until the end.
    pub(super) fn open(&mut self) -> Result<Vec<Place>> {
        self.check()?;
        let fail = |error| {
            Error::io("restore", format!("cannot make the folder {}", self.path.display()), error)
        };
        let missing: Vec<&Path> = self.path.ancestors().take_while(|p| is_missing(p)).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder).map_err(fail)?;
            self.made.push(folder.to_owned());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, &self.path, flags, Mode::empty()).map_err(|e| fail(e.into()))?;
        let meta = fs::metadata(&self.path).map_err(fail)?;
        self.mode = meta.permissions().mode() & 0o7777;
        if self.made.last() == Some(&self.path) {
            rustix::fs::fchmod(&root, Mode::RWXU).map_err(|e| fail(e.into()))?;
        }
        let root = Arc::new(root);
        self.root = Some(root.clone());
        let (part, path) = (PathBytes(Vec::new()), self.path.clone());
        Ok(vec![Place { part, root, called: Vec::new(), path }])
    }

    pub(super) fn finish(self, report: &mut RestoreReport) -> Result<()> {
        let fail = |error: rustix::io::Errno| {
            let message = format!("cannot make {} durable", self.path.display());
            Error::io("restore", message, error.into())
        };
        if let Some(root) = &self.root {
            if self.made.last() == Some(&self.path) {
                rustix::fs::fchmod(root, Mode::from_raw_mode(self.mode)).map_err(fail)?;
            }
            syncfs(root).map_err(fail)?;
        }
        report.placed.push(self.path);
        Ok(())
    }

    /// Removes what was made.
    pub(super) fn abort(self) -> Result<()> {
        let fail = |error| {
            let message = format!("cannot remove what was restored to {}", self.path.display());
            Error::io("restore", message, error)
        };
        if self.root.is_some() {
            for entry in fs::read_dir(&self.path).map_err(fail)? {
                remove(&entry.map_err(fail)?.path()).map_err(fail)?;
            }
        }
        self.made.iter().rev().try_for_each(|folder| fs::remove_dir(folder).map_err(fail))
    }
}

fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err()
}

/// Removes a file or a folder with everything in it; an absent one is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
