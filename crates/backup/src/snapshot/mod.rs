//! What a stored snapshot is made of: its name, manifest, index and worth.

mod digest;
mod id;
pub mod index;
mod info;
mod manifest;

pub use digest::Digest256;
pub use id::{HostId, SnapshotId};
pub use info::{SnapshotInfo, SnapshotState};
pub use manifest::{
    FORMAT, MANIFEST, Manifest, ManifestObject, ManifestSource, SnapshotKind, Suspicion,
};
