//! The way to a server, and one connection to it.

pub(crate) mod channel;
pub(crate) mod conninfo;
pub(crate) mod error;
pub(crate) mod options;
pub(crate) mod rows;
pub(crate) mod session;
pub(crate) mod tls;

pub use options::{ConnectOptions, Environment};
