//! A real nginx reads what is rendered, and serves it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod features;
mod flotteq;
mod gw2;
mod hostile;
mod install;
mod lab;
mod oracles;
#[path = "../support/mod.rs"]
mod support;
mod switch;
