//! `type = "postgres"`: a PostgreSQL database as a source.

use std::path::{Path, PathBuf};

use seaworthy_core::{SecretRef, Span};
use serde::{Deserialize, Serialize};

/// The part of a source that holds what belongs to the whole server.
pub(super) const GLOBALS: &str = "globals";

/// A PostgreSQL database as a source. What `url` leaves open comes from the environment, the
/// service file and the password file, as with libpq.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct PostgresConfig {
    /// Where the connection's URL, or its `keyword = value` pairs, are to be found: they may hold a
    /// password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<SecretRef>,
    /// The name of a service in `~/.pg_service.conf`, in place of a `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The database's name; in place of the one that `url` or `service` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// How many connections copy rows; 2 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 64)))]
    pub connections: Option<u16>,
    /// Only the schemas that match one of these patterns, as `pg_dump --schema` reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// Tables that are left out, as patterns of `pg_dump --exclude-table`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_tables: Vec<String>,
    /// Tables whose rows are left out, as patterns of `pg_dump --exclude-table-data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_table_data: Vec<String>,
    /// How long a lock may take; 30s where nothing is said. Three tries are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_timeout: Option<Span>,
    /// What the server's list of sessions says of ours; `seaworthy` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// The program `pg_dump`, of the server's major version or a later one; it is looked for where
    /// nothing is said. `pg_dumpall` is taken from the same folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_dump: Option<PathBuf>,
    /// Whether the server's roles and tablespaces are stored too, as a payload of their own. Where
    /// nothing is said they are, and a server that does not tell them is no failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<bool>,
}

impl PostgresConfig {
    /// Makes relative paths relative to `base`.
    pub(super) fn resolve_paths(&mut self, base: &Path) {
        if let Some(SecretRef::File(path)) = &mut self.url {
            crate::paths::resolve(path, base);
        }
        // A bare name is looked for in PATH.
        if let Some(program) = self.pg_dump.as_mut().filter(|path| path.components().count() > 1) {
            crate::paths::resolve(program, base);
        }
    }
}
