//! For sinks of third parties: a [`conformance`] test suite, and a [`FaultySink`] to test code that
//! uses a sink.

pub mod conformance;
mod faults;

pub use faults::{Call, Fault, FaultySink, Plan};
