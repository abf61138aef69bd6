//! The engine, retention, and the sinks and sources that need no server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
#[cfg(feature = "testing")]
mod engine;
mod modules;
mod retention;
#[cfg(all(feature = "local", feature = "testing"))]
mod sink_conformance;
#[cfg(feature = "testing")]
mod sink_faults;
#[cfg(all(feature = "local", feature = "testing"))]
mod sink_local;
#[cfg(feature = "sqlite")]
mod sqlite;
