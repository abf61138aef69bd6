//! Buckets: the conformance suite on three stores, and what is theirs alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod append_only;
mod b2;
mod conformance;
mod faults;
mod locks;
mod support;
mod uploads;
mod versions;
mod wire;
