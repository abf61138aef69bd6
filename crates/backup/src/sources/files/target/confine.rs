//! Folders below a root, which nothing in an archive can escape.
//!
//! Each name on the path is opened separately, relative to the folder before it and never through a
//! symbolic link, so the kernel keeps every path inside, however long it is.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{Mode, OFlags, mkdirat, openat},
    io::Errno,
};
use seaworthy_core::{Error, ErrorKind, Result};

use crate::format::index::PathBytes;

/// How many folders on the path to the current one stay open.
const KEPT_OPEN: usize = 32;

/// The folders below one root, as traversed by one worker.
#[derive(Debug)]
pub(crate) struct Folders {
    root: Arc<OwnedFd>,
    /// The first folders on the path to the last requested one.
    open: Vec<(Vec<u8>, OwnedFd)>,
    /// The last requested one, if it is deeper than those.
    deep: Option<(Vec<u8>, OwnedFd)>,
}

impl Folders {
    pub(crate) fn new(root: Arc<OwnedFd>) -> Self {
        Self { root, open: Vec::new(), deep: None }
    }

    /// The parent folder of `path`, created if missing, and the last name of `path`.
    pub(crate) fn parent<'p>(&mut self, path: &'p [u8]) -> Result<(BorrowedFd<'_>, &'p [u8])> {
        check(path)?;
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
            return Ok((self.root.as_fd(), path));
        };
        let (parent, name) = (&path[..slash], &path[slash + 1..]);
        Ok((self.folder(parent)?, name))
    }

    fn folder(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>> {
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let known = self.open.iter().zip(&names).take_while(|((a, _), b)| a == *b).count();
        self.open.truncate(known);
        for name in names.iter().take(KEPT_OPEN).skip(known) {
            let above = self.open.last().map_or(self.root.as_fd(), |(_, folder)| folder.as_fd());
            let folder = enter(above, name, path)?;
            self.open.push((name.to_vec(), folder));
        }
        if names.len() > KEPT_OPEN {
            self.go_deep(path, &names)?;
        } else {
            self.deep = None;
        }
        let deep = self.deep.as_ref().or(self.open.last());
        Ok(deep.map_or(self.root.as_fd(), |(_, folder)| folder.as_fd()))
    }

    /// Continues from the last folder if `path` is in it, else from the last one that is kept.
    fn go_deep(&mut self, path: &[u8], names: &[&[u8]]) -> Result<()> {
        let from = self.deep.take().filter(|(last, _)| PathBytes(path.into()).is_within(last));
        let (mut folder, depth) = match from {
            Some((last, folder)) => (Some(folder), 1 + last.iter().filter(|b| **b == b'/').count()),
            None => (None, KEPT_OPEN),
        };
        for name in &names[depth..] {
            let kept = self.open.last().map_or(self.root.as_fd(), |(_, kept)| kept.as_fd());
            folder = Some(enter(folder.as_ref().map_or(kept, |f| f.as_fd()), name, path)?);
        }
        self.deep = folder.map(|folder| (path.to_vec(), folder));
        Ok(())
    }
}

/// Opens the folder `name` in `above`, created if missing.
fn enter(above: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match openat(above, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => match mkdirat(above, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => openat(above, name, flags, Mode::empty()),
            Err(error) => Err(error),
        },
        opened => opened,
    };
    opened.map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => {
            damaged(&format!("{} is below something that is not a folder", shown(path)))
        }
        error => cannot("make the folder", path, error),
    })
}

/// Refuses a name that our archives never contain.
fn check(path: &[u8]) -> Result<()> {
    let is_fine = |name: &[u8]| !name.is_empty() && name != b"." && name != b"..";
    if path.split(|byte| *byte == b'/').all(is_fine) && !path.contains(&0) {
        Ok(())
    } else {
        Err(damaged(&format!("{:?} cannot be the name of a file", PathBytes(path.into()))))
    }
}

pub(super) fn shown(path: &[u8]) -> PathBytes {
    PathBytes(path.to_vec())
}

pub(super) fn cannot(what: &str, path: &[u8], error: Errno) -> Error {
    let error = Error::io("restore", format!("cannot {what} {}", shown(path)), error.into());
    if error.kind() == ErrorKind::NoSpace {
        return error.remedy_is("free some space, or restore to another disk");
    }
    error
}

pub(super) fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Damaged, "restore", format!("the archive is damaged: {why}"))
}
