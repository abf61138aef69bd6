//! Paths as in the file.

use std::path::{Path, PathBuf};

/// `path` resolved against `base`, without `.` and with leading `..` applied to `base`. A name may
/// be a symbolic link, so a `..` after a name is left to the operating system.
pub(crate) fn resolve(path: &mut PathBuf, base: &Path) {
    use std::path::Component;
    let mut whole = if path.is_absolute() { PathBuf::new() } else { base.to_owned() };
    let mut leading = !path.is_absolute();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if leading => {
                whole.pop();
            }
            part => {
                leading = false;
                whole.push(part);
            }
        }
    }
    *path = whole;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_relative_to_the_file() {
        let base = Path::new("/etc/seaworthy");
        for (path, whole) in [
            ("data", "/etc/seaworthy/data"),
            ("./a/./b", "/etc/seaworthy/a/b"),
            ("../x", "/etc/x"),
            ("../../../x", "/x"),
            ("a/../b", "/etc/seaworthy/a/../b"),
            ("/srv/./x", "/srv/x"),
            (".", "/etc/seaworthy"),
        ] {
            let mut path = PathBuf::from(path);
            resolve(&mut path, base);
            assert_eq!(path, Path::new(whole));
        }
    }
}
