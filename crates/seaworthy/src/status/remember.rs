//! A cache of manifests in the state folder, which may be deleted at any time.

use std::path::{Path, PathBuf};

use seaworthy_backup::{Repository, SnapshotCache, format::Digest256};
use seaworthy_core::{Result, durable};
use serde::{Deserialize, Serialize};

/// Only the cache of this version is used; that of another version is rebuilt.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    snapshots: SnapshotCache,
}

/// The cache file of `repository`, for the trusted keys `trust`.
pub(super) fn place(state: &Path, repository: &Repository, trust: &[String]) -> PathBuf {
    // With other keys the cache is not valid.
    let about = format!("{}\n{}", repository.sink(), trust.join("\n"));
    let digest = Digest256::of(about.as_bytes()).to_string();
    state.join("status").join(&digest[..16]).join(format!("{}.json", repository.job()))
}

/// Reads the cache in `path`; empty if it cannot be read.
pub(super) fn recall(path: &Path) -> SnapshotCache {
    let kept = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let kept = kept.filter(|kept: &Kept| kept.format == FORMAT);
    kept.map(|kept| kept.snapshots).unwrap_or_default()
}

/// Writes `snapshots` to the cache in `path`.
pub(super) fn remember(path: &Path, snapshots: SnapshotCache) -> Result<()> {
    let kept = Kept { format: FORMAT, snapshots };
    let Ok(bytes) = serde_json::to_vec(&kept) else { return Ok(()) };
    if let Some(folder) = path.parent() {
        durable::create_private_folder(folder)?;
    }
    durable::write_file(path, &bytes, 0o600)
}
