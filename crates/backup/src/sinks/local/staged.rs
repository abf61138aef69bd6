//! Files that are written next to their final path (`name#1`) and appear there complete and
//! durable.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use object_store::PutPayload;
use rustix::fs::{Access, AtFlags, CWD, RenameFlags};

use super::walk;

/// How often creating a file is tried while other uploads remove the empty folder, or use its name.
const TRIES: u32 = 1000;

/// Whether a file may replace another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replace {
    Yes,
    Never,
}

/// A file that is being written. It is removed if it is dropped before it is published.
#[derive(Debug)]
pub(super) struct StagedFile {
    /// `None` once it is discarded. Several parts may be written at once.
    file: RwLock<Option<File>>,
    path: PathBuf,
    place: PathBuf,
    root: PathBuf,
    /// Published or discarded.
    over: AtomicBool,
}

impl StagedFile {
    /// Creates the file that will become `place`, and the folders that it needs.
    pub(super) fn create(root: &Path, place: &Path) -> io::Result<Self> {
        let mut number = 1;
        for _ in 0..TRIES {
            let mut path = place.as_os_str().to_owned();
            path.push(format!("#{number}"));
            let path = PathBuf::from(path);
            // Created without access for others: they can never open it.
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    let (place, root) = (place.to_owned(), root.to_owned());
                    let file = RwLock::new(Some(file));
                    return Ok(Self { file, path, place, root, over: AtomicBool::new(false) });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    create_folder(place.parent().unwrap_or(root))?;
                }
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other(format!("no free name next to it after {TRIES} attempts")))
    }

    fn with_file<T>(&self, work: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        file.as_ref().map_or_else(|| Err(io::Error::other("the upload is over")), work)
    }

    pub(super) fn write_at(&self, bytes: &PutPayload, mut at: u64) -> io::Result<()> {
        self.with_file(|file| {
            for chunk in bytes {
                file.write_all_at(chunk, at)?;
                at += chunk.len() as u64;
            }
            Ok(())
        })
    }

    /// Makes the file durable and moves it to its place.
    pub(super) fn publish(&self, replace: Replace) -> io::Result<()> {
        let synced = self.with_file(File::sync_all);
        let published = synced.and_then(|()| rename(&self.path, &self.place, replace));
        match published {
            Ok(()) => self.over.store(true, Ordering::Release),
            // The first error is the one that matters.
            Err(_) => drop(self.discard()),
        }
        published
    }

    /// Removes the file, and folders that become empty, and waits for parts that are being written:
    /// only then is its space free again.
    pub(super) fn discard(&self) -> io::Result<()> {
        let unlinked = self.unlink();
        self.file.write().unwrap_or_else(PoisonError::into_inner).take();
        unlinked
    }

    /// Removes the file's name, and folders that become empty. Does not wait for anything.
    pub(super) fn unlink(&self) -> io::Result<()> {
        if self.over.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        fs::remove_file(&self.path)?;
        remove_empty_folders(&self.root, &self.path);
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        let _ = self.unlink();
    }
}

/// Whether `name` is that of a half-written file of this module, or of an upload that must not
/// replace: `name#1`, `.name.staged-0123456789abcdef`.
pub(super) fn is_stage_name(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let (base, number) = name.split_once('#').unwrap_or((name, "1"));
    let numbered = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    let hidden = base.strip_prefix('.').and_then(|base| base.rsplit_once(".staged-"));
    let hidden = hidden
        .filter(|(_, random)| random.len() == 16 && random.bytes().all(|c| c.is_ascii_hexdigit()));
    let (base, is_hidden) = hidden.map_or((base, false), |(base, _)| (base, true));
    numbered && (is_hidden || name.contains('#')) && walk::is_object_name(OsStr::new(base))
}

/// Moves a file inside its folder, durably.
pub(super) fn rename(from: &Path, to: &Path, replace: Replace) -> io::Result<()> {
    match replace {
        Replace::Yes => fs::rename(from, to)?,
        Replace::Never => rename_if_absent(from, to)?,
    }
    sync_folder(to.parent().unwrap_or(to))
}

/// Both are one step for the kernel, so no other process can interfere.
fn rename_if_absent(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // File systems (NFS) and kernels that do not support the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

/// Removes a file durably, and folders that become empty.
pub(super) fn remove(root: &Path, file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        // No object can be there: the name is that of a folder, or below a file.
        Err(e)
            if matches!(e.kind(), io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory) =>
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        removed => removed?,
    }
    sync_folder(&remove_empty_folders(root, file))
}

/// Removes the folders above `file` that are empty, up to `root`, which stays. Returns the one
/// that is left.
fn remove_empty_folders(root: &Path, file: &Path) -> PathBuf {
    let mut folder = file.parent().unwrap_or(root);
    while folder != root && folder.starts_with(root) {
        match (fs::remove_dir(folder), folder.parent()) {
            (Ok(()), Some(parent)) => folder = parent,
            // Another upload was faster.
            (Err(e), Some(parent)) if e.kind() == io::ErrorKind::NotFound => folder = parent,
            _ => break,
        }
    }
    folder.to_owned()
}

/// Creates the root if it is missing and checks that files can be created in it.
pub(super) fn open_root(root: &Path) -> io::Result<()> {
    create_folder(root)?;
    if !fs::metadata(root)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    Ok(rustix::fs::accessat(CWD, root, wanted, AtFlags::EACCESS)?)
}

/// Creates `folder` and its missing parents durably, readable by the owner only.
fn create_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|at| !at.exists()).collect();
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => sync_folder(folder.parent().unwrap_or(folder))?,
        }
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_stage_names_are_stage_names() {
        for ours in [
            "a.zst#1",
            "manifest.json#12",
            ".a.zst.staged-0123456789abcdef",
            ".a.zst.staged-0123456789abcdef#1",
        ] {
            assert!(is_stage_name(OsStr::new(ours)), "{ours}");
        }
        for other in [
            "a.zst",
            "a#",
            "a#b",
            "a#1#2",
            "#1",
            ".a#1",
            ".a.staged-0123",
            ".hidden",
            "a.staged-0123456789abcdef",
            "ä#1",
        ] {
            assert!(!is_stage_name(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn a_rename_if_absent_never_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        let error = rename_if_absent(&from, &to).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"old");
    }
}
