//! Helper methods for every sink.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use seaworthy_core::{Error, ErrorKind, Result};

use super::{BackupSink, ObjectInfo, PutOptions};
use crate::format::ObjectKey;

/// Helper methods on top of [`BackupSink`], for every sink.
#[async_trait]
pub trait BackupSinkExt: BackupSink {
    /// Writes a small object in one go.
    async fn put(&self, key: &ObjectKey, bytes: Bytes, options: PutOptions) -> Result<ObjectInfo> {
        let options = PutOptions { size: Some(bytes.len() as u64), ..options };
        let mut upload = self.begin(key, options).await?;
        match upload.write(bytes).await {
            Ok(()) => upload.commit().await,
            Err(error) => {
                // The first error is the one that matters.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// Reads a whole object of at most `limit` bytes; a larger one is
    /// [`ErrorKind::Damaged`].
    async fn get(&self, key: &ObjectKey, limit: u64) -> Result<Vec<u8>> {
        let mut stream = self.read(key, None).await?;
        let mut out = Vec::new();
        while let Some(chunk) = stream.try_next().await? {
            if (out.len() + chunk.len()) as u64 > limit {
                let message = format!("{key} is larger than {limit} bytes");
                return Err(Error::new(ErrorKind::Damaged, "sink.read", message));
            }
            out.extend_from_slice(&chunk);
        }
        Ok(out)
    }

    /// Reads exactly the bytes in `range`; fewer are [`ErrorKind::Damaged`].
    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes> {
        let wanted = range.end.saturating_sub(range.start);
        let mut stream = self.read(key, Some(range.clone())).await?;
        let first = stream.try_next().await?.unwrap_or_default();
        let bytes = if first.len() as u64 >= wanted {
            first
        } else {
            let mut out = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
            out.extend_from_slice(&first);
            while let Some(chunk) = stream.try_next().await? {
                out.extend_from_slice(&chunk);
            }
            out.into()
        };
        if bytes.len() as u64 == wanted {
            return Ok(bytes);
        }
        let got = bytes.len();
        let message =
            format!("reading {key} returned {got} of the {wanted} bytes from {}", range.start);
        Err(Error::new(ErrorKind::Damaged, "sink.read", message).with("object", key))
    }

    /// Every object below `prefix`, sorted by key.
    async fn list_sorted(&self, prefix: &ObjectKey) -> Result<Vec<ObjectInfo>> {
        let mut objects: Vec<_> = self.list(prefix).try_collect().await?;
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }
}

impl<S: BackupSink + ?Sized> BackupSinkExt for S {}
