//! The links in systemd's folder that lead to our files.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, ErrorKind, FileSet, Result, durable};

/// Whether every name is free, or a link of ours.
pub(super) fn check(folder: &Path, live: &Path, files: &FileSet) -> Result<()> {
    for (name, file) in files.iter() {
        let path = folder.join(name);
        let taken = match fs::read_link(&path) {
            Ok(target) => !target.starts_with(live),
            Err(e) => e.kind() != io::ErrorKind::NotFound,
        };
        if taken {
            let message = format!("{} is there and not ours", path.display());
            return Err(Error::new(ErrorKind::AlreadyExists, "service.link", message)
                .with("field", &file.origin)
                .remedy_is("move it away, or give the service another name"));
        }
    }
    Ok(())
}

/// Makes a link for each file, and removes our links to what is no more.
pub(super) fn set(folder: &Path, live: &Path, files: &FileSet) -> Result<()> {
    check(folder, live, files)?;
    let fail =
        |path: &Path, e| Error::io("service.link", format!("cannot change {}", path.display()), e);
    fs::create_dir_all(folder).map_err(|e| fail(folder, e))?;
    for (name, _) in files.iter() {
        let (path, target) = (folder.join(name), live.join(name));
        if fs::read_link(&path).is_ok_and(|there| there == target) {
            continue;
        }
        let _ = fs::remove_file(&path);
        symlink(&target, &path).map_err(|e| fail(&path, e))?;
    }
    for path in ours(folder, live).map_err(|e| fail(folder, e))? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if files.get(name).is_none() {
            fs::remove_file(&path).map_err(|e| fail(&path, e))?;
        }
    }
    durable::sync_folder(folder)
}

/// The links in `folder` that lead below `live`.
fn ours(folder: &Path, live: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if fs::read_link(&path).is_ok_and(|target| target.starts_with(live)) {
            all.push(path);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::{Origin, RenderedFile};

    #[test]
    fn only_links_of_ours_are_made_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (units, live) = (folder.path().join("system"), folder.path().join("ours/current"));
        let mut files = FileSet::new();
        let file = || RenderedFile::new("", Origin::new("service.a"));
        files.insert("seaworthy-a.service", file()).unwrap();
        set(&units, &live, &files).unwrap();
        fs::write(units.join("other.service"), "").unwrap();
        symlink("/etc/x", units.join("alias.service")).unwrap();
        set(&units, &live, &FileSet::new()).unwrap();
        assert!(fs::symlink_metadata(units.join("seaworthy-a.service")).is_err());
        assert!(units.join("other.service").exists());
        assert!(fs::symlink_metadata(units.join("alias.service")).is_ok());
        fs::write(units.join("seaworthy-a.service"), "").unwrap();
        let error = set(&units, &live, &files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
}
