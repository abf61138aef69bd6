//! How a folder is opened, and what is doubtful about one.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, Result, Timestamp};

use super::{
    staged,
    store::{self, LocalStore},
    walk,
};
use crate::{
    format::ObjectKey,
    sinks::{Capabilities, ObjectStoreSink, StorePreset, object_store::Behind},
};

impl ObjectStoreSink {
    /// The folder at `path`, which is created when something is first written to it.
    ///
    /// Every object is written beside its place, fsynced and moved there; folders are made for
    /// the owner alone (0700), files too (0600). [`BackupSink::delete`](crate::sinks::BackupSink::delete)
    /// removes folders that it empties, but never the root.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when `path` is empty, or relative where there is no working directory.
    ///
    /// ```
    /// # use seaworthy_backup::{BackupSinkExt, ObjectKey, PutOptions, sinks::ObjectStoreSink};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("backups");
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let sink = ObjectStoreSink::local(&path)?;
    /// let key: ObjectKey = "nightly/manifest.json".parse()?;
    /// sink.put(&key, "{}".into(), PutOptions::default()).await?;
    /// assert_eq!(std::fs::read(path.join("nightly/manifest.json")).unwrap(), b"{}");
    /// # Ok::<(), seaworthy_core::Error>(()) }).unwrap();
    /// ```
    pub fn local(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let root = std::path::absolute(path).map_err(|e| {
            Error::io("sink.open", format!("{:?} cannot be a sink's folder", path.display()), e)
                .remedy_is("write the folder's whole path, from / on")
        })?;
        let label = root.display().to_string();
        // The upload of this store removes its file when it is dropped, there and then.
        let preset = StorePreset { drop_frees: true, ..StorePreset::new(Capabilities::all()) };
        Ok(Self::of_folder(LocalStore::new(root), label, preset))
    }

    /// What is doubtful about this sink though it works, in sentences for people: that its folder,
    /// or a job's folder in it, is open to other users. Folders that this sink made are not.
    pub async fn warnings(&self) -> Vec<String> {
        let Behind::Folder(local) = &self.0.behind else { return Vec::new() };
        let root = local.root().to_owned();
        store::blocking(move || Ok(warnings_of(&root))).await.unwrap_or_default()
    }
}

/// Removes half-written files below `prefix`, all of them or those that were last written before
/// `before`, and folders that this empties, and says how many
/// files there were.
pub(crate) async fn discard_unfinished(
    local: &LocalStore,
    prefix: &ObjectKey,
    before: Option<Timestamp>,
) -> Result<u64> {
    let (root, prefix) = (local.root().to_owned(), prefix.as_str().to_owned());
    let reaped = store::blocking(move || {
        let mut count = 0;
        for found in walk::files(&root, &prefix, staged::is_stage_name)? {
            let modified = Timestamp::from(found.meta.modified()?);
            if before.is_none_or(|before| modified < before) {
                staged::remove(&root, &root.join(&found.name))?;
                count += 1;
            }
        }
        Ok(count)
    });
    reaped.await.map_err(|e| {
        let message = format!("cannot remove half-written files in {local}");
        Error::io("sink.discard", message, e)
    })
}

fn warnings_of(root: &Path) -> Vec<String> {
    let jobs = std::fs::read_dir(root).into_iter().flatten().flatten();
    let jobs = jobs.filter(|entry| walk::is_object_name(&entry.file_name()));
    let mut folders: Vec<PathBuf> = jobs.map(|entry| entry.path()).collect();
    folders.sort();
    folders.insert(0, root.to_owned());
    folders.iter().filter_map(|folder| warning_of(folder)).collect()
}

fn warning_of(folder: &Path) -> Option<String> {
    let meta = std::fs::metadata(folder).ok().filter(std::fs::Metadata::is_dir)?;
    let mode = meta.permissions().mode() & 0o777;
    let folder = folder.display();
    (mode & 0o077 != 0).then(|| {
        format!("{folder} is open to other users (mode {mode:04o}); `chmod 700 {folder}` closes it")
    })
}
