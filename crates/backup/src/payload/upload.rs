//! An upload that knows the SHA-256 of what passed through it.

use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

use crate::{
    BackupSink, ObjectKey, PutOptions, Upload,
    snapshot::{Digest256, ManifestObject},
};

/// Writes one object of a snapshot and vouches for its bytes.
pub(crate) struct HashedUpload {
    name: String,
    upload: Box<dyn Upload>,
    /// Away while a blocking thread works on it.
    hash: Option<Sha256>,
    size: u64,
}

impl HashedUpload {
    pub(crate) async fn begin(
        sink: &dyn BackupSink,
        folder: &ObjectKey,
        name: String,
        size: Option<u64>,
    ) -> Result<Self> {
        let options = PutOptions { size, ..PutOptions::default() };
        let upload = sink.begin(&folder.join(&name)?, options).await?;
        Ok(Self { name, upload, hash: Some(Sha256::new()), size: 0 })
    }

    /// How many bytes were written so far: where the next one lands.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.size += chunk.len() as u64;
        let mut hash = self.hash.take().ok_or_else(broken)?;
        let hashed = chunk.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            hash.update(&hashed);
            hash
        });
        let (hash, written) = tokio::join!(hashing, self.upload.write(chunk));
        self.hash = Some(hash.map_err(|source| broken().caused_by(source))?);
        written
    }

    /// Makes the object visible.
    pub(crate) async fn commit(self) -> Result<ManifestObject> {
        let sha256 = Digest256::from(self.hash.ok_or_else(broken)?.finalize());
        let stored = self.upload.commit().await?;
        if stored.size != self.size {
            let message =
                format!("{} was stored with {} bytes, not {}", self.name, stored.size, self.size);
            return Err(Error::new(ErrorKind::Damaged, "sink.commit", message));
        }
        Ok(ManifestObject::new(self.name, self.size, sha256))
    }

    /// Makes the object visible if it is what `promised` says, and gives it up if it is not.
    pub(crate) async fn commit_as(self, promised: &ManifestObject) -> Result<()> {
        let sha256 = self.hash.clone().map(|hash| Digest256::from(hash.finalize()));
        if self.size == promised.size && sha256 == Some(promised.sha256) {
            return self.commit().await.map(drop);
        }
        let message = format!("{} is not what its manifest promises", self.name);
        self.abort().await;
        Err(Error::new(ErrorKind::Damaged, "sink.commit", message))
    }

    pub(crate) async fn abort(self) {
        if let Err(error) = self.upload.abort().await {
            // Nothing is visible either way; prune reaps what stays behind.
            tracing::warn!(object = self.name, error = error.chain(), "cannot abort an upload");
        }
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Internal, "sink.write", "an upload was used after it broke")
}
