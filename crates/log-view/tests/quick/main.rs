//! Logs as they are written, rotated, read and cleaned.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clean;
mod follow;
mod read;
