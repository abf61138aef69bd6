//! The seam behind which certificates are issued.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Certificate, CertificateKey, Identifier, IssuedChain};

/// Whoever issues certificates: an ACME authority, an authority of one's own.
#[async_trait]
pub trait CertificateProvider: Debug + Send + Sync + 'static {
    /// Tells authorities apart: the URL of an ACME directory, for example. Staging and production
    /// never share one.
    fn id(&self) -> &str;

    /// Issues a certificate for what `request` names and the public half of `key`.
    ///
    /// # Errors
    /// An error whose context has [`NOT_BEFORE`] says when to ask again at the earliest.
    async fn issue(
        &self,
        request: &CertificateRequest,
        key: &dyn CertificateKey,
        cx: &Context,
    ) -> Result<IssuedChain>;

    /// When the authority wants `certificate` to be renewed, where it says so (RFC 9773).
    async fn renewal_hint(&self, certificate: &Certificate) -> Result<Option<RenewalHint>>;

    /// Makes `certificate` invalid for ever.
    async fn revoke(&self, certificate: &Certificate, reason: RevocationReason) -> Result<()>;
}

/// The name in an error's context of the moment before which the authority wants to hear nothing.
pub const NOT_BEFORE: &str = "not before";

/// What a certificate is to be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CertificateRequest {
    /// The names and addresses.
    pub names: Vec<Identifier>,
    /// The authority's profile, such as `tlsserver`.
    pub profile: Option<String>,
    /// The common name of an authority that the chain shall lead to, where there is a choice.
    pub preferred_chain: Option<String>,
    /// The certificate that this one takes the place of.
    pub replaces: Option<Certificate>,
    /// Whether to go on where the ledger says that a limit is nearly used up.
    pub force: bool,
    /// Where the provider notes what it needs to go on after a crash.
    pub journal: Option<Arc<dyn Journal>>,
}

impl CertificateRequest {
    /// A certificate for `names`, and nothing special.
    pub fn new(names: impl Into<Vec<Identifier>>) -> Self {
        Self {
            names: names.into(),
            profile: None,
            preferred_chain: None,
            replaces: None,
            force: false,
            journal: None,
        }
    }
}

/// Where one certificate's provider keeps a note that survives a crash.
pub trait Journal: Debug + Send + Sync {
    /// The note, where there is one.
    fn read(&self) -> Result<Option<String>>;

    /// Replaces the note; `None` removes it. Durable when it returns.
    fn write(&self, note: Option<&str>) -> Result<()>;
}

/// When an authority wants a certificate to be renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RenewalHint {
    /// The beginning of the window.
    pub start: Timestamp,
    /// The end of the window.
    pub end: Timestamp,
    /// When to ask again.
    pub ask_again: Timestamp,
    /// A page that explains the window.
    pub explanation: Option<String>,
}

impl RenewalHint {
    /// A window, to be asked for again at `ask_again`.
    pub fn new(start: Timestamp, end: Timestamp, ask_again: Timestamp) -> Self {
        Self { start, end, ask_again, explanation: None }
    }
}

/// Why a certificate is revoked (RFC 5280, section 5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RevocationReason {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// The names are no longer ours.
    AffiliationChanged,
    /// There is a newer one.
    Superseded,
    /// It is not used any more.
    CessationOfOperation,
}
