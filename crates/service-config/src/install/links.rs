//! The links in systemd's folder that lead to our files.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, ErrorKind, FileSet, Generations, Result, durable};

use crate::systemd::read_unit;

/// Checks that every name is free, or a link of ours.
pub(super) fn check(folder: &Path, place: &Generations, files: &FileSet) -> Result<()> {
    for (name, file) in files.iter() {
        let path = folder.join(name);
        let taken = match fs::read_link(&path) {
            Ok(target) => !target.starts_with(place.base()),
            Err(e) => e.kind() != io::ErrorKind::NotFound,
        };
        if taken {
            let message = format!("{} exists and was not made by Seaworthy", path.display());
            return Err(Error::new(ErrorKind::AlreadyExists, "service.link", message)
                .at(&file.origin)
                .remedy_is("move it away, or give the service another name"));
        }
    }
    Ok(())
}

/// Makes a link for each file, and removes our links to files that no longer exist.
pub(super) fn set(folder: &Path, place: &Generations, files: &FileSet) -> Result<()> {
    check(folder, place, files)?;
    fs::create_dir_all(folder).map_err(|e| fail(folder, e))?;
    for (name, _) in files.iter() {
        link(&folder.join(name), &place.link().join(name))?;
    }
    set_wanted(folder, files)?;
    for path in ours(folder, place).map_err(|e| fail(folder, e))? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if files.get(name).is_none() {
            fs::remove_file(&path).map_err(|e| fail(&path, e))?;
        }
    }
    durable::sync_folder(folder)
}

/// Makes the links that start units at boot, and removes those of ours that no longer do.
///
/// `systemctl enable` would resolve them to one generation instead of the link to the live files,
/// and refuse to replace them with those of the next generation.
fn set_wanted(folder: &Path, files: &FileSet) -> Result<()> {
    for (name, file) in files.iter() {
        let unit = read_unit(&String::from_utf8_lossy(&file.bytes));
        for target in unit.get("Install", "WantedBy") {
            let wants = folder.join(format!("{target}.wants"));
            let path = wants.join(name);
            if fs::symlink_metadata(&path).is_ok() {
                continue;
            }
            fs::create_dir_all(&wants).map_err(|e| fail(&wants, e))?;
            symlink(Path::new("..").join(name), &path).map_err(|e| fail(&path, e))?;
            durable::sync_folder(&wants)?;
        }
    }
    for entry in fs::read_dir(folder).map_err(|e| fail(folder, e))? {
        let wants = entry.map_err(|e| fail(folder, e))?.path();
        if wants.extension().is_none_or(|ending| ending != "wants") {
            continue;
        }
        for entry in fs::read_dir(&wants).map_err(|e| fail(&wants, e))? {
            let path = entry.map_err(|e| fail(&wants, e))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let target = fs::read_link(&path).unwrap_or_default();
            let ours = name.starts_with("seaworthy") && target == Path::new("..").join(name);
            if ours && files.get(name).is_none() {
                fs::remove_file(&path).map_err(|e| fail(&path, e))?;
            }
        }
    }
    Ok(())
}

/// Makes the links `names` lead to the files of `generation`, so that systemd can still read them.
pub(super) fn lead_to<'n>(
    folder: &Path,
    place: &Generations,
    generation: &Path,
    names: impl Iterator<Item = &'n str>,
) -> Result<()> {
    for name in names {
        let path = folder.join(name);
        if fs::read_link(&path).is_ok_and(|target| target.starts_with(place.base())) {
            link(&path, &generation.join(name))?;
        }
    }
    Ok(())
}

fn fail(path: &Path, e: io::Error) -> Error {
    Error::io("service.link", format!("cannot change {}", path.display()), e)
}

/// Replaces our link at `path` with one to `target`.
fn link(path: &Path, target: &Path) -> Result<()> {
    match fs::read_link(path) {
        Ok(there) if there == target => return Ok(()),
        Ok(_) => fs::remove_file(path).map_err(|e| fail(path, e))?,
        Err(_) => {}
    }
    symlink(target, path).map_err(|e| fail(path, e))
}

/// The links in `folder` that lead to files of ours.
fn ours(folder: &Path, place: &Generations) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if fs::read_link(&path).is_ok_and(|target| target.starts_with(place.base())) {
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
        let units = folder.path().join("system");
        let place = Generations::new(folder.path().join("ours"));
        let mut files = FileSet::new();
        let file = || {
            RenderedFile::new("[Install]\nWantedBy=multi-user.target\n", Origin::new("service.a"))
        };
        files.insert("seaworthy-a.service", file()).unwrap();
        set(&units, &place, &files).unwrap();
        let wanted = units.join("multi-user.target.wants/seaworthy-a.service");
        assert_eq!(fs::read_link(&wanted).unwrap().to_str(), Some("../seaworthy-a.service"));
        fs::write(units.join("other.service"), "").unwrap();
        symlink("/etc/x", units.join("alias.service")).unwrap();
        set(&units, &place, &FileSet::new()).unwrap();
        assert!(fs::symlink_metadata(units.join("seaworthy-a.service")).is_err());
        assert!(fs::symlink_metadata(&wanted).is_err());
        assert!(units.join("other.service").exists());
        assert!(fs::symlink_metadata(units.join("alias.service")).is_ok());
        fs::write(units.join("seaworthy-a.service"), "").unwrap();
        let error = set(&units, &place, &files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
}
