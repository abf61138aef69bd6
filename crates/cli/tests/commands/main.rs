//! The program as users call it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;
mod service;
