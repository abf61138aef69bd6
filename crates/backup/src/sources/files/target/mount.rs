//! Folders as they are found where something is replaced.

use std::{os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, openat, statat, statx},
    io::Errno,
};
use seaworthy_core::{Error, Result};

use crate::format::index::PathBytes;

/// Opens a folder without following a last link.
pub(super) fn open_folder(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .map_err(|e| Error::io("restore", format!("cannot open {}", path.display()), e.into()))
}

/// Whether `name` in `parent` is a folder that another file system is mounted on.
pub(super) fn is_mount_point(parent: &OwnedFd, name: &[u8]) -> Result<bool> {
    let fail = |e: Errno| {
        let message = format!("cannot read the status of {}", PathBytes(name.to_vec()));
        Error::io("restore", message, e.into())
    };
    let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(false),
        stat => stat.map_err(fail)?,
    };
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Ok(false);
    }
    let above = rustix::fs::fstat(parent).map_err(fail)?;
    if above.st_dev != stat.st_dev {
        return Ok(true);
    }
    // A folder of the same file system may be mounted too.
    match statx(parent, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE) {
        Ok(stat) => Ok(stat.stx_attributes.contains(rustix::fs::StatxAttributes::MOUNT_ROOT)),
        Err(_) => Ok(false),
    }
}
