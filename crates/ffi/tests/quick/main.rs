//! The committed header is what the code says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod header;
