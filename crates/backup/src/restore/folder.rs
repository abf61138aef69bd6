//! A folder that is to receive a restore.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, ErrorKind, Result};

/// Makes sure that `folder` exists and is empty. Where it had to be created, it is given back, so
/// that a failed restore can remove it again.
pub(crate) fn prepare_folder(folder: &Path) -> Result<Option<PathBuf>> {
    let fail = |e| {
        let message = format!("cannot restore to {}", folder.display());
        Error::io("restore.prepare", message, e)
    };
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(None),
            Some(_) => {
                let message = format!("{} is not empty", folder.display());
                Err(Error::new(ErrorKind::NotEmpty, "restore.prepare", message)
                    .remedy_is("name a new or empty folder; nothing is ever overwritten"))
            }
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(fail)?;
            Ok(Some(folder.to_owned()))
        }
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            let message = format!("{} is not a folder", folder.display());
            Err(Error::new(ErrorKind::NotEmpty, "restore.prepare", message)
                .remedy_is("name a new or empty folder"))
        }
        Err(e) => Err(fail(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_or_empty_folder_will_do() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(prepare_folder(folder.path()).unwrap(), None);
        let new = folder.path().join("a/b");
        assert_eq!(prepare_folder(&new).unwrap(), Some(new));
        let kind = |path: &Path| prepare_folder(path).unwrap_err().kind();
        assert_eq!(kind(folder.path()), ErrorKind::NotEmpty);
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(kind(&folder.path().join("file")), ErrorKind::NotEmpty);
    }
}
