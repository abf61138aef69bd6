//! The interface for issuing certificates.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Certificate, CertificateKey, Identifier, IssuedChain};

/// Issues certificates: an ACME authority, or a local authority.
#[async_trait]
pub trait CertificateProvider: Debug + Send + Sync + 'static {
    /// Identifies the authority, for example by the URL of an ACME directory. Staging and
    /// production never share an id.
    fn id(&self) -> &str;

    /// Issues a certificate for the names in `request` and the public key of `key`.
    ///
    /// # Errors
    /// An error whose context has [`NOT_BEFORE`] gives the earliest time of the next request.
    async fn issue(
        &self,
        request: &CertificateRequest,
        key: &dyn CertificateKey,
        cx: &Context,
    ) -> Result<IssuedChain>;

    /// When the authority wants `certificate` to be renewed, if it says so (RFC 9773).
    async fn renewal_hint(&self, certificate: &Certificate) -> Result<Option<RenewalHint>>;

    /// Revokes `certificate`; this cannot be undone.
    async fn revoke(&self, certificate: &Certificate, reason: RevocationReason) -> Result<()>;
}

/// The key in an error's context for the earliest time of the next request.
pub const NOT_BEFORE: &str = "not before";

/// A request for a certificate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CertificateRequest {
    /// The names and addresses.
    pub names: Vec<Identifier>,
    /// The authority's profile, such as `tlsserver`.
    pub profile: Option<String>,
    /// The common name of the preferred authority, if there are several chains.
    pub preferred_chain: Option<String>,
    /// The certificate that this one replaces.
    pub replaces: Option<Certificate>,
    /// Whether to continue if the ledger says that a limit is nearly reached.
    pub force: bool,
    /// Where the provider saves what it needs to continue after a crash.
    pub journal: Option<Arc<dyn Journal>>,
}

impl CertificateRequest {
    /// A certificate for `names`, without further options.
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

/// Where one certificate's provider saves a note that survives a crash.
pub trait Journal: Debug + Send + Sync {
    /// The note, if there is one.
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
    /// A window, to be requested again at `ask_again`.
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
    /// Unspecified.
    #[default]
    Unspecified,
    /// The key may be compromised.
    KeyCompromise,
    /// We no longer control the names.
    AffiliationChanged,
    /// There is a newer one.
    Superseded,
    /// It is not used any more.
    CessationOfOperation,
}
