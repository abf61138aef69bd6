//! What is stored: names, manifest, index and what a snapshot is worth. No input, no output.

pub(crate) mod check;
mod codec;
mod digest;
pub(crate) mod facts;
mod id;
pub mod index;
mod info;
mod key;
mod kind;
pub(crate) mod manifest;
mod sql_index;
mod summary;

pub use check::{CheckKind, CheckOutcome, CheckRecord};
pub use codec::{Codec, MAX_FRAME};
pub use digest::Digest256;
pub use id::{HostId, SnapshotId};
pub use info::{SnapshotInfo, SnapshotState};
pub use key::ObjectKey;
pub use kind::PayloadKind;
pub use manifest::{
    FORMAT, MANIFEST, Manifest, ManifestEncryption, ManifestObject, ManifestSource, SnapshotKind,
    Suspicion,
};
pub use summary::SourceSummary;

/// The object that marks a snapshot as pinned.
pub(crate) const PIN: &str = "pin.json";

/// The name of the list of digests in a snapshot's folder, in sha256sum(1)'s own format.
pub(crate) const SUMS: &str = "SHA256SUMS";

/// The suffix of an encrypted object's name.
pub(crate) const ENCRYPTED_SUFFIX: &str = ".age";
