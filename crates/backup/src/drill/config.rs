//! `[backup.<name>.drill]`: restore drills of a job's snapshots.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::paths::resolve;
use seaworthy_core::{Name, Schedule, SecretRef};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Restore drills of a job's snapshots: `[backup.<name>.drill]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct DrillConfig {
    /// When the newest snapshot is drilled. Without a schedule drills only run by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// SQL queries on the restored database; each must return one true value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckConfig>,
    /// Where PostgreSQL databases are restored to.
    #[serde(default)]
    pub server: DrillServer,
    /// The folder with `initdb` and `postgres` for a temporary server. Default: the usual folders
    /// are searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs: Option<PathBuf>,
    /// The user that runs a temporary server if this program runs as root, which PostgreSQL
    /// refuses. Default: `postgres`, else `nobody`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl DrillConfig {
    /// Makes relative paths relative to `base`.
    pub(crate) fn resolve(&mut self, base: &Path) {
        if let DrillServer::Url(SecretRef::File(path)) = &mut self.server {
            resolve(path, base);
        }
        if let Some(programs) = &mut self.programs {
            resolve(programs, base);
        }
    }
}

/// An SQL query: alone if the job has one database, else with its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
#[non_exhaustive]
pub enum CheckConfig {
    /// `"select count(*) > 0 from users"`, of the job's only database.
    Sql(String),
    /// `{ source = "db", sql = "select …" }`.
    Of(CheckOf),
}

/// A query on the database of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table such as { source = \"db\", sql = \"select …\" }")]
#[non_exhaustive]
pub struct CheckOf {
    /// The source.
    pub source: Name,
    /// The query.
    pub sql: String,
}

impl CheckConfig {
    /// The source that it names, and the query.
    pub fn parts(&self) -> (Option<&Name>, &str) {
        match self {
            Self::Sql(sql) => (None, sql),
            Self::Of(of) => (Some(&of.source), &of.sql),
        }
    }
}

/// Where a drill restores PostgreSQL databases to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DrillServer {
    /// `"source"`: a scratch database on the server that was backed up.
    #[default]
    Source,
    /// `"throw-away"`: a temporary server, created with initdb and removed afterwards.
    ThrowAway,
    /// `{ env = "DRILL_URL" }`: a scratch database on another server.
    #[serde(untagged)]
    Url(SecretRef),
}

impl<'de> Deserialize<'de> for CheckConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Check;

        impl<'de> Visitor<'de> for Check {
            type Value = CheckConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an SQL query, or { source = \"db\", sql = \"select …\" }")
            }

            fn visit_str<E: serde::de::Error>(self, sql: &str) -> Result<CheckConfig, E> {
                Ok(CheckConfig::Sql(sql.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CheckConfig, A::Error> {
                CheckOf::deserialize(MapAccessDeserializer::new(map)).map(CheckConfig::Of)
            }
        }

        deserializer.deserialize_any(Check)
    }
}

impl<'de> Deserialize<'de> for DrillServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Server;

        impl<'de> Visitor<'de> for Server {
            type Value = DrillServer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"source\", \"throw-away\" or a secret's place such as { env = \"DRILL_URL\" }")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<DrillServer, E> {
                match word {
                    "source" => Ok(DrillServer::Source),
                    "throw-away" => Ok(DrillServer::ThrowAway),
                    // It may contain a password.
                    url if url.contains([':', '=']) => Err(E::custom(SecretRef::ADVICE)),
                    other => Err(E::unknown_variant(other, &["source", "throw-away"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DrillServer, A::Error> {
                let place = SecretRef::deserialize(MapAccessDeserializer::new(map));
                place.map(DrillServer::Url).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(Server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_servers_are_read_in_each_form() {
        let text = r#"{"checks": ["select true", {"source": "db", "sql": "select 1"}], "server": "throw-away"}"#;
        let config: DrillConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.checks[0].parts(), (None, "select true"));
        assert_eq!(config.checks[1].parts().0.unwrap().as_str(), "db");
        assert_eq!(config.server, DrillServer::ThrowAway);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<DrillConfig>(&text).unwrap(), config);
        let other: DrillServer = serde_json::from_str(r#"{"env": "X"}"#).unwrap();
        assert_eq!(other, DrillServer::Url(SecretRef::Env("X".into())));
    }

    #[test]
    fn a_url_in_the_file_is_refused_without_repeating_it() {
        let read = serde_json::from_str::<DrillServer>("\"postgres://a:hunter2@b/c\"");
        let error = read.unwrap_err().to_string();
        assert!(error.contains("env") && !error.contains("hunter2"), "{error}");
    }
}
