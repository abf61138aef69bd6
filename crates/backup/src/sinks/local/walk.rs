//! The files of a folder and of the folders in it.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use crate::format::ObjectKey;

/// A file that was found.
pub(super) struct Found {
    /// Its path below the root, with `/`.
    pub(super) name: String,
    pub(super) meta: Metadata,
}

/// Whether `name` can be one name of an [`ObjectKey`].
pub(super) fn is_object_name(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| !name.is_empty() && name.parse::<ObjectKey>().is_ok())
}

/// Every file below `prefix` of `root` whose own name is `wanted`. What is not ours (`lost+found`,
/// hidden folders, names that are not UTF-8) is never read. Links are followed; a folder is visited
/// once. What disappears in the meantime is skipped.
pub(super) fn files(
    root: &Path,
    prefix: &str,
    wanted: impl Fn(&OsStr) -> bool,
) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let start = fs::metadata(root.join(prefix)).into_iter();
    let mut seen: HashSet<_> = start.map(|meta| (meta.dev(), meta.ino())).collect();
    let mut folders = vec![prefix.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            // The prefix is an object's name; but a root that is a file is an error.
            Err(e) if e.kind() == io::ErrorKind::NotADirectory && root.is_dir() => continue,
            Err(e) => return Err(e),
        };
        for entry in entries {
            let name = entry?.file_name();
            let (is_file_of_interest, may_be_folder) = (wanted(&name), is_object_name(&name));
            let Some(text) = name.to_str().filter(|_| is_file_of_interest || may_be_folder) else {
                continue;
            };
            let path = if folder.is_empty() { text.to_owned() } else { format!("{folder}/{text}") };
            let meta = match fs::metadata(root.join(&path)) {
                Ok(meta) => meta,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            if meta.is_dir() && may_be_folder && seen.insert((meta.dev(), meta.ino())) {
                folders.push(path);
            } else if meta.is_file() && is_file_of_interest {
                found.push(Found { name: path, meta });
            }
        }
    }
    Ok(found)
}
