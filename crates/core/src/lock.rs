//! Locks between processes, which the kernel frees when the holder dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{Error, ErrorKind, Result, durable};

/// An exclusive lock on a file, held until dropped or until the process ends.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock at `path` or fails with [`ErrorKind::Locked`], naming the holder.
    /// `purpose` is what a later caller is told, such as `backup nightly`.
    pub fn acquire(path: &Path, purpose: &str) -> Result<Self> {
        let fail =
            |e: std::io::Error| Error::io("lock", format!("cannot lock {}", path.display()), e);
        if let Some(folder) = path.parent() {
            durable::create_private_folder(folder)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The line about the holder is only information: the lock is held without it, too.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.is_empty() { "another process" } else { holder.trim() };
                return Err(Error::new(
                    ErrorKind::Locked,
                    "lock",
                    format!("{purpose} cannot start: {holder} is running"),
                )
                .with("lock", path.display())
                .remedy_is("wait until it has ended and try again"));
            }
            Err(TryLockError::Error(e)) => return Err(fail(e)),
        }
        let line = format!("{purpose} (process {})\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(line.as_bytes()))
            .map_err(fail)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The file that carries the lock.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has just forked shares the lock until
        // it calls exec.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_a_drop_frees_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/nightly.lock");
        let first = FileLock::acquire(&path, "backup nightly").unwrap();
        let error = FileLock::acquire(&path, "prune nightly").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        let text = error.to_string();
        assert!(text.contains("backup nightly (process ") && text.contains("prune"), "{text}");
        // As a child between fork and exec has it.
        let inherited = first.file.try_clone().unwrap();
        drop(first);
        FileLock::acquire(&path, "prune nightly").unwrap();
        drop(inherited);
    }
}
