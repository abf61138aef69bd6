//! Moves what was restored to its place, so that it can be undone.

use std::{
    fs,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{fsync, syncfs},
    io::Errno,
};
use seaworthy_core::{Error, ErrorKind, Result};

use super::{
    mount::{is_mount_point, open_folder},
    plan::Place,
};
use crate::{
    format::index::PathBytes,
    restore::{RestoreReport, folder::remove, renames::Renames},
};

/// The name of the restored part in its staging folder.
const LOADED: &str = "loaded";

/// Something to replace, and its replacement.
#[derive(Debug)]
pub(super) struct Swap {
    part: PathBytes,
    /// What is replaced.
    live: PathBuf,
    /// The folders that must be created above it, the outermost first.
    missing: Vec<PathBuf>,
    /// Whether it is a mount point, so that only its children can be moved.
    is_mount: bool,
    /// A private folder on the same file system.
    staging: PathBuf,
    root: Arc<OwnedFd>,
    /// Where the existing data is moved.
    aside: PathBuf,
}

impl Swap {
    /// Creates the staging folder for `name` below `parent` and the `missing` folders in it.
    pub(super) fn begin(
        part: PathBytes,
        parent: PathBuf,
        missing: Vec<Vec<u8>>,
        name: Vec<u8>,
        stamp: &str,
    ) -> Result<Self> {
        let folder = open_folder(&parent)?;
        let is_mount = missing.is_empty() && is_mount_point(&folder, &name)?;
        let mut above = parent.clone();
        let mut to_make = Vec::new();
        for name in &missing {
            above.push(PathBytes(name.clone()).as_path());
            to_make.push(above.clone());
        }
        let live = above.join(PathBytes(name.clone()).as_path());
        let suffix = format!(".before-restore-{stamp}");
        let staged = format!(".seaworthy-restore-{stamp}");
        let (staging, aside) = if is_mount {
            (live.join(staged), live.join(suffix))
        } else {
            let first = missing.first().unwrap_or(&name);
            let staging = parent.join(sibling(b".", first, &staged).as_path());
            (staging, above.join(sibling(b"", &name, &suffix).as_path()))
        };
        for taken in [&staging, &aside] {
            if fs::symlink_metadata(taken).is_ok() {
                let message = format!("{} exists already", taken.display());
                return Err(Error::new(ErrorKind::AlreadyExists, "restore", message)
                    .remedy_is("move it away; another restore left it or is still running"));
            }
        }
        fs::DirBuilder::new().mode(0o700).create(&staging).map_err(|e| {
            Error::io("restore", format!("cannot make the folder {}", staging.display()), e)
        })?;
        let root = match open_folder(&staging) {
            Ok(root) => Arc::new(root),
            Err(error) => {
                // Nothing is in it yet.
                let _ = fs::remove_dir(&staging);
                return Err(error);
            }
        };
        Ok(Self { part, live, missing: to_make, is_mount, staging, root, aside })
    }

    /// Where its part of the archive is extracted to.
    pub(super) fn place(&self) -> Result<Place> {
        let (part, root, path) = (self.part.clone(), self.root.clone(), self.staging.clone());
        Ok(Place { part, root, called: LOADED.into(), path })
    }

    fn loaded(&self) -> PathBuf {
        self.staging.join(LOADED)
    }

    /// The archive's entry for a mount point. Call it before its children are moved.
    pub(super) fn metadata(&self) -> Option<fs::Metadata> {
        fs::metadata(self.loaded()).ok().filter(|_| self.is_mount)
    }

    /// Ends a successful swap: removes the staging folder, and sets the metadata `meta` of a mount
    /// point, which stays.
    pub(super) fn complete(
        &self,
        meta: Option<fs::Metadata>,
        report: &mut RestoreReport,
    ) -> Result<()> {
        self.remove()?;
        if let Some(Err(error)) = meta.map(|meta| copy_metadata(&meta, &self.live)) {
            report.warnings.push(error.chain());
        }
        Ok(())
    }

    /// Removes the staging folder and what is left in it.
    pub(super) fn remove(&self) -> Result<()> {
        let message = || format!("cannot remove {}", self.staging.display());
        remove(&self.staging).map_err(|e| Error::io("restore", message(), e))
    }

    fn swap(&self, done: &mut Renames, report: &mut RestoreReport) -> Result<()> {
        for folder in &self.missing {
            done.make_folder(folder, 0o777)?;
        }
        if self.is_mount && self.loaded().is_dir() {
            self.swap_children(done)?;
            report.moved_aside.push(self.aside.clone());
        } else {
            if fs::symlink_metadata(&self.live).is_ok() {
                done.rename(&self.live, &self.aside)?;
                report.moved_aside.push(self.aside.clone());
            }
            done.rename(&self.loaded(), &self.live)?;
        }
        report.placed.push(self.live.clone());
        Ok(())
    }

    fn swap_children(&self, done: &mut Renames) -> Result<()> {
        done.make_folder(&self.aside, 0o700)?;
        for (from, to) in [(&self.live, &self.aside), (&self.loaded(), &self.live)] {
            let list = |e| Error::io("restore", format!("cannot read {}", from.display()), e);
            for entry in fs::read_dir(from).map_err(list)? {
                let path = entry.map_err(list)?.path();
                if path == self.staging || path == self.aside {
                    continue;
                }
                done.rename(&path, &to.join(path.file_name().unwrap_or_default()))?;
            }
        }
        Ok(())
    }
}

/// `name` with a prefix and a suffix, truncated to the longest allowed name.
fn sibling(before: &[u8], name: &[u8], behind: &str) -> PathBytes {
    let room = 255 - before.len() - behind.len();
    PathBytes([before, &name[..name.len().min(room)], behind.as_bytes()].concat())
}

fn copy_metadata(meta: &fs::Metadata, to: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let fail = |e| Error::io("restore", format!("cannot set the mode of {}", to.display()), e);
    let folder = open_folder(to)?;
    let (uid, gid) = (meta.uid(), meta.gid());
    std::os::unix::fs::fchown(&folder, Some(uid), Some(gid)).map_err(fail)?;
    let file = fs::File::from(folder);
    file.set_permissions(meta.permissions()).map_err(fail)?;
    let times = fs::FileTimes::new().set_modified(meta.modified().map_err(fail)?);
    file.set_times(times).map_err(fail)
}

/// Makes the loaded data durable, then moves everything.
pub(super) fn all(
    swaps: &[Swap],
    is_partial: bool,
    done: &mut Renames,
    report: &mut RestoreReport,
) -> Result<()> {
    let sync = |swap: &Swap, e: Errno| {
        Error::io("restore", format!("cannot make {} durable", swap.staging.display()), e.into())
    };
    for swap in swaps {
        if is_partial && fs::symlink_metadata(swap.loaded()).is_err() {
            let message = format!("the snapshot does not contain {}", swap.live.display());
            return Err(Error::new(ErrorKind::NotFound, "restore", message)
                .remedy_with("show it with `files`: they are listed", &["files"]));
        }
        syncfs(&swap.root).map_err(|e| sync(swap, e))?;
    }
    for swap in swaps {
        if fs::symlink_metadata(swap.loaded()).is_err() {
            let message = format!("the snapshot does not contain {}", swap.live.display());
            report.warnings.push(message);
            continue;
        }
        swap.swap(done, report)?;
    }
    for swap in swaps {
        let parent = swap.live.parent().unwrap_or(Path::new("/"));
        fsync(open_folder(parent)?).map_err(|e| sync(swap, e))?;
    }
    Ok(())
}
