//! A whole machine: set up from nothing, looked at, and told of.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apply;
mod doctor;
mod from_an_empty_server;
mod init;
mod replaces;
mod status;
