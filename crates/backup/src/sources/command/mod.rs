//! A command's standard output.

mod config;
mod kind;
mod source;

pub use config::{CommandConfig, EnvironmentValue};
pub use source::CommandSource;
