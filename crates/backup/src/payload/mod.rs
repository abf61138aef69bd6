//! A payload: a source's bytes as a concatenation of independently compressed frames.

pub(crate) mod buffers;
pub(crate) mod codec;
pub(crate) mod reader;
pub(crate) mod sealed;
mod segment;
pub(crate) mod texture;
pub(crate) mod upload;
pub(crate) mod writer;

pub use codec::{Codec, Compression, MAX_FRAME};
pub use reader::{FrameDecoder, PayloadReader};
pub use segment::{SEGMENT_SIZE, Segment, SegmentSender, SegmentSlot};
