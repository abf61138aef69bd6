//! How payloads and indexes are compressed, as their names and the manifest say.

use serde::{Deserialize, Serialize};

/// The most plain data in one frame, in bytes: limits what a reader allocates.
pub const MAX_FRAME: u64 = 64 << 20;

/// How frames are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Codec {
    /// Zstandard frames (RFC 8878) with content size and checksum.
    #[default]
    Zstd,
    /// Gzip members (RFC 1952).
    Gzip,
    /// The plain bytes.
    None,
}

impl Codec {
    /// The suffix of an object's name: `.zst`, `.gz` or nothing.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
            Self::None => "",
        }
    }
}
