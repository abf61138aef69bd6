//! `[sink.<name>]` and `[backup.<name>]` as in the file.

mod keys;

use std::path::{Path, PathBuf};

use seaworthy_core::{ByteRate, CommandLine, Name, Named, Result, Schedule, SecretRef, Span};
use serde::{Deserialize, Serialize};

use crate::{
    format::Codec, options::VerifyAfter, paths::resolve, payload::Compression, retention::Keep,
};

pub use crate::{
    drill::{CheckConfig, CheckOf, DrillConfig, DrillServer},
    sinks::{
        CustomSinkConfig, SinkConfig,
        local::LocalSinkConfig,
        s3::{
            AddressStyle, B2Key, B2SinkConfig, CustomerKey, KmsKey, LockMode, ObjectLockConfig,
            RateConfig, S3Keys, S3SinkConfig, ServerEncryptionConfig, StoreKey,
        },
    },
    sources::{
        SourceConfig,
        command::{CommandConfig, EnvironmentValue},
        files::FilesConfig,
        postgres::PostgresConfig,
        sqlite::{ForeignKeys, SqliteConfig},
    },
};
pub use keys::{EncryptionConfig, SigningConfig};

/// A job: what is backed up, where to, and how: `[backup.<name>]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct JobConfig {
    /// The names of the sinks. The run writes to the first one; the others are copies of it.
    pub sinks: Vec<Name>,
    /// When the job is due. Without a schedule it only runs by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Which snapshots are kept. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Different rules for single sinks.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub keep_on: Named<Keep>,
    /// How payloads are compressed. Default: zstd at level 3.
    #[serde(default)]
    pub compression: CompressionConfig,
    /// How long a snapshot stays in the first sink, whatever `keep` says, while another sink of the
    /// job does not have it yet. Default: `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_hold: Option<Span>,
    /// The recipients that snapshots are encrypted for. Default: no encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<EncryptionConfig>,
    /// The keys that sign and verify snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<SigningConfig>,
    /// How a new snapshot is verified. Default: `read` for local sinks, `stat` for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_after: Option<VerifyAfter>,
    /// What the run may use.
    #[serde(default)]
    pub limit: LimitConfig,
    /// The names of the notifiers that get the job's results. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Vec<Name>>,
    /// What is backed up. Sources run in the order in which they are written.
    pub sources: Named<SourceConfig>,
    /// Commands around a restore in place.
    #[serde(default)]
    pub restore: RestoreConfig,
    /// How restore drills are run.
    #[serde(default)]
    pub drill: DrillConfig,
}

impl JobConfig {
    /// The rules for the sink called `sink`; `None` keeps all.
    pub fn keep_for(&self, sink: &str) -> Option<&Keep> {
        self.keep_on.get(sink).or(self.keep.as_ref())
    }
}

/// How payloads are compressed: `{ codec = "zstd", level = 3 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table such as { codec = \"zstd\", level = 3 }")]
#[non_exhaustive]
pub struct CompressionConfig {
    /// The codec.
    #[serde(default)]
    pub codec: Codec,
    /// zstd 1 to 19, default 3; gzip 1 to 9, default 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
}

impl CompressionConfig {
    /// The codec and its level. A level that the codec does not have is
    /// [`ErrorKind::InvalidInput`](seaworthy_core::ErrorKind::InvalidInput).
    pub fn compression(&self) -> Result<Compression> {
        Compression::new(self.codec, self.level)
    }
}

/// What a run may use: `[backup.<name>.limit]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct LimitConfig {
    /// How many threads read and compress. Default: one per core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 256)))]
    pub workers: Option<u16>,
    /// The upload limit to sinks on another machine, in bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<ByteRate>,
    /// The download limit from sinks on another machine, in bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<ByteRate>,
    /// The folder for temporary files, such as the copy of an SQLite database. Default: the
    /// machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp: Option<PathBuf>,
}

/// Commands around a restore in place: `[backup.<name>.restore]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct RestoreConfig {
    /// Commands that run one after another before anything is changed; a failure stops the restore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<CommandLine>,
    /// Commands that run afterwards, also if the restore failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<CommandLine>,
}

impl JobConfig {
    /// Makes relative paths relative to `base`, which must be absolute.
    pub fn resolve(&mut self, base: &Path) {
        if let Some(temp) = &mut self.limit.temp {
            resolve(temp, base);
        }
        let passphrase = self.encryption.as_mut().and_then(|e| e.passphrase.as_mut());
        let key = self.signing.as_mut().and_then(|signing| signing.key.as_mut());
        for secret in [passphrase, key].into_iter().flatten() {
            if let SecretRef::File(path) = secret {
                resolve(path, base);
            }
        }
        self.sources.iter_mut().for_each(|(_, source)| source.as_kind_mut().resolve(base));
        self.drill.resolve(base);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_the_codec_lacks_is_refused() {
        let read = |text| serde_json::from_str::<CompressionConfig>(text).unwrap().compression();
        assert!(read(r#"{"codec":"gzip","level":10}"#).is_err());
        assert!(read(r#"{"codec":"none","level":3}"#).is_err());
        assert_eq!(read("{}").unwrap(), Compression::default());
    }

    #[test]
    fn sources_keep_their_order() {
        let job: JobConfig = serde_json::from_str(
            r#"{"sinks":["a"],"sources":{
                "z":{"type":"sqlite","path":"z.db"},
                "a":{"type":"files","paths":["x"]}}}"#,
        )
        .unwrap();
        assert_eq!(job.sources.names().map(Name::as_str).collect::<Vec<_>>(), ["z", "a"]);
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<JobConfig>(&text).unwrap(), job);
    }
}
