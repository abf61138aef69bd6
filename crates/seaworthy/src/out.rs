//! Writes rendered files into a folder of the user, for inspection; never replaces other files.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, ErrorKind, FileSet, Result, durable};
use serde::{Deserialize, Serialize};

/// What was written, so that it is recognised as ours the next time.
const RECORD: &str = ".seaworthy.json";

#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    files: BTreeMap<String, String>,
}

/// Makes `folder` contain exactly `files`. A folder with other files, or with edited ones, is not
/// changed.
///
/// # Errors
/// [`ErrorKind::NotEmpty`] for such a folder.
pub(crate) fn write_out(files: &FileSet, folder: &Path) -> Result<()> {
    let fail = |path: &Path| {
        let message = format!("cannot write {}", path.display());
        move |e: std::io::Error| Error::io("render.write", message, e)
    };
    if let Some(foreign) = not_ours(folder)? {
        let message = format!("{} contains files that were not rendered", folder.display());
        return Err(Error::new(ErrorKind::NotEmpty, "render.write", message)
            .with("file", foreign.display())
            .remedy_is(format!(
                "{} would be lost: move it away, or use a new folder",
                foreign.display()
            )));
    }
    let beside = |ending: &str| {
        let mut name = OsString::from(folder);
        name.push(ending);
        PathBuf::from(name)
    };
    let (fresh, old) = (beside(".new"), beside(".old"));
    for rest in [&fresh, &old] {
        if let Some(foreign) = not_ours(rest)? {
            let message = format!("{} is in the way", foreign.display());
            return Err(Error::new(ErrorKind::NotEmpty, "render.write", message)
                .remedy_is("move it away: it will not be overwritten"));
        }
        remove(rest).map_err(fail(rest))?;
    }
    files.write_to(&fresh)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let record = files.iter().map(|(path, file)| (path.to_owned(), text(&file.bytes)));
    let record = serde_json::to_vec(&Record { format: 1, files: record.collect() })
        .map_err(|e| Error::new(ErrorKind::Internal, "render.write", e.to_string()))?;
    durable::write_file(&fresh.join(RECORD), &record, 0o600)?;
    if folder.exists() {
        fs::rename(folder, &old).map_err(fail(folder))?;
    }
    fs::rename(&fresh, folder).map_err(fail(folder))?;
    remove(&old).map_err(fail(&old))
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// The first file in `folder` that an earlier run did not write with this content.
fn not_ours(folder: &Path) -> Result<Option<PathBuf>> {
    let fail = |path: &Path| {
        let message = format!("cannot read {}", path.display());
        move |e: std::io::Error| Error::io("render.write", message, e)
    };
    match fs::symlink_metadata(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(folder)(e)),
        Ok(there) if !there.is_dir() => return Ok(Some(folder.to_owned())),
        Ok(_) => {}
    }
    let record = fs::read(folder.join(RECORD)).ok();
    let record: Option<Record> = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let record = record.map(|record| record.files).unwrap_or_default();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).map_err(fail(&next))? {
            let entry = entry.map_err(fail(&next))?;
            let path = entry.path();
            if entry.file_type().map_err(fail(&path))?.is_dir() {
                waiting.push(path);
                continue;
            }
            let inner = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            let ours = inner == RECORD
                || record.get(&inner).is_some_and(|written| {
                    fs::read(&path).is_ok_and(|bytes| bytes == written.as_bytes())
                });
            if !ours {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::{Origin, RenderedFile};

    fn files(text: &str) -> FileSet {
        let mut files = FileSet::new();
        files.insert("conf.d/a.conf", RenderedFile::new(text, Origin::default())).unwrap();
        files
    }

    #[test]
    fn what_was_rendered_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        write_out(&files("one"), &out).unwrap();
        write_out(&files("two"), &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("conf.d/a.conf")).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // An edited file of ours, and another file.
        fs::write(out.join("conf.d/a.conf"), "edited").unwrap();
        let error = write_out(&files("two"), &out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotEmpty);
        assert!(error.remedy().unwrap().contains("a.conf"));
        fs::write(out.join("conf.d/a.conf"), "two").unwrap();
        fs::write(out.join("notes"), "mine").unwrap();
        assert_eq!(write_out(&files("x"), &out).unwrap_err().kind(), ErrorKind::NotEmpty);
        assert_eq!(fs::read_to_string(out.join("notes")).unwrap(), "mine");
        // An empty folder is fine; a file is not a folder.
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        write_out(&files("one"), &empty).unwrap();
        assert!(write_out(&files("one"), &out.join("notes")).is_err());
    }
}
