//! A new folder for a restore.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{CWD, Mode, OFlags, openat, syncfs};
use seaworthy_core::{Error, ErrorKind, Result};

/// A folder that is empty or does not exist yet.
#[derive(Debug)]
pub(crate) struct FreshFolder {
    path: PathBuf,
    /// The folders that were created for it, the outermost first.
    made: Vec<PathBuf>,
    root: Option<Arc<OwnedFd>>,
}

impl FreshFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, made: Vec::new(), root: None }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails unless it is absent or empty.
    pub(crate) fn check(&self) -> Result<()> {
        let path = self.path.display();
        let taken = |kind, what: &str| {
            Error::new(kind, "restore", format!("{path} {what}"))
                .remedy_is("use a folder that is empty or does not exist yet")
        };
        match fs::read_dir(&self.path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(taken(ErrorKind::NotEmpty, "is not empty")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(taken(ErrorKind::AlreadyExists, "is not a folder"))
            }
            Err(error) => Err(Error::io("restore", format!("cannot read {path}"), error)),
        }
    }

    /// Creates it, readable by its owner only, and opens it.
    pub(crate) fn open(&mut self) -> Result<Arc<OwnedFd>> {
        self.check()?;
        let fail = |error| {
            Error::io("restore", format!("cannot make the folder {}", self.path.display()), error)
        };
        let missing: Vec<&Path> = self.path.ancestors().take_while(|p| is_missing(p)).collect();
        for folder in missing.into_iter().rev() {
            fs::DirBuilder::new().mode(0o700).create(folder).map_err(fail)?;
            self.made.push(folder.to_owned());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, &self.path, flags, Mode::empty()).map_err(|e| fail(e.into()))?;
        let root = Arc::new(root);
        self.root = Some(root.clone());
        Ok(root)
    }

    /// Makes its contents durable. A created folder stays closed to others: what was below a closed
    /// folder must not become readable here.
    pub(crate) fn finish(&self) -> Result<()> {
        match &self.root {
            Some(root) => syncfs(root).map_err(|error| {
                let message = format!("cannot make {} durable", self.path.display());
                Error::io("restore", message, error.into())
            }),
            None => Ok(()),
        }
    }

    /// Removes what was created.
    pub(crate) fn abort(self) -> Result<()> {
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

/// Removes a file or a folder with everything in it; it is not an error if it does not exist.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &Path) -> Result<()> {
        FreshFolder::new(path.to_owned()).check()
    }

    #[test]
    fn only_a_new_or_empty_folder_will_do() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path()).unwrap();
        check(&folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(check(folder.path()).unwrap_err().kind(), ErrorKind::NotEmpty);
        assert!(check(&folder.path().join("file")).is_err());
    }

    #[test]
    fn an_abort_removes_what_was_made_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut fresh = FreshFolder::new(folder.path().join("a/b"));
        fresh.open().unwrap();
        fs::write(folder.path().join("a/b/loaded"), "").unwrap();
        fresh.abort().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
