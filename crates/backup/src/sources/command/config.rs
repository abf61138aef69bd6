//! `type = "command"`: what a command prints as a source.

use std::{collections::BTreeMap, path::PathBuf};

use seaworthy_core::{CommandLine, Name, SecretRef, Span};
use serde::{Deserialize, Serialize};

/// A command's standard output as a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct CommandConfig {
    /// The command. It must exit with 0 and write some output.
    pub command: CommandLine,
    /// What its output is called: the payload of the source `redis` with the name `dump.rdb` is
    /// `redis.dump.rdb.zst`. Default: `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The folder that it runs in. Default: that of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Additional environment variables for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, EnvironmentValue>,
    /// How long it may take. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

impl CommandConfig {
    /// The name of its output.
    pub fn output_name(&self) -> &str {
        self.name.as_ref().map_or("output", Name::as_str)
    }
}

/// The value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "text, or a secret's place such as { env = … } or { file = … }")]
#[non_exhaustive]
pub enum EnvironmentValue {
    /// Text that everybody may read.
    Plain(String),
    /// The place of a secret.
    Secret(SecretRef),
}
