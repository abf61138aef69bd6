//! `type = "files"`: files and folders as a source.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Files and folders as a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct FilesConfig {
    /// Files and folders, archived under their absolute paths without the leading slash.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub paths: Vec<PathBuf>,
    /// What is excluded, in the syntax of gitignore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}
