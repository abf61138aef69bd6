//! The configured paths: made absolute, opened, without duplicates.

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, openat, stat};
use seaworthy_core::{Error, ErrorKind, Result};

use super::exclude::Excludes;
use crate::format::index::PathBytes;

/// A configured path, examined and opened.
#[derive(Debug)]
pub(super) struct Root {
    /// Its name in the archive.
    pub(super) name: PathBytes,
    pub(super) stat: Stat,
    /// A folder or a regular file, opened; `None` for anything else.
    pub(super) file: Option<OwnedFd>,
}

/// `path` as an absolute one without `.` and `..`.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    let fail = |e| Error::io("files", format!("cannot make {} absolute", path.display()), e);
    let mut whole = PathBuf::new();
    for component in std::path::absolute(path).map_err(fail)?.components() {
        match component {
            // Below a symbolic link, `..` is not what the text suggests.
            Component::ParentDir => {
                whole.push("..");
                whole = whole.canonicalize().map_err(|e| unreachable(path, e))?;
            }
            other => whole.push(other),
        }
    }
    Ok(whole)
}

/// Opens `paths`, sorted, without those that are inside another one.
pub(super) fn open(paths: &[PathBuf], excludes: &Excludes) -> Result<Vec<Root>> {
    let mut names: Vec<PathBytes> = paths.iter().map(|path| name_of(path)).collect();
    names.sort();
    names.dedup();
    let mut kept: Vec<PathBytes> = Vec::new();
    for name in names {
        let mut is_covered = false;
        for outer in kept.iter().filter(|outer| name.is_within(&outer.0)) {
            refuse_links_between(outer, &name)?;
            let below = name.0.strip_prefix(&*outer.0).unwrap_or_default();
            let below = PathBytes(below.strip_prefix(b"/").unwrap_or(below).to_vec());
            let is_folder = real(&name).is_dir();
            is_covered |= !excludes.covers(below.as_path(), is_folder);
        }
        if !is_covered {
            kept.push(name);
        }
    }
    kept.into_iter().map(open_one).collect()
}

fn name_of(path: &Path) -> PathBytes {
    PathBytes::from_path(path.strip_prefix("/").unwrap_or(path))
}

fn real(name: &PathBytes) -> PathBuf {
    Path::new("/").join(name.as_path())
}

/// The target of a link inside another path would be archived under a name that is already a link
/// in the archive.
fn refuse_links_between(outer: &PathBytes, inner: &PathBytes) -> Result<()> {
    let (outer, mut path) = (real(outer), real(inner));
    while path != outer {
        let link = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink());
        if link {
            let message = format!(
                "{} is reached through the symbolic link {} in {}, which is backed up too",
                real(inner).display(),
                path.display(),
                outer.display()
            );
            return Err(Error::new(ErrorKind::InvalidInput, "files", message)
                .remedy_is("use the target of the link instead"));
        }
        if !path.pop() {
            break;
        }
    }
    Ok(())
}

fn open_one(name: PathBytes) -> Result<Root> {
    let path = real(&name);
    let fail = |e: rustix::io::Errno| unreachable(&path, e.into());
    let seen = stat(&path).map_err(fail)?;
    let extra = match FileType::from_raw_mode(seen.st_mode) {
        FileType::Directory => OFlags::DIRECTORY,
        FileType::RegularFile => OFlags::NONBLOCK,
        _ => return Ok(Root { name, stat: seen, file: None }),
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | extra;
    let file = openat(CWD, &path, flags, Mode::empty()).map_err(fail)?;
    let stat = rustix::fs::fstat(&file).map_err(fail)?;
    Ok(Root { name, stat, file: Some(file) })
}

fn unreachable(path: &Path, source: std::io::Error) -> Error {
    let message = format!("cannot read {}", path.display());
    let error = Error::io("files", message, source).with("path", path.display());
    let remedy = match error.kind() {
        ErrorKind::NotFound => "is it mounted? Correct `paths` if it has moved",
        ErrorKind::PermissionDenied => "run as a user that may read it, such as root",
        _ => return error,
    };
    error.remedy_is(remedy)
}
