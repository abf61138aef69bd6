//! Memory as a sink, for tests and for trying things out.

mod store;

pub use store::MemorySink;
