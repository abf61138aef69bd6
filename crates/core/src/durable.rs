//! Files and links that survive a crash: write a temporary file, fsync, rename, fsync the folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use crate::{Error, Result};

/// Replaces the file at `path` with `bytes`, with permission bits `mode`. After a crash at any
/// point the path holds either all of the old bytes or all of the new ones.
pub fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let fail =
        |e: io::Error| Error::io("file.write", format!("cannot write {}", path.display()), e);
    let folder = folder_of(path);
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| fail(io::Error::other(e)))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{:016x}", u64::from_le_bytes(random)));
    let staged = folder.join(name);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&staged)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&staged, path)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|e| {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&staged);
        fail(e)
    })
}

/// Makes `link` a symbolic link to `target`, in one rename; without a target, removes it. After a
/// crash at any point the link leads to the old target or to the new one, and what it led to is as
/// it was. Whatever stands at `link` is replaced: whether that may be is for the caller to know,
/// who also sees to it that nobody else swaps the same link at the same time.
///
/// # Errors
/// Those of the file system: the caller knows what the link is for.
pub fn swap_link(link: &Path, target: Option<&Path>) -> io::Result<()> {
    let folder = folder_of(link);
    match target {
        Some(target) => {
            let mut name = std::ffi::OsString::from(".");
            name.push(link.file_name().unwrap_or_default());
            name.push(".new");
            let fresh = folder.join(name);
            // What a crash left.
            remove_if_there(&fresh)?;
            std::os::unix::fs::symlink(target, &fresh)?;
            fs::rename(&fresh, link)?;
        }
        None => remove_if_there(link)?,
    }
    File::open(folder)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in `folder` survive a crash.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| Error::io("folder.sync", format!("cannot sync {}", folder.display()), e))
}

/// Creates `folder` and its parents if they are missing, readable by the owner alone (0700).
pub fn create_private_folder(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| Error::io("folder.create", format!("cannot create {}", folder.display()), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn replaces_whole_and_leaves_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        write_file(&path, b"old", 0o600).unwrap();
        write_file(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = write_file(&path, b"x", 0o600).unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_swapped_whole_also_over_what_a_crash_left() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current");
        fs::write(folder.path().join(".current.new"), "from a crash").unwrap();
        for target in ["one", "two"] {
            swap_link(&link, Some(Path::new(target))).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for _ in 0..2 {
            swap_link(&link, None).unwrap();
            assert!(fs::symlink_metadata(&link).is_err());
        }
        let missing = folder.path().join("missing/current");
        assert_eq!(swap_link(&missing, Some(&link)).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_link_that_cannot_be_swapped_leads_where_it_led() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current");
        swap_link(&link, Some(Path::new("one"))).unwrap();
        // A folder that is not empty cannot be replaced.
        fs::create_dir_all(folder.path().join(".current.new/full")).unwrap();
        assert!(swap_link(&link, Some(Path::new("two"))).is_err());
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("one"));
    }
}
