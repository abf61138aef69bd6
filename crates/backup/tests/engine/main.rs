//! The engine end to end, on a sink in memory and a source of plain bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod replicas;
mod snapshot;
mod support;
mod worth;
