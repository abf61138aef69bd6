//! `[sink.<name>]` with `type = "s3"` or `type = "b2"`.

use std::path::{Path, PathBuf};

use seaworthy_core::{ByteRate, ByteSize, SecretRef, Span};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{format::ObjectKey, paths::resolve};

/// A bucket of any store that speaks S3.
///
/// Without keys and without a profile, the environment, the user's own profile and the machine's
/// role are tried, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct S3SinkConfig {
    /// The bucket. It must exist.
    pub bucket: String,
    /// The prefix of all keys.
    #[serde(default, deserialize_with = "prefix", skip_serializing_if = "is_root")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub prefix: ObjectKey,
    /// The region. Default: that of the profile, else `us-east-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The store's address, `https://…`. Default: Amazon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether `endpoint` may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
    /// How the bucket is addressed: `path` (`host/bucket`) or `virtual` (`bucket.host`). Default:
    /// `path` if there is an `endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<AddressStyle>,
    /// A PEM file with authorities to trust in addition to the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// The place of the access key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<SecretRef>,
    /// The place of the access key's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<SecretRef>,
    /// The place of the token of a temporary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretRef>,
    /// The profile to take keys from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The file with profiles. Default: `~/.aws/credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_file: Option<PathBuf>,
    /// Whether runs must not delete, so that their key does not need the right to. `prune` then
    /// uses the keys in `prune`, and only the rule `within` applies.
    #[serde(default)]
    pub append_only: bool,
    /// The keys that `prune` uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<S3Keys>,
    /// The size of each part of an upload. Default: 8 MiB, growing with the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_size: Option<ByteSize>,
    /// The storage class of new objects, such as `STANDARD_IA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// How the store encrypts new objects. Default: as set for the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_encryption: Option<ServerEncryptionConfig>,
    /// Locks new objects for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLockConfig>,
    /// How fast this sink may be used.
    #[serde(default, skip_serializing_if = "RateConfig::is_default")]
    pub limit: RateConfig,
    /// How long a request may make no progress. Default: 2 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How often a request is tried again, with growing pauses. Default: 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 100)))]
    pub retries: Option<u8>,
}

/// A bucket of Backblaze B2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct B2SinkConfig {
    /// The bucket. It must exist.
    pub bucket: String,
    /// The prefix of all keys. An application key that is restricted to a prefix needs it here.
    #[serde(default, deserialize_with = "prefix", skip_serializing_if = "is_root")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub prefix: ObjectKey,
    /// The region, such as `eu-central-003`: it is part of the bucket's endpoint.
    pub region: String,
    /// The store's address, if it is not Backblaze's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether `endpoint` may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
    /// A PEM file with authorities to trust in addition to the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// The place of the application key's id.
    pub key_id: SecretRef,
    /// The place of the application key.
    pub application_key: SecretRef,
    /// Whether runs must not delete, so that their key does not need the capability to. `prune`
    /// then uses the key in `prune`, and only the rule `within` applies.
    #[serde(default)]
    pub append_only: bool,
    /// The key that `prune` uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<B2Key>,
    /// The size of each part of an upload. Default: 8 MiB, growing with the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_size: Option<ByteSize>,
    /// How the store encrypts new objects. Default: as set for the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_encryption: Option<ServerEncryptionConfig>,
    /// Locks new objects for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLockConfig>,
    /// How fast this sink may be used.
    #[serde(default, skip_serializing_if = "RateConfig::is_default")]
    pub limit: RateConfig,
    /// How long a request may make no progress. Default: 2 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How often a request is tried again, with growing pauses. Default: 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 100)))]
    pub retries: Option<u8>,
}

/// Keys for `prune` on an append-only sink: `[sink.<name>.prune]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct S3Keys {
    /// The place of the access key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<SecretRef>,
    /// The place of the access key's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<SecretRef>,
    /// The place of the token of a temporary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretRef>,
    /// The profile to take keys from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The file with profiles. Default: `~/.aws/credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_file: Option<PathBuf>,
}

/// The key for `prune` on an append-only sink: `[sink.<name>.prune]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct B2Key {
    /// The place of the application key's id.
    pub key_id: SecretRef,
    /// The place of the application key.
    pub application_key: SecretRef,
}

/// How a bucket is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AddressStyle {
    /// `https://host/bucket/object`
    Path,
    /// `https://bucket.host/object`
    Virtual,
}

/// How the store encrypts what it keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServerEncryptionConfig {
    /// With a key of the store.
    Aes256(StoreKey),
    /// With a key of the store's key management service.
    Kms(KmsKey),
    /// With a key that is sent with each request.
    Customer(CustomerKey),
}

seaworthy_core::tagged!(ServerEncryptionConfig, "a table such as { type = \"aes256\" }", {
    "aes256" => Aes256(StoreKey),
    "kms" => Kms(KmsKey),
    "customer" => Customer(CustomerKey),
});

/// A key of the store: it has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct StoreKey {}

/// A key of the store's key management service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct KmsKey {
    /// Its id or ARN. Default: the bucket's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A key that is sent with each request. If it is lost, the snapshots are lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct CustomerKey {
    /// The place of the 32 bytes, in base64.
    pub key: SecretRef,
}

/// Who can still delete an object that is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LockMode {
    /// Users with a special right.
    Governance,
    /// Nobody.
    Compliance,
}

/// Locks new objects: `{ mode = "compliance", retain = "30d" }`. The bucket must be created with
/// object lock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { mode = \"compliance\", retain = \"30d\" }"
)]
#[non_exhaustive]
pub struct ObjectLockConfig {
    /// Who can still delete them.
    pub mode: LockMode,
    /// For how long.
    pub retain: Span,
}

/// How fast a sink may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table such as { upload = \"20MiB/s\" }")]
#[non_exhaustive]
pub struct RateConfig {
    /// The upload limit in bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<ByteRate>,
    /// The download limit in bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<ByteRate>,
}

impl RateConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl S3SinkConfig {
    /// The keys of runs.
    pub fn keys(&self) -> S3Keys {
        S3Keys {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            profile: self.profile.clone(),
            profile_file: self.profile_file.clone(),
        }
    }

    pub(super) fn resolve_paths(&mut self, base: &Path) {
        let secrets =
            [&mut self.access_key_id, &mut self.secret_access_key, &mut self.session_token];
        secrets.into_iter().flatten().for_each(|secret| resolve_secret(secret, base));
        self.server_side_encryption.iter_mut().for_each(|sse| resolve_encryption(sse, base));
        let paths = [&mut self.roots, &mut self.profile_file];
        paths.into_iter().flatten().for_each(|path| resolve(path, base));
        if let Some(prune) = &mut self.prune {
            let secrets =
                [&mut prune.access_key_id, &mut prune.secret_access_key, &mut prune.session_token];
            secrets.into_iter().flatten().for_each(|secret| resolve_secret(secret, base));
            prune.profile_file.iter_mut().for_each(|path| resolve(path, base));
        }
    }
}

impl B2SinkConfig {
    /// The key of runs.
    pub fn key(&self) -> B2Key {
        let (key_id, application_key) = (self.key_id.clone(), self.application_key.clone());
        B2Key { key_id, application_key }
    }

    pub(super) fn resolve_paths(&mut self, base: &Path) {
        resolve_secret(&mut self.key_id, base);
        resolve_secret(&mut self.application_key, base);
        self.server_side_encryption.iter_mut().for_each(|sse| resolve_encryption(sse, base));
        self.roots.iter_mut().for_each(|path| resolve(path, base));
        if let Some(prune) = &mut self.prune {
            resolve_secret(&mut prune.key_id, base);
            resolve_secret(&mut prune.application_key, base);
        }
    }
}

fn resolve_encryption(encryption: &mut ServerEncryptionConfig, base: &Path) {
    if let ServerEncryptionConfig::Customer(customer) = encryption {
        resolve_secret(&mut customer.key, base);
    }
}

fn resolve_secret(secret: &mut SecretRef, base: &Path) {
    if let SecretRef::File(path) = secret {
        resolve(path, base);
    }
}

/// People write slashes at either end; they are ignored.
fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.trim_matches('/').parse().map_err(serde::de::Error::custom)
}

fn is_root(prefix: &ObjectKey) -> bool {
    prefix.as_str().is_empty()
}
