//! `cert revoke`.

use std::sync::Arc;

use seaworthy_core::{Context, Error, ErrorKind, Name, Result};
use seaworthy_tls::{
    CertificateProvider, Fingerprint, RevocationReason,
    manage::{ManagedCertificate, Origin},
};
use serde::{Deserialize, Serialize};

#[cfg(feature = "clap")]
use crate::command::flags;
use crate::{Reply, Seaworthy, command::request};

/// What `cert revoke` is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertRevokeRequest {
    /// The certificates.
    #[cfg_attr(feature = "clap", arg(value_name = "NAME", required = true))]
    pub names: Vec<Name>,
    /// Why.
    #[serde(default)]
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            default_value = "unspecified",
            value_parser = flags::word::<RevocationReason>()
        )
    )]
    pub reason: RevocationReason,
}

request!(CertRevokeRequest, "cert revoke", cert_revoke -> RevokeResult);

impl CertRevokeRequest {
    /// Revokes the certificates `names`.
    pub fn new(names: Vec<Name>, reason: RevocationReason) -> Self {
        Self { names, reason }
    }
}

/// The result of `cert revoke`.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct RevokeResult {
    /// The certificates, with the SHA-256 of each.
    pub revoked: Vec<(Name, Fingerprint)>,
}

impl Seaworthy {
    /// Revokes the live certificates of these names; this cannot be undone. The next `cert renew`
    /// gets new ones, with new keys.
    pub async fn cert_revoke(
        &self,
        request: &CertRevokeRequest,
        cx: &Context,
    ) -> Reply<RevokeResult> {
        self.try_revoke(&request.names, request.reason, cx).await.into()
    }

    async fn try_revoke(
        &self,
        names: &[Name],
        reason: RevocationReason,
        cx: &Context,
    ) -> Result<RevokeResult> {
        if names.is_empty() {
            let message = "no certificate to revoke was given";
            return Err(Error::new(ErrorKind::InvalidInput, "certificate.revoke", message));
        }
        let manager = self.certificate_manager();
        let opener = self.certificate_opener();
        let mut revoked = Vec::new();
        for name in self.certificate_names(names)? {
            let Some(version) = manager.store().current(&name)? else {
                let message = format!("there is no certificate {name}");
                return Err(Error::new(ErrorKind::NotFound, "certificate.revoke", message));
            };
            let issuer = &version.about.provider;
            let real = self.managed_certificate(&name, &opener, cx).await?;
            let mut provider = provider_of(&real, issuer);
            if provider.is_none() {
                let trial = opener.clone().staging(true);
                let trial = self.managed_certificate(&name, &trial, cx).await;
                provider = trial.ok().and_then(|trial| provider_of(&trial, issuer));
            }
            let provider = provider.ok_or_else(|| {
                let message =
                    format!("certificate {name} was issued by {issuer}, which is not in the file");
                Error::new(ErrorKind::Unsupported, "certificate.revoke", message)
                    .remedy_is("add that `ca` to the certificate")
            })?;
            provider.revoke(version.chain.leaf(), reason).await?;
            manager.note_revoked(&name)?;
            revoked.push((name, version.chain.leaf().fingerprint()));
        }
        Ok(RevokeResult { revoked })
    }
}

fn provider_of(certificate: &ManagedCertificate, id: &str) -> Option<Arc<dyn CertificateProvider>> {
    match &certificate.origin {
        Origin::Managed(providers) => providers.iter().find(|p| p.id() == id).cloned(),
        _ => None,
    }
}
