//! A folder of this machine as a sink.

mod config;
#[cfg(feature = "local")]
mod open;
#[cfg(feature = "local")]
mod staged;
#[cfg(feature = "local")]
mod store;
#[cfg(feature = "local")]
mod walk;

pub use config::LocalSinkConfig;
#[cfg(feature = "local")]
pub(super) use {open::discard_unfinished, store::LocalStore};
