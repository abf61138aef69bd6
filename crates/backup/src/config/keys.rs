//! `encryption = { … }` and `signing = { … }` of a job as in the file.

use seaworthy_core::SecretRef;
use serde::{Deserialize, Serialize};

/// The recipients of encrypted snapshots: `{ recipients = ["age1…"] }`, or a passphrase alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table such as { recipients = [\"age1…\"] }")]
#[non_exhaustive]
pub struct EncryptionConfig {
    /// Public keys: age1…, ssh-ed25519 … or ssh-rsa …. The private half of any one of them decrypts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// A passphrase, if there are no recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretRef>,
}

/// Signing keys of snapshots: `{ key = { file = … }, trust = ["RWQ…"] }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { key = { file = … }, trust = [\"RWQ…\"] }"
)]
#[non_exhaustive]
pub struct SigningConfig {
    /// The secret key of minisign, without a password, that signs new snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
    /// Public keys of minisign: anything not signed by one of them is untrusted. Without them,
    /// signatures are made but not verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
}
