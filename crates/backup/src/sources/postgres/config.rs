//! `type = "postgres"`: a PostgreSQL database as a source.

use std::path::{Path, PathBuf};

use seaworthy_core::{SecretRef, Span};
use serde::{Deserialize, Serialize};

/// The part of a source that holds what belongs to the whole server.
pub(super) const GLOBALS: &str = "globals";

/// A PostgreSQL database as a source. Settings that `url` does not contain come from the
/// environment, the service file and the password file, as with libpq.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct PostgresConfig {
    /// The place of the connection's URL, or of its `keyword = value` pairs: they may contain a
    /// password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<SecretRef>,
    /// The name of a service in `~/.pg_service.conf`, instead of a `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The database's name, instead of the one in `url` or `service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// How many connections copy rows. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 64)))]
    pub connections: Option<u16>,
    /// Only the schemas that match one of these patterns, as `pg_dump --schema` reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// Excluded tables, as patterns of `pg_dump --exclude-table`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_tables: Vec<String>,
    /// Tables whose rows are excluded, as patterns of `pg_dump --exclude-table-data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_table_data: Vec<String>,
    /// How long to wait for a lock. Default: 30s. Three attempts are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_timeout: Option<Span>,
    /// The application name in the server's list of sessions. Default: `seaworthy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// The program `pg_dump`, of the server's major version or a later one. Default: it is searched
    /// for. `pg_dumpall` is used from the same folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_dump: Option<PathBuf>,
    /// Whether the server's roles and tablespaces are stored too, as a payload of their own.
    /// Default: they are, and it is not an error if the server does not allow reading them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<bool>,
}

impl PostgresConfig {
    /// Resolves relative paths against `base`.
    pub(super) fn resolve_paths(&mut self, base: &Path) {
        if let Some(SecretRef::File(path)) = &mut self.url {
            crate::paths::resolve(path, base);
        }
        // A bare name is searched for in PATH.
        if let Some(program) = self.pg_dump.as_mut().filter(|path| path.components().count() > 1) {
            crate::paths::resolve(program, base);
        }
    }
}
