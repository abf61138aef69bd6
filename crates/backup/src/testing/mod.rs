//! Proof for sinks of third parties: a [`conformance`] suite, and a [`FaultySink`] to test what
//! uses a sink.

pub mod conformance;
mod faults;

pub use faults::{Call, Fault, FaultySink, Plan};
