//! Buckets: the conformance suite on three stores, and what is theirs alone.

mod append_only;
mod b2;
mod conformance;
mod faults;
mod locks;
mod support;
mod uploads;
mod versions;
mod wire;
