//! A folder that a drill restores into, and that is removed with it.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, Result};

/// A private folder. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new one in `temp`.
    pub(crate) fn new(temp: &Path) -> Result<Self> {
        let made = tempfile::Builder::new().prefix("seaworthy-drill-").tempdir_in(temp);
        let made = made.map_err(|e| {
            let message = format!("cannot make a folder in {}", temp.display());
            Error::io("drill", message, e).remedy_is("set `limit.temp` to another folder")
        })?;
        Ok(Self(made.keep()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = match fs::remove_dir_all(&self.0) {
            // Restored folders have their original modes: some may not be writable for their owner.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                open_up(&self.0);
                fs::remove_dir_all(&self.0)
            }
            removed => removed,
        };
        if let Err(error) = removed {
            tracing::warn!(folder = %self.0.display(), %error, "cannot remove what a drill restored");
        }
    }
}

fn open_up(folder: &Path) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_folders_that_are_closed() {
        let temp = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(temp.path()).unwrap();
        fs::create_dir_all(scratch.path().join("a/b")).unwrap();
        fs::set_permissions(scratch.path().join("a"), fs::Permissions::from_mode(0o500)).unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
