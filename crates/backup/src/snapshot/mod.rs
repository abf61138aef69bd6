//! A stored snapshot: its objects written, read back and proved.

mod fallback;
pub(crate) mod index_file;
pub(crate) mod reader;
pub(crate) mod sealed;
pub(crate) mod signed;
mod stored;
pub(crate) mod sums;
pub(crate) mod upload;

pub use fallback::FallbackCopies;
pub(crate) use fallback::{OtherCopies, another_may_do};
pub use index_file::{Index, Records};
pub use reader::{FrameDecoder, PayloadReader};
pub use stored::Snapshot;
