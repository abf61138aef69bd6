//! What a stored snapshot is made of: its name, manifest, index and worth.

pub(crate) mod check;
mod digest;
mod elsewhere;
pub(crate) mod facts;
mod id;
pub mod index;
pub(crate) mod index_file;
mod info;
pub(crate) mod manifest;
mod sql_index;
mod stored;

pub use crate::encryption::ManifestEncryption;
pub use check::{CheckKind, CheckOutcome, CheckRecord};
pub use digest::Digest256;
pub use elsewhere::Elsewhere;
pub(crate) use elsewhere::{OtherCopies, another_may_do};
pub use id::{HostId, SnapshotId};
pub use index_file::{Index, Records};
pub use info::{SnapshotInfo, SnapshotState};
pub use manifest::{
    FORMAT, MANIFEST, Manifest, ManifestObject, ManifestSource, SnapshotKind, Suspicion,
};
pub use stored::Snapshot;
