//! A folder on this machine as a sink.

mod config;
mod kind;
#[cfg(feature = "local")]
mod open;
#[cfg(feature = "local")]
mod staged;
#[cfg(feature = "local")]
mod store;
#[cfg(feature = "local")]
mod walk;

pub use config::LocalSinkConfig;
