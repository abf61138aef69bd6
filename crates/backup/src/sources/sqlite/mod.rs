//! SQLite databases, stored as a file of their own.

mod config;
#[cfg(feature = "sqlite")]
mod drill;
mod kind;
mod payload;
#[cfg(feature = "sqlite")]
mod source;
#[cfg(feature = "sqlite")]
mod target;

pub use config::{ForeignKeys, SqliteConfig};
#[cfg(feature = "sqlite")]
pub use drill::SqliteDrill;
pub(super) use payload::SqlitePayload;
#[cfg(feature = "sqlite")]
pub use source::SqliteSource;
#[cfg(feature = "sqlite")]
pub use target::SqliteTarget;
