//! Copies one snapshot to a replica: every byte is verified during the transfer, the manifest is
//! written last.

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Replica;
use crate::{
    format::{Digest256, MANIFEST, ManifestObject, ObjectKey, SnapshotId, manifest::MAX_MANIFEST},
    options::{RunOptions, VerifyAfter},
    repository::Repository,
    signing::SIGNATURE,
    sinks::{BackupSink, BackupSinkExt, PutOptions},
    snapshot::{Snapshot, signed::MAX_SIGNATURE, upload::HashedUpload},
    verify::{VerifyOptions, verify},
};

/// The pauses before an object is tried again, in milliseconds. The sinks retry single requests
/// themselves.
const PAUSES: [u64; 2] = [300, 2_000];

/// The result of copying one snapshot.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CopyReport {
    /// The snapshot.
    pub id: SnapshotId,
    /// How many bytes were sent.
    pub sent: u64,
    /// How many bytes were already there, from an interrupted copy.
    pub resumed: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Replica {
    /// Copies the snapshot `id` from `first`.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] if the first sink does not return what the manifest lists, or the
    /// replica does not store what it was sent; otherwise the error of reading or writing.
    pub(super) async fn copy(
        &self,
        first: &Repository,
        id: &SnapshotId,
        options: &RunOptions,
        cx: &Context,
    ) -> Result<CopyReport> {
        let started = cx.now();
        let from = first.folder_of(id)?;
        let manifest = first.open(id).await?.manifest().clone();
        let bytes = first.sink().get(&from.join(MANIFEST)?, MAX_MANIFEST).await?;
        let signature = optional(first.sink().get(&from.join(SIGNATURE)?, MAX_SIGNATURE).await)?;
        let task = format!("{}@{id} → {}", first.job(), self.name);
        let total_bytes = Some(manifest.stored());
        cx.emit(Event::Started { task: task.clone(), total_bytes });

        let (sink, folder) = (&**self.repository.sink(), self.repository.folder_of(id)?);
        if self.repository.sink().capabilities().delete {
            sink.discard_unfinished(&folder, None).await?;
        }
        let mut report = CopyReport { id: id.clone(), sent: 0, resumed: 0, seconds: 0.0 };
        for object in &manifest.objects {
            if holds(sink, &folder, object).await? {
                report.resumed += object.size;
                cx.emit(Event::Advanced { bytes: object.size, items: 1 });
                continue;
            }
            let source = Source { sink: &**first.sink(), folder: &from, object };
            with_patience(cx, || source.copy_to(sink, &folder, cx)).await?;
            report.sent += object.size;
        }
        let copy = {
            let identities = first.held_keys().identities.clone();
            Snapshot::new(self.repository.sink().clone(), folder.clone(), manifest, identities)
        };
        self.prove(&copy, options, cx).await?;
        cx.check("sync")?;
        // Byte for byte, so that its digest and a signature stay valid.
        if let Some(signature) = signature {
            let key = folder.join(SIGNATURE)?;
            sink.put(&key, Bytes::from(signature), PutOptions::default()).await?;
        }
        sink.put(&folder.join(MANIFEST)?, Bytes::from(bytes), PutOptions::default()).await?;
        let elapsed = cx.now().since(started);
        cx.emit(Event::Finished { task, elapsed });
        report.seconds = elapsed.as_secs_f64();
        Ok(report)
    }

    /// Verifies a copy before its manifest makes it a snapshot.
    async fn prove(&self, copy: &Snapshot, options: &RunOptions, cx: &Context) -> Result<()> {
        match self.verify_after {
            VerifyAfter::Stat => copy.check_sizes().await,
            VerifyAfter::Read => {
                let (workers, temp) = (options.workers, options.temp.clone());
                let options = VerifyOptions { workers, temp, sample: None };
                let verified = verify(copy, &options, cx).await?;
                match verified.findings.first() {
                    None => Ok(()),
                    Some(finding) => {
                        let message = format!("{} did not store {finding}", copy.sink());
                        Err(Error::new(ErrorKind::Damaged, "sync", message))
                    }
                }
            }
        }
    }
}

/// An object in the first sink.
struct Source<'a> {
    sink: &'a dyn BackupSink,
    folder: &'a ObjectKey,
    object: &'a ManifestObject,
}

impl Source<'_> {
    /// Sends the object; it becomes visible only if it matches the manifest.
    async fn copy_to(&self, to: &dyn BackupSink, folder: &ObjectKey, cx: &Context) -> Result<()> {
        let object = self.object;
        let key = self.folder.join(&object.name)?;
        let mut stream = self.sink.read(&key, None).await?;
        let (name, size) = (object.name.clone(), Some(object.size));
        let mut upload = HashedUpload::begin(to, folder, name, size).await?;
        let sent = async {
            while let Some(chunk) = stream.try_next().await? {
                cx.check("sync")?;
                let bytes = chunk.len() as u64;
                upload.write(chunk).await?;
                cx.emit(Event::Advanced { bytes, items: 0 });
            }
            Ok(())
        };
        if let Err(error) = sent.await {
            upload.abort().await;
            return Err(error);
        }
        upload.commit_as(object).await.map_err(|error| match error.kind() {
            ErrorKind::Damaged => {
                let message =
                    format!("{} returned data that differs from what was stored", self.sink);
                Error::new(ErrorKind::Damaged, "sync", message)
                    .caused_by(error)
                    .remedy_is("`seaworthy verify` says what is wrong with it")
            }
            _ => error,
        })
    }
}

/// The existing object, if any.
fn optional<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether `object` is already complete at the replica.
async fn holds(sink: &dyn BackupSink, folder: &ObjectKey, object: &ManifestObject) -> Result<bool> {
    let key = folder.join(&object.name)?;
    match sink.stat(&key).await {
        Ok(found) if found.size == object.size => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let (mut stream, mut hash) = (sink.read(&key, None).await?, Sha256::new());
    while let Some(chunk) = stream.try_next().await? {
        hash.update(&chunk);
    }
    Ok(Digest256::from(hash.finalize()) == object.sha256)
}

/// Retries temporary failures, after a pause.
async fn with_patience<F: Future<Output = Result<()>>>(
    cx: &Context,
    attempt: impl Fn() -> F,
) -> Result<()> {
    for pause in PAUSES {
        match attempt().await {
            Err(error) if error.is_retryable() => {
                tracing::warn!(error = error.chain(), "trying again");
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(pause)) => {}
                    () = cx.cancel().triggered() => return Err(Error::cancelled("sync")),
                }
            }
            done => return done,
        }
    }
    attempt().await
}
