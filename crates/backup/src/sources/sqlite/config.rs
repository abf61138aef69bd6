//! `type = "sqlite"`: an SQLite database as a source.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An SQLite database as a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct SqliteConfig {
    /// The database's file.
    pub path: PathBuf,
    /// What to do about rows that violate foreign keys.
    #[serde(default)]
    pub foreign_keys: ForeignKeys,
}

/// What to do about rows that refer to missing rows. SQLite itself does not enforce foreign keys by
/// default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ForeignKeys {
    /// They are counted in the index and reported as one warning.
    #[default]
    Count,
    /// The run fails.
    Fail,
}
