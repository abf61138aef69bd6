//! The file, runs, and messages about them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod config;
mod custom_sink;
mod custom_source;
mod init;
mod notify;
mod overdue;
mod run;
mod support;
