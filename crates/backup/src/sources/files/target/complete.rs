//! The end of an extraction: hard links, then the metadata of folders, deepest first.

use std::sync::PoisonError;

use rustix::{
    fs::{AtFlags, Mode, OFlags, linkat, openat},
    io::Errno,
};
use seaworthy_core::{Error, Result};

use super::{
    confine::{Folders, cannot, damaged},
    deferred::Waiting,
    extract::Shared,
    plan::Dest,
};
use std::sync::atomic::Ordering;

/// Does what had to wait until all data was written.
pub(super) fn complete(shared: &Shared) -> Result<()> {
    let mut deferred = shared.deferred.lock().unwrap_or_else(PoisonError::into_inner);
    let mut folders = shared.folders();
    let mut targets = shared.folders();
    deferred.each(false, |waiting| match &waiting.link {
        Some(_) => link(shared, waiting, &mut folders, &mut targets),
        None => Ok(()),
    })?;
    deferred.each(true, |waiting| match &waiting.link {
        Some(_) => Ok(()),
        None => folder(shared, waiting, &mut folders),
    })
}

fn link(
    shared: &Shared,
    waiting: &Waiting,
    folders: &mut [Folders],
    targets: &mut [Folders],
) -> Result<()> {
    let meta = waiting.meta();
    let path = &meta.path;
    let missing = || damaged(&format!("the target of the link {path} is missing"));
    let target = meta.link.as_ref().and_then(|link| shared.scope.dest_of_file(link));
    let target = target.ok_or_else(missing)?;
    shared.files.fetch_add(1, Ordering::Relaxed);
    let dest = Dest { place: waiting.place, path: waiting.to.0.clone() };
    if target == dest {
        // This name got the data itself, and was already counted.
        shared.files.fetch_sub(1, Ordering::Relaxed);
        return Ok(());
    }
    let (from_folder, from) = targets[target.place].parent(&target.path)?;
    let (to_folder, to) = folders[dest.place].parent(&dest.path)?;
    match linkat(from_folder, from, to_folder, to, AtFlags::empty()) {
        Ok(()) => Ok(()),
        Err(Errno::NOENT) => Err(missing()),
        Err(Errno::EXIST) => Err(damaged(&format!("{path} is in it twice"))),
        // The two names now lie on different file systems.
        Err(Errno::XDEV) => {
            let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fail = |error| cannot("copy to", &path.0, error);
            let source = openat(from_folder, from, flags | OFlags::RDONLY, Mode::empty());
            let new = flags | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
            let copy = openat(to_folder, to, new, Mode::RUSR | Mode::WUSR).map_err(fail)?;
            let (mut source, mut copy) =
                (std::fs::File::from(source.map_err(fail)?), std::fs::File::from(copy));
            std::io::copy(&mut source, &mut copy)
                .map_err(|e| Error::io("restore", format!("cannot copy to {path}"), e))?;
            shared.metadata.apply(&copy, &meta)
        }
        Err(error) => Err(cannot("make the link", &path.0, error)),
    }
}

fn folder(shared: &Shared, waiting: &Waiting, folders: &mut [Folders]) -> Result<()> {
    let meta = waiting.meta();
    let (parent, name) = folders[waiting.place].parent(&waiting.to.0)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(parent, name, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => damaged(&format!("{} is in it twice", meta.path)),
        error => cannot("open the folder", &meta.path.0, error),
    })?;
    shared.metadata.apply(&opened, &meta)
}
