//! Seaworthy behind one configuration file.
//!
//! - [`Config`]: the whole of `seaworthy.toml`, read with exact errors
//!
//! The crates below it can be used without any file: see [`seaworthy_backup`].

pub mod config;

pub use config::Config;
pub use seaworthy_backup as backup;
pub use seaworthy_core as core;
