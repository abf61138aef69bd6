//! A payload: a source's bytes as a concatenation of independently compressed frames.

pub(crate) mod buffers;
pub(crate) mod codec;
pub(crate) mod hints;
pub(crate) mod segment;

pub use crate::format::{Codec, MAX_FRAME};
pub use codec::Compression;
pub use segment::{SEGMENT_SIZE, Segment, SegmentSender, SegmentSlot};
