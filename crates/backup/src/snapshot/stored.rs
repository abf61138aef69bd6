//! A snapshot in a sink, opened for reading.

use std::{path::Path, sync::Arc};

use seaworthy_core::{Context, Error, ErrorKind, Name, Result};

use super::{FallbackCopies, OtherCopies, another_may_do, index_file::Index};
use crate::{
    encryption::{Identities, Opening},
    format::{Manifest, ObjectKey, SnapshotId},
    sinks::BackupSink,
};

/// A stored snapshot whose manifest was read and verified.
#[derive(Clone, Debug)]
pub struct Snapshot {
    sink: Arc<dyn BackupSink>,
    folder: ObjectKey,
    manifest: Arc<Manifest>,
    identities: Identities,
    others: Option<OtherCopies>,
}

impl Snapshot {
    pub(crate) fn new(
        sink: Arc<dyn BackupSink>,
        folder: ObjectKey,
        manifest: Manifest,
        identities: Identities,
    ) -> Self {
        Self { sink, folder, manifest: Arc::new(manifest), identities, others: None }
    }

    /// The same, with `elsewhere` as fallback for what is damaged or cannot be read here.
    #[must_use]
    pub fn or_from(mut self, elsewhere: Arc<dyn FallbackCopies>) -> Self {
        self.others = Some(OtherCopies::new(elsewhere));
        self
    }

    /// Its other copies, if any are used.
    pub(crate) fn others(&self) -> Option<&OtherCopies> {
        self.others.as_ref()
    }

    /// The job that made it.
    pub fn job(&self) -> &Name {
        &self.manifest.job
    }

    /// Its name.
    pub fn id(&self) -> &SnapshotId {
        &self.manifest.id
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its sink.
    pub fn sink(&self) -> &Arc<dyn BackupSink> {
        &self.sink
    }

    /// Its folder in the sink.
    pub fn folder(&self) -> &ObjectKey {
        &self.folder
    }

    /// Whether it is encrypted and there are no keys to decrypt it.
    pub fn is_sealed(&self) -> bool {
        self.manifest.encryption.is_some() && self.identities.is_empty()
    }

    /// How its objects are decrypted; `None` if they are not encrypted.
    pub(crate) fn opening(&self) -> Option<Opening> {
        let encryption = self.manifest.encryption.clone()?;
        let snapshot = format!("{}@{}", self.job(), self.id());
        Some(Opening { snapshot, encryption, identities: self.identities.clone() })
    }

    /// Fetches its index into an unnamed file in the folder `temp` and verifies it. An encrypted
    /// one stays encrypted there.
    pub async fn index(&self, temp: &Path, cx: &Context) -> Result<Index> {
        let error = match (self.own_index(temp, cx).await, &self.others) {
            (Err(error), Some(_)) if another_may_do(&error) => error,
            (fetched, _) => return fetched,
        };
        if let Some(others) = &self.others {
            for n in 0.. {
                let Some((place, copy)) = others.copy(n).await else { break };
                match copy.own_index(temp, cx).await {
                    Ok(index) => {
                        others.tell(&self.manifest.index, n, &place, &error);
                        return Ok(index);
                    }
                    Err(other) if another_may_do(&other) => {}
                    Err(other) => return Err(other),
                }
            }
        }
        Err(error)
    }

    async fn own_index(&self, temp: &Path, cx: &Context) -> Result<Index> {
        let (manifest, opening) = (self.manifest.clone(), self.opening());
        Index::fetch(&*self.sink, &self.folder, manifest, opening, temp, cx).await
    }

    /// Fails with [`ErrorKind::Damaged`] unless each object exists with the right size.
    pub(crate) async fn check_sizes(&self) -> Result<()> {
        for object in &self.manifest.objects {
            let found = self.sink.stat(&self.folder.join(&object.name)?).await?;
            if found.size != object.size {
                let (name, size) = (&object.name, object.size);
                let finding = format!("{name} has {} bytes instead of {size}", found.size);
                return Err(Error::new(ErrorKind::Damaged, "backup.verify", finding));
            }
        }
        Ok(())
    }
}
