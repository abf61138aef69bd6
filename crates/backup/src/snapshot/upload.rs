//! An upload that encrypts the data if configured, and computes the SHA-256 of the stored bytes.

use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

use crate::{
    encryption::{Recipients, Sealer},
    format::{Digest256, ENCRYPTED_SUFFIX, ManifestObject, ObjectKey},
    sinks::{BackupSink, PutOptions, Upload},
};

/// Writes one object of a snapshot and computes its hash.
pub(crate) struct HashedUpload {
    name: String,
    upload: Box<dyn Upload>,
    layer: Layer,
    /// Taken while a blocking thread works on it.
    hash: Option<Sha256>,
    written: u64,
    stored: u64,
}

/// The stage between the written bytes and the stored ones.
enum Layer {
    Plain,
    /// Taken while a blocking thread works on it: nothing is ever stored without it.
    Age(Option<Box<Sealer>>),
}

impl HashedUpload {
    /// Begins the object `name` in `folder`.
    pub(crate) async fn begin(
        sink: &dyn BackupSink,
        folder: &ObjectKey,
        name: String,
        size: Option<u64>,
    ) -> Result<Self> {
        let options = PutOptions { size, ..PutOptions::default() };
        let upload = sink.begin(&folder.join(&name)?, options).await?;
        let (layer, hash) = (Layer::Plain, Some(Sha256::new()));
        Ok(Self { name, upload, layer, hash, written: 0, stored: 0 })
    }

    /// Begins the object `name` in `folder`, encrypted, with the suffix in its name, if there are
    /// `recipients`.
    pub(crate) async fn begin_for(
        recipients: Option<&Recipients>,
        sink: &dyn BackupSink,
        folder: &ObjectKey,
        name: String,
    ) -> Result<Self> {
        let Some(recipients) = recipients.cloned() else {
            return Self::begin(sink, folder, name, None).await;
        };
        let sealer = blocking(move || Sealer::begin(&recipients)).await??;
        let mut upload =
            Self::begin(sink, folder, format!("{name}{ENCRYPTED_SUFFIX}"), None).await?;
        upload.layer = Layer::Age(Some(Box::new(sealer)));
        Ok(upload)
    }

    /// The object's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes were written so far, before encryption: the offset of the next one.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.written += chunk.len() as u64;
        let stored = match &mut self.layer {
            Layer::Plain => chunk,
            Layer::Age(sealer) => {
                let mut sealing = sealer.take().ok_or_else(broken)?;
                let sealed = blocking(move || sealing.write(&chunk).map(|()| sealing)).await??;
                sealer.insert(sealed).take()
            }
        };
        self.store(stored).await
    }

    async fn store(&mut self, chunk: Bytes) -> Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.stored += chunk.len() as u64;
        let mut hash = self.hash.take().ok_or_else(broken)?;
        let hashed = chunk.clone();
        let hashing = blocking(move || {
            hash.update(&hashed);
            hash
        });
        let (hash, written) = tokio::join!(hashing, self.upload.write(chunk));
        self.hash = Some(hash?);
        written
    }

    /// Makes the object visible.
    pub(crate) async fn commit(mut self) -> Result<ManifestObject> {
        if let Layer::Age(sealer) = &mut self.layer {
            let sealer = sealer.take().ok_or_else(broken)?;
            let rest = blocking(move || sealer.finish()).await??;
            self.store(rest).await?;
        }
        let sha256 = Digest256::from(self.hash.ok_or_else(broken)?.finalize());
        let stored = self.upload.commit().await?;
        if stored.size != self.stored {
            let message =
                format!("{} was stored with {} bytes, not {}", self.name, stored.size, self.stored);
            return Err(Error::new(ErrorKind::Damaged, "sink.commit", message));
        }
        Ok(ManifestObject::new(self.name, self.stored, sha256))
    }

    /// Makes the object visible if it matches `promised`, and aborts it otherwise.
    pub(crate) async fn commit_as(self, promised: &ManifestObject) -> Result<()> {
        let sha256 = self.hash.clone().map(|hash| Digest256::from(hash.finalize()));
        if self.stored == promised.size && sha256 == Some(promised.sha256) {
            return self.commit().await.map(drop);
        }
        let message = format!("{} does not match its manifest", self.name);
        self.abort().await;
        Err(Error::new(ErrorKind::Damaged, "sink.commit", message))
    }

    pub(crate) async fn abort(self) {
        if let Err(error) = self.upload.abort().await {
            // Nothing is visible either way; prune removes what is left.
            tracing::warn!(object = self.name, error = error.chain(), "cannot abort an upload");
        }
    }
}

/// The result of `work` on a blocking thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|source| broken().caused_by(source))
}

fn broken() -> Error {
    Error::new(ErrorKind::Internal, "sink.write", "an upload was used after it failed")
}
