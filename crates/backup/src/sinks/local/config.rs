//! `type = "local"`: a folder of this machine as a sink.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A folder on this machine as a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct LocalSinkConfig {
    /// The folder. If it is missing it is created, readable by its owner only.
    pub path: PathBuf,
    /// Whether runs must not delete. `prune` still does, but only the rule `within` applies.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub append_only: bool,
}

impl LocalSinkConfig {
    /// The folder at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), append_only: false }
    }
}
