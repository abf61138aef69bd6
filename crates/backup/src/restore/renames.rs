//! Renames that are all done or all undone.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use seaworthy_core::{Error, Result};

/// Renames done so far, so that they can be undone.
#[derive(Debug, Default)]
pub(crate) struct Renames(Vec<(PathBuf, PathBuf)>);

impl Renames {
    /// Renames `from` to `to`, where nothing may be.
    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        rename_new(from, to).map_err(|e| {
            let message = format!("cannot rename {} to {}", from.display(), to.display());
            Error::io("restore.swap", message, e)
        })?;
        self.0.push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// Undoes every rename, the last one first. The error names those that could not be undone.
    pub(crate) fn undo(self) -> Result<()> {
        let mut stuck = Vec::new();
        let mut cause = None;
        for (from, to) in self.0.into_iter().rev() {
            if let Err(e) = rename_new(&to, &from) {
                stuck.push(format!("{} is now {}", from.display(), to.display()));
                cause = Some(e);
            }
        }
        match cause {
            None => Ok(()),
            Some(e) => Err(Error::io("restore.swap", stuck.join(", "), e)
                .remedy_is("rename them back by hand")),
        }
    }

    /// Undoes every rename because of `error`, which is given back with what could not be undone.
    pub(crate) fn undo_after(self, error: Error) -> Error {
        match self.undo() {
            Ok(()) => error,
            Err(stuck) => {
                let note = stuck.to_string();
                error.with("not undone", note).remedy_is("rename them back by hand")
            }
        }
    }
}

/// Renames without ever replacing what has the new name.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot promise it: look first instead.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn nothing_is_ever_replaced_and_an_undo_restores_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["a", "b", "taken"] {
            fs::write(at(name), name).unwrap();
        }
        let mut renames = Renames::default();
        renames.rename(&at("a"), &at("c")).unwrap();
        renames.rename(&at("b"), &at("a")).unwrap();
        let error = renames.rename(&at("c"), &at("taken")).unwrap_err();
        assert_eq!(error.kind(), seaworthy_core::ErrorKind::AlreadyExists);
        renames.undo().unwrap();
        for name in ["a", "b", "taken"] {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), name);
        }
    }
}
