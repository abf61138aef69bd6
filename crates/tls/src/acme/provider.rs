//! The provider: an authority, and what answers its challenges.

use std::sync::Arc;

use async_trait::async_trait;
use instant_acme::RevocationRequest;
use rustls::pki_types::CertificateDer;
use seaworthy_core::{Context, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{authority::AcmeAuthority, error, order::OrderRun, poll::past_nonces};
use crate::{
    Certificate, CertificateKey, CertificateProvider, CertificateRequest, ChallengeSolver,
    IssuedChain, RenewalHint, RevocationReason,
};

/// Certificates from an authority, whose challenges one solver answers.
#[derive(Clone, Debug)]
pub struct AcmeProvider {
    authority: AcmeAuthority,
    solver: Arc<dyn ChallengeSolver>,
}

/// What is needed to go on after a crash.
#[derive(Serialize, Deserialize)]
struct Note {
    directory: String,
    order: String,
    names: Vec<crate::Identifier>,
}

impl AcmeProvider {
    /// Asks `authority`; `solver` answers.
    pub fn new(authority: AcmeAuthority, solver: Arc<dyn ChallengeSolver>) -> Self {
        Self { authority, solver }
    }

    /// The authority.
    pub fn authority(&self) -> &AcmeAuthority {
        &self.authority
    }

    /// The order that a run before this one began for the same names, where there is one.
    fn begun(&self, request: &CertificateRequest) -> Result<Option<String>> {
        let Some(journal) = &request.journal else { return Ok(None) };
        let Some(text) = journal.read()? else { return Ok(None) };
        // A note that cannot be read is as good as none: a new order is begun.
        let note: Option<Note> = serde_json::from_str(&text).ok();
        Ok(note
            .filter(|note| note.directory == self.id() && note.names == request.names)
            .map(|note| note.order))
    }

    fn note(&self, request: &CertificateRequest, order: Option<&str>) -> Result<()> {
        let Some(journal) = &request.journal else { return Ok(()) };
        let note = order.map(|order| Note {
            directory: self.id().to_owned(),
            order: order.to_owned(),
            names: request.names.clone(),
        });
        let text = note.map(|note| serde_json::to_string(&note)).transpose();
        let text = text.map_err(|e| Error::new(ErrorKind::Internal, "acme.note", e.to_string()))?;
        journal.write(text.as_deref())
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
        if let Some(url) = self.begun(request)? {
            match run.resume(&url, key).await {
                Ok(chain) => return Ok(chain),
                // What may pass is tried again later; the order is not lost.
                Err(Failure::Ours(error)) if error.is_retryable() => return Err(error.into()),
                Err(Failure::Ours(error)) if error.kind() == ErrorKind::Cancelled => {
                    return Err(error.into());
                }
                Err(_) => self.note(request, None)?,
            }
        }
        if let Some(ledger) = &self.authority.0.options.ledger {
            ledger.allow(self.id(), request, cx.now())?;
        }
        let mut order = run.begin().await?;
        if let Some(ledger) = &self.authority.0.options.ledger {
            ledger.ordered(self.id(), cx.now())?;
        }
        // From here on a crash costs nothing: the next run goes on with this order.
        self.note(request, Some(order.url()))?;
        Ok(run.complete(&mut order, key).await?)
    }
}

/// What an order fails with: the authority's words where they matter for what comes next.
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
                self.note(request, None)?;
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
