//! A payload: a source's bytes as a concatenation of independently compressed frames.

mod codec;
mod segment;

pub use codec::{Codec, Compression, MAX_FRAME};
pub use segment::{SEGMENT_SIZE, Segment, SegmentSender, SegmentSlot};
