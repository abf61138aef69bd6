//! How a folder is opened, and what is doubtful about one.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use object_store::{Error as StoreError, ObjectStore, path::Path as Location};
use seaworthy_core::{Error, Result, Timestamp};

use super::{
    staged,
    store::{LocalStore, blocking},
    walk,
};
use crate::{
    format::ObjectKey,
    sinks::{
        Capabilities, ObjectStoreSink, StorePreset,
        store::{self, Store},
    },
};

impl ObjectStoreSink {
    /// The folder at `path`, which is created when something is first written to it.
    ///
    /// Every object is written next to its final path, fsynced and moved there; folders (0700) and
    /// files (0600) are readable by the owner only.
    /// [`BackupSink::delete`](crate::sinks::BackupSink::delete) removes folders that become empty,
    /// but never the root.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when `path` is empty, or relative if there is no working directory.
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
                .remedy_is("write the absolute path of the folder")
        })?;
        let label = root.display().to_string();
        // The upload of this store removes its file immediately when it is dropped.
        let preset = StorePreset { drop_frees: true, ..StorePreset::new(Capabilities::all()) };
        let store = Arc::new(LocalStore::new(root));
        Ok(Self::of_store(store, label, ObjectKey::root(), preset))
    }
}

#[async_trait]
impl Store for LocalStore {
    fn objects(&self) -> &dyn ObjectStore {
        self
    }

    async fn ready_to_write(&self) -> Result<()> {
        self.make_root().await
    }

    /// Removes half-written files, and folders that this empties.
    async fn discard_unfinished(
        &self,
        prefix: &Location,
        before: Option<Timestamp>,
    ) -> store::Result<u64> {
        let (root, prefix) = (self.root().to_owned(), prefix.to_string());
        let reaped = blocking(move || {
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
        reaped.await.map_err(|e| StoreError::Generic { store: "local", source: Box::new(e) })
    }

    async fn warnings(&self) -> Vec<String> {
        let root = self.root().to_owned();
        blocking(move || Ok(warnings_of(&root))).await.unwrap_or_default()
    }
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
        format!(
            "{folder} is readable by other users (mode {mode:04o}); restrict it with \
                 `chmod 700 {folder}`"
        )
    })
}
