//! Files from source to payload and back, with a sink in memory between.

mod harness;
mod source;
mod trees;
