//! The list of digests that stock tools read.

use bytes::Bytes;
use seaworthy_core::Result;

use crate::{
    format::{Digest256, ManifestObject, ObjectKey, SUMS},
    sinks::{BackupSink, BackupSinkExt, PutOptions},
};

/// Writes the list of digests that `sha256sum -c` reads.
pub(crate) async fn write_sums(
    sink: &dyn BackupSink,
    folder: &ObjectKey,
    objects: &[ManifestObject],
) -> Result<ManifestObject> {
    let lines: String = objects.iter().map(|o| format!("{}  {}\n", o.sha256, o.name)).collect();
    let described = ManifestObject::new(SUMS, lines.len() as u64, Digest256::of(lines.as_bytes()));
    sink.put(&folder.join(SUMS)?, Bytes::from(lines), PutOptions::default()).await?;
    Ok(described)
}
