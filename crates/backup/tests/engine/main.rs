//! The engine end to end, on a sink in memory and a source of plain bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod elsewhere;
#[cfg(feature = "encryption")]
mod encryption;
mod replicas;
#[cfg(feature = "encryption")]
mod signing;
mod snapshot;
mod support;
mod worth;
