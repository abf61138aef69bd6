//! Who wrote a snapshot: detached [minisign](https://jedisct1.github.io/minisign/) signatures.
//!
//! A signature lies beside the manifest and covers every byte of it: job, id, host, and the SHA-256
//! of every other object. Where [`TrustedKeys`] are given, a manifest that none of them signed is
//! untrusted: listed, but never the latest, never restored unasked and never removed.
//!
//! Encryption proves no origin: anybody can encrypt for a public key. Without the feature
//! `encryption` these types have no values.

#[cfg(not(feature = "encryption"))]
mod absent;
#[cfg(feature = "encryption")]
mod minisign;

use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Result};

#[cfg(not(feature = "encryption"))]
pub use absent::{SigningKey, TrustedKeys};
#[cfg(feature = "encryption")]
pub use minisign::{SigningKey, TrustedKeys};

use crate::{
    BackupSink, BackupSinkExt, ObjectKey, PutOptions,
    encryption::{Identities, Recipients},
    snapshot::MANIFEST,
};

/// The name of the manifest's signature in a snapshot's folder.
pub const SIGNATURE: &str = "manifest.json.minisig";

/// What is added to an object's name for that of its signature.
pub(crate) const SIGNATURE_SUFFIX: &str = ".minisig";

/// The signature of the next manifest, while one takes the place of another.
const NEXT_SIGNATURE: &str = "manifest.json.minisig.next";

/// The largest signature that is read, in bytes.
pub(crate) const MAX_SIGNATURE: u64 = 16 << 10;

/// What a job's snapshots are encrypted, decrypted, signed and trusted with.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Keys {
    /// Whom new snapshots are encrypted for; `None` leaves them plain.
    pub recipients: Option<Recipients>,
    /// What decrypts snapshots. Backing up needs none.
    pub identities: Identities,
    /// What signs manifests; `None` leaves them unsigned.
    pub signing: Option<SigningKey>,
    /// Whose manifests are believed; `None` believes every whole one.
    pub trust: Option<TrustedKeys>,
}

impl Keys {
    /// Whether what is written with these keys cannot be read with them.
    pub(crate) fn is_sealed(&self) -> bool {
        self.recipients.is_some() && self.identities.is_empty()
    }

    /// Fails where a snapshot made with these keys would be untrusted at once.
    pub(crate) fn check_writing(&self) -> Result<()> {
        let Some(trust) = &self.trust else { return Ok(()) };
        let message = match &self.signing {
            Some(key) if trust.trusts(key) => return Ok(()),
            Some(_) => "the key that signs is not among the trusted ones",
            None => "only signed snapshots are trusted, and there is no key to sign with",
        };
        Err(Error::new(ErrorKind::InvalidInput, "backup.sign", message).remedy_is(
            "name the key in `signing.key` and its public half in `signing.trust`; \
             `seaworthy keygen sign` makes a pair",
        ))
    }
}

/// Fails with [`ErrorKind::Untrusted`] unless a trusted key signed `manifest`, which lies in `folder`.
pub(crate) async fn check_manifest(
    sink: &dyn BackupSink,
    folder: &ObjectKey,
    manifest: &[u8],
    trust: &TrustedKeys,
) -> Result<()> {
    let untrusted = |why: &str| {
        let message = format!("the manifest in {folder} is not to be trusted: {why}");
        Error::new(ErrorKind::Untrusted, "manifest.trust", message).remedy_is(
            "find out who wrote it. `seaworthy restore --force` restores it all the same",
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

/// Stores `manifest`, which makes `folder` a snapshot, and before it its signature. Where there was
/// a manifest already, one of the two is signed at every moment.
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
        // One of an earlier manifest would only mislead.
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
        // Where nothing can be deleted it stays, and does no harm.
        Err(error) if !sink.capabilities().delete => {
            tracing::debug!(error = error.chain(), "a signature is left over");
            Ok(())
        }
        deleted => deleted,
    }
}

/// What a signature says of itself: where the signed object belongs.
pub(crate) fn comment(folder: &ObjectKey, name: &str) -> String {
    format!("seaworthy {folder}/{name}")
}
