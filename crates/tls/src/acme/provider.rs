//! The provider: an authority, and the solver for its challenges.

use std::sync::Arc;

use async_trait::async_trait;
use instant_acme::RevocationRequest;
use rustls::pki_types::CertificateDer;
use seaworthy_core::{Context, Error, ErrorKind, Result};

use super::{authority::AcmeAuthority, error, note::Note, order::OrderRun, poll::past_nonces};
use crate::{
    Certificate, CertificateKey, CertificateProvider, CertificateRequest, ChallengeSolver,
    IssuedChain, RenewalHint, RevocationReason,
};

/// Certificates from an authority; one solver answers its challenges.
#[derive(Clone, Debug)]
pub struct AcmeProvider {
    authority: AcmeAuthority,
    solver: Arc<dyn ChallengeSolver>,
}

impl AcmeProvider {
    /// Requests from `authority`; `solver` answers its challenges.
    pub fn new(authority: AcmeAuthority, solver: Arc<dyn ChallengeSolver>) -> Self {
        Self { authority, solver }
    }

    /// The authority.
    pub fn authority(&self) -> &AcmeAuthority {
        &self.authority
    }

    async fn issue_once(
        &self,
        account: &instant_acme::Account,
        request: &CertificateRequest,
        key: &dyn CertificateKey,
        cx: &Context,
    ) -> std::result::Result<IssuedChain, Failure> {
        let run =
            OrderRun { inner: &self.authority.0, account, solver: &*self.solver, request, cx };
        let before = Note::read(request)?;
        if let Some(note) = &before {
            note.tidy(&*self.solver).await;
        }
        if let Some(url) =
            before.as_ref().and_then(|note| note.order_for(self.id(), &request.names))
        {
            match run.resume(url, key).await {
                Ok(chain) => return Ok(chain),
                // Temporary failures are retried later; the order is not lost.
                Err(Failure::Ours(error)) if error.is_retryable() => return Err(error.into()),
                Err(Failure::Ours(error)) if error.kind() == ErrorKind::Cancelled => {
                    return Err(error.into());
                }
                Err(_) => Note::remove(request)?,
            }
        }
        if let Some(ledger) = &self.authority.0.options.ledger {
            ledger.allow(self.id(), request, cx.now())?;
        }
        let mut order = run.begin().await?;
        if let Some(ledger) = &self.authority.0.options.ledger {
            ledger.ordered(self.id(), cx.now())?;
        }
        run.note(&order, &[])?;
        Ok(run.complete(&mut order, key).await?)
    }
}

/// The error of an order, with the details that decide the next step.
pub(super) enum Failure {
    Acme(instant_acme::Error, &'static str),
    Ours(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

#[async_trait]
impl CertificateProvider for AcmeProvider {
    fn id(&self) -> &str {
        self.authority.directory()
    }

    async fn issue(
        &self,
        request: &CertificateRequest,
        key: &dyn CertificateKey,
        cx: &Context,
    ) -> Result<IssuedChain> {
        let inner = &self.authority.0;
        let account = inner.account().await?;
        let issued = match self.issue_once(&account, request, key, cx).await {
            Err(Failure::Acme(e, _)) if error::account_is_gone(&e) => {
                let account = inner.replace_account(&account, cx.now()).await?;
                Note::remove(request)?;
                self.issue_once(&account, request, key, cx).await
            }
            other => other,
        };
        match issued {
            Ok(chain) => {
                if let Some(ledger) = &inner.options.ledger {
                    ledger.issued(self.id(), &request.names, cx.now())?;
                }
                Ok(chain)
            }
            Err(Failure::Acme(e, what)) => Err(inner.explain(e, what)),
            Err(Failure::Ours(error)) => Err(error),
        }
    }

    async fn renewal_hint(&self, certificate: &Certificate) -> Result<Option<RenewalHint>> {
        self.authority.0.hint(certificate).await
    }

    async fn revoke(&self, certificate: &Certificate, reason: RevocationReason) -> Result<()> {
        let account = self.authority.0.account().await?;
        let der = CertificateDer::from(certificate.der());
        let reason = match reason {
            RevocationReason::Unspecified => None,
            RevocationReason::KeyCompromise => Some(instant_acme::RevocationReason::KeyCompromise),
            RevocationReason::AffiliationChanged => {
                Some(instant_acme::RevocationReason::AffiliationChanged)
            }
            RevocationReason::Superseded => Some(instant_acme::RevocationReason::Superseded),
            RevocationReason::CessationOfOperation => {
                Some(instant_acme::RevocationReason::CessationOfOperation)
            }
        };
        let request = RevocationRequest { certificate: &der, reason };
        match past_nonces!(account.revoke(&request)) {
            Err(instant_acme::Error::Api(problem))
                if error::kind_of(&problem) == "alreadyRevoked" =>
            {
                Ok(())
            }
            Err(e) => Err(self.authority.0.explain(e, "revoking")),
            Ok(()) => Ok(()),
        }
    }
}
