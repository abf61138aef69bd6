//! Models and what is rendered from them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
mod model;
#[path = "../support/mod.rs"]
mod support;
