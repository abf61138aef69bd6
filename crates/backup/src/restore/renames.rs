//! A group of renames: all are done, or all are undone.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat, renameat_with},
    io::Errno,
};
use seaworthy_core::{Error, Result};

/// What was renamed and created so far, so that it can be undone.
#[derive(Debug, Default)]
pub(crate) struct Renames(Vec<Step>);

#[derive(Debug)]
enum Step {
    Made(PathBuf),
    Renamed { from: PathBuf, to: PathBuf },
}

impl Renames {
    /// Renames `from` to `to`, which must not exist.
    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        rename(from, to)?;
        self.0.push(Step::Renamed { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    /// Creates the folder `path` with permission bits `mode`, less the process's umask.
    #[cfg_attr(not(feature = "files"), allow(dead_code, reason = "a database is one file"))]
    pub(crate) fn make_folder(&mut self, path: &Path, mode: u32) -> Result<()> {
        fs::DirBuilder::new().mode(mode).create(path).map_err(|e| {
            Error::io("restore", format!("cannot make the folder {}", path.display()), e)
        })?;
        self.0.push(Step::Made(path.to_owned()));
        Ok(())
    }

    /// Undoes everything because of `error`, which is returned. If something could not be undone,
    /// the error says where everything is.
    pub(crate) fn undo_after(self, error: Error) -> Error {
        let mut stuck = Vec::new();
        for step in self.0.into_iter().rev() {
            match step {
                Step::Made(folder) if fs::remove_dir(&folder).is_err() => {
                    stuck.push(format!("{} was created", folder.display()));
                }
                Step::Renamed { from, to } if rename(&to, &from).is_err() => {
                    stuck.push(format!("{} is now {}", from.display(), to.display()));
                }
                _ => {}
            }
        }
        if stuck.is_empty() {
            return error;
        }
        let message = format!("not everything could be undone: {}", stuck.join(", "));
        Error::new(error.kind(), "restore", message)
            .caused_by(error)
            .remedy_is("rename them back by hand; nothing was overwritten")
    }
}

/// Renames without ever replacing what has the new name.
fn rename(from: &Path, to: &Path) -> Result<()> {
    let renamed = match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // This file system cannot guarantee it, so check first.
        Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(to).is_err() => {
            renameat(CWD, from, CWD, to)
        }
        Err(Errno::INVAL | Errno::NOSYS) => Err(Errno::EXIST),
        renamed => renamed,
    };
    renamed.map_err(|errno| {
        let message = format!("cannot rename {} to {}", from.display(), to.display());
        let error = Error::io("restore", message, errno.into());
        match errno {
            Errno::BUSY | Errno::XDEV => error.remedy_with(
                "restore `to` a folder, and move the files from there by hand",
                &["to"],
            ),
            _ => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::ErrorKind;

    #[test]
    fn nothing_is_ever_replaced_and_an_undo_restores_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["a", "b", "taken"] {
            fs::write(at(name), name).unwrap();
        }
        let mut renames = Renames::default();
        renames.make_folder(&at("new"), 0o700).unwrap();
        renames.rename(&at("a"), &at("new/c")).unwrap();
        renames.rename(&at("b"), &at("a")).unwrap();
        let error = renames.rename(&at("new/c"), &at("taken")).unwrap_err();
        let error = renames.undo_after(error);
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(!at("new").exists());
        for name in ["a", "b", "taken"] {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), name);
        }
    }

    #[test]
    fn what_cannot_be_put_back_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "").unwrap();
        let mut renames = Renames::default();
        renames.rename(&at("a"), &at("b")).unwrap();
        fs::write(at("a"), "in the way").unwrap();
        let cause = Error::new(ErrorKind::Io, "test", "the cause");
        let text = renames.undo_after(cause).chain();
        assert!(text.contains("is now") && text.ends_with("the cause"), "{text}");
    }
}
