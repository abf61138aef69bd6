//! The manifest and its signature, stored and looked at together.

use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Result};

use crate::{
    format::{MANIFEST, ObjectKey},
    signing::{SIGNATURE, SigningKey, TrustedKeys, comment},
    sinks::{BackupSink, BackupSinkExt, PutOptions},
};

/// The signature of the next manifest, while it replaces another.
const NEXT_SIGNATURE: &str = "manifest.json.minisig.next";

/// The largest signature that is read, in bytes.
pub(crate) const MAX_SIGNATURE: u64 = 16 << 10;

/// Fails with [`ErrorKind::Untrusted`] unless a trusted key signed `manifest`, which is in
/// `folder`.
pub(crate) async fn check_manifest(
    sink: &dyn BackupSink,
    folder: &ObjectKey,
    manifest: &[u8],
    trust: &TrustedKeys,
) -> Result<()> {
    let untrusted = |why: &str| {
        let message = format!("the manifest in {folder} cannot be trusted: {why}");
        Error::new(ErrorKind::Untrusted, "manifest.trust", message).remedy_with(
            "find out who wrote it; a restore with `force` takes it all the same",
            &["force"],
        )
    };
    let mut why = None;
    for name in [SIGNATURE, NEXT_SIGNATURE] {
        match sink.get(&folder.join(name)?, MAX_SIGNATURE).await {
            Ok(signature) => match trust.check(manifest, &signature) {
                Ok(_) => return Ok(()),
                Err(error) => why = why.or(Some(error)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::Damaged => {
                why = why.or(Some(error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Err(untrusted(why.as_deref().unwrap_or("it is not signed")))
}

/// Stores the signature and then `manifest`, which makes `folder` a snapshot. If there was a
/// manifest already, one of the two is signed at any time.
pub(crate) async fn put_manifest(
    sink: &dyn BackupSink,
    folder: &ObjectKey,
    manifest: Vec<u8>,
    key: Option<&SigningKey>,
    replaces: bool,
) -> Result<()> {
    let signature = key.map(|key| key.sign(&manifest, &comment(folder, MANIFEST))).transpose()?;
    let put = async |name: &str, bytes: Bytes| {
        sink.put(&folder.join(name)?, bytes, PutOptions::default()).await.map(drop)
    };
    let Some(signature) = signature.map(Bytes::from) else {
        put(MANIFEST, manifest.into()).await?;
        // A signature of an earlier manifest would only mislead.
        return if replaces { sink.delete(&folder.join(SIGNATURE)?).await } else { Ok(()) };
    };
    if !replaces {
        put(SIGNATURE, signature).await?;
        return put(MANIFEST, manifest.into()).await;
    }
    put(NEXT_SIGNATURE, signature.clone()).await?;
    put(MANIFEST, manifest.into()).await?;
    put(SIGNATURE, signature).await?;
    match sink.delete(&folder.join(NEXT_SIGNATURE)?).await {
        // If nothing can be deleted it stays, which is harmless.
        Err(error) if !sink.capabilities().delete => {
            tracing::debug!(error = error.chain(), "a signature is left over");
            Ok(())
        }
        deleted => deleted,
    }
}
