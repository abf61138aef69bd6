//! Which kind of store a bucket is in.

/// The kind of store, for their differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// Any store that speaks S3.
    S3,
    /// Backblaze B2 through its S3-compatible API.
    B2,
}

impl Provider {
    pub(super) fn right_is_called(self) -> &'static str {
        match self {
            Self::S3 => "right",
            Self::B2 => "capability",
        }
    }
}
