//! One order, from the names to the chain.

use futures_util::future::{join_all, try_join_all};
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error as AcmeError,
    NewOrder, Order, OrderStatus,
};
use rustls::pki_types::Der;
use seaworthy_core::{Context, Error, ErrorKind, Result};

use super::{
    authority::Inner,
    error,
    note::Note,
    poll::{Pauses, past_nonces},
    provider::Failure,
};
use crate::{
    CertificateKey, CertificateRequest, Challenge, ChallengeKind, ChallengeSolver, Identifier,
    IssuedChain,
    remote_key::{Remote, parameters},
};

/// What one order needs.
pub(super) struct OrderRun<'a> {
    pub(super) inner: &'a Inner,
    pub(super) account: &'a Account,
    pub(super) solver: &'a dyn ChallengeSolver,
    pub(super) request: &'a CertificateRequest,
    pub(super) cx: &'a Context,
}

impl OrderRun<'_> {
    /// Starts a new order. If the authority rejects `replaces`, the order is tried again without
    /// it: no certificate should expire because of that.
    pub(super) async fn begin(&self) -> std::result::Result<Order, Failure> {
        if let Some(profile) = &self.request.profile {
            let known: Vec<_> = self.account.profiles().map(|p| p.name.to_owned()).collect();
            if !known.iter().any(|name| name == profile) {
                return Err(unknown_profile(&self.inner.options.directory, profile, &known).into());
            }
        }
        let identifiers: Vec<_> = self.request.names.iter().map(identifier).collect();
        let mut order = NewOrder::new(&identifiers);
        if let Some(profile) = &self.request.profile {
            order = order.profile(profile);
        }
        let old = self.request.replaces.as_ref().and_then(|old| old.renewal_parts());
        if let Some((authority, serial)) = old {
            let id =
                CertificateIdentifier::new(Der::from_slice(authority), Der::from_slice(serial));
            let mut with = NewOrder::new(&identifiers).replaces(id);
            if let Some(profile) = &self.request.profile {
                with = with.profile(profile);
            }
            match past_nonces!(self.account.new_order(&with)) {
                Ok(order) => return Ok(order),
                Err(e) if error::account_is_gone(&e) || is_passing(&e) => {
                    return Err(Failure::Acme(e, "a new order"));
                }
                Err(AcmeError::Unsupported(_)) => {}
                Err(e) => tracing::info!("`replaces` was refused, ordering without it: {e}"),
            }
        }
        let begun = past_nonces!(self.account.new_order(&order));
        begun.map_err(|e| Failure::Acme(e, "a new order"))
    }

    /// Continues an order that was started before.
    pub(super) async fn resume(
        &self,
        url: &str,
        key: &dyn CertificateKey,
    ) -> std::result::Result<IssuedChain, Failure> {
        let order = past_nonces!(self.account.order(url.to_owned()));
        let mut order = order.map_err(|e| Failure::Acme(e, "the order of the last run"))?;
        if order.state().status == OrderStatus::Invalid {
            let message = "the order of the last run was not completed";
            return Err(Error::new(ErrorKind::NotFound, "acme.order", message).into());
        }
        Ok(self.complete(&mut order, key).await?)
    }

    /// Completes an order from its current state.
    pub(super) async fn complete(
        &self,
        order: &mut Order,
        key: &dyn CertificateKey,
    ) -> Result<IssuedChain> {
        let mut pauses = Pauses::new(self.inner.options.patience);
        if order.state().status == OrderStatus::Pending {
            self.authorize(order).await?;
        }
        while order.state().status == OrderStatus::Pending {
            let again = self.inner.http.look_again(order.url());
            self.pause(&mut pauses, again, "the names are being validated").await?;
            self.refresh(order).await?;
        }
        if order.state().status == OrderStatus::Ready {
            self.finalize(order, key).await?;
        }
        let mut pauses = Pauses::new(self.inner.options.patience);
        while matches!(order.state().status, OrderStatus::Processing | OrderStatus::Ready) {
            let again = self.inner.http.look_again(order.url());
            self.pause(&mut pauses, again, "the certificate is being issued").await?;
            self.refresh(order).await?;
        }
        if order.state().status != OrderStatus::Valid {
            return Err(self.what_failed(order).await);
        }
        let chain = self.download(order).await?;
        if chain.leaf().public_key() != key.public_key() {
            let message = "the certificate belongs to another key";
            return Err(Error::new(ErrorKind::Damaged, "acme.download", message));
        }
        Ok(chain)
    }

    async fn pause(
        &self,
        pauses: &mut Pauses,
        at: Option<std::time::SystemTime>,
        what: &str,
    ) -> Result<()> {
        tokio::select! {
            done = pauses.pause(at, what) => done,
            () = self.cx.cancel().triggered() => Err(Error::cancelled("acme.order")),
        }
    }

    async fn refresh(&self, order: &mut Order) -> Result<()> {
        past_nonces!(async { order.refresh().await.map(drop) })
            .map_err(|e| self.inner.explain(e, "the order's state"))
    }

    /// Answers the challenge for each name, and waits for the result.
    async fn authorize(&self, order: &mut Order) -> Result<()> {
        let challenges = self.challenges(order).await?;
        self.note(order, &challenges)?;
        let work = async {
            try_join_all(challenges.iter().map(|c| self.solver.present(c))).await?;
            try_join_all(challenges.iter().map(|c| self.solver.ready(c, self.cx))).await?;
            self.say_ready(order).await?;
            let mut pauses = Pauses::new(self.inner.options.patience);
            loop {
                let again = self.inner.http.look_again(order.url());
                self.pause(&mut pauses, again, "the names are being validated").await?;
                self.refresh(order).await?;
                match order.state().status {
                    OrderStatus::Pending => {}
                    OrderStatus::Invalid => return Err(self.what_failed(order).await),
                    _ => return Ok(()),
                }
            }
        };
        let done = tokio::select! {
            done = work => done,
            () = self.cx.cancel().triggered() => Err(Error::cancelled("acme.order")),
        };
        for (challenge, cleaned) in
            challenges.iter().zip(join_all(challenges.iter().map(|c| self.solver.cleanup(c))).await)
        {
            if let Err(error) = cleaned {
                // Leftovers are not a failure: the certificate is what counts.
                tracing::warn!("{}: cannot clean up: {}", challenge.identifier(), error.chain());
            }
        }
        if done.is_err()
            && let Err(error) = self.note(order, &[])
        {
            tracing::warn!("the next run removes the answers: {}", error.chain());
        }
        done
    }

    /// From here on a crash costs nothing: the next run continues this order, and removes the
    /// answers.
    pub(super) fn note(&self, order: &Order, answers: &[Challenge]) -> Result<()> {
        let directory = &self.inner.options.directory;
        Note::new(directory, order.url(), &self.request.names, answers).write(self.request)
    }

    /// The challenges of the names that the authority has not validated yet.
    async fn challenges(&self, order: &mut Order) -> Result<Vec<Challenge>> {
        let kind = challenge_type(self.solver.kind());
        let mut tries = 0;
        'again: loop {
            let mut challenges = Vec::new();
            let mut all = order.authorizations();
            while let Some(next) = all.next().await {
                let mut authorization = match next {
                    // Those that were read are not read again.
                    Err(e) if error::is_bad_nonce(&e) && tries < super::poll::NONCE_TRIES => {
                        tries += 1;
                        continue 'again;
                    }
                    Err(e) => return Err(self.inner.explain(e, "the names to validate")),
                    Ok(authorization) => authorization,
                };
                if authorization.status != AuthorizationStatus::Pending {
                    continue;
                }
                let name = identifier_of(&authorization.identifier())?;
                let offered: Vec<String> =
                    authorization.challenges.iter().map(|c| format!("{:?}", c.r#type)).collect();
                let Some(challenge) = authorization.challenge(kind.clone()) else {
                    return Err(not_offered(&name, self.solver.kind(), &offered));
                };
                let answer = challenge.key_authorization();
                challenges.push(Challenge::new(name, &challenge.token, answer.as_str())?);
            }
            return Ok(challenges);
        }
    }

    async fn say_ready(&self, order: &mut Order) -> Result<()> {
        let kind = challenge_type(self.solver.kind());
        let mut all = order.authorizations();
        while let Some(next) = all.next().await {
            let mut authorization =
                next.map_err(|e| self.inner.explain(e, "the names to validate"))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            if let Some(mut challenge) = authorization.challenge(kind.clone()) {
                past_nonces!(challenge.set_ready())
                    .map_err(|e| self.inner.explain(e, "validating a name"))?;
            }
        }
        Ok(())
    }

    async fn finalize(&self, order: &mut Order, key: &dyn CertificateKey) -> Result<()> {
        let remote = Remote::new(key)?;
        let request = parameters(&self.request.names)?.serialize_request(&remote).map_err(|e| {
            let message = "cannot make the certificate's request";
            Error::new(ErrorKind::Internal, "acme.finalize", message).caused_by(e)
        })?;
        self.cx.check("acme.finalize")?;
        let finalized = past_nonces!(order.finalize_csr(request.der()));
        match finalized {
            Ok(()) => Ok(()),
            // The order's state shows whether the request or only its response was lost.
            Err(AcmeError::Other(_)) => {
                let lost = self.refresh(order).await;
                match (&lost, order.state().status) {
                    (Ok(()), OrderStatus::Processing | OrderStatus::Valid) => Ok(()),
                    (Ok(()), OrderStatus::Ready) => past_nonces!(order.finalize_csr(request.der()))
                        .map_err(|e| self.inner.explain(e, "issuing")),
                    (Ok(()), _) => Err(self.what_failed(order).await),
                    (Err(_), _) => lost,
                }
            }
            Err(e) => Err(self.inner.explain(e, "issuing")),
        }
    }

    async fn download(&self, order: &mut Order) -> Result<IssuedChain> {
        let url = order.state().certificate.clone().unwrap_or_default();
        let text = past_nonces!(order.certificate())
            .map_err(|e| self.inner.explain(e, "the certificate"))?
            .unwrap_or_default();
        let chain = IssuedChain::from_pem(&text)?;
        let Some(wanted) = &self.request.preferred_chain else { return Ok(chain) };
        if chain.leads_to(wanted) {
            return Ok(chain);
        }
        for other in self.inner.http.alternates(&url) {
            // The library does not support alternate chains: we request them like an order and
            // parse the response ourselves.
            self.inner.http.watch(&other);
            let _ = past_nonces!(async { self.account.order(other.clone()).await.map(drop) });
            let text = self.inner.http.watched(&other).unwrap_or_default();
            if let Ok(other) = IssuedChain::from_pem(&text)
                && other.leads_to(wanted)
            {
                return Ok(other);
            }
        }
        tracing::warn!("no chain leads to {wanted:?}: the default one is used");
        Ok(chain)
    }

    /// The error of each name, and not only the first.
    async fn what_failed(&self, order: &mut Order) -> Error {
        let mut found: Vec<(Identifier, String, String)> = Vec::new();
        let mut names = 0;
        let mut all = order.authorizations();
        while let Some(Ok(mut authorization)) = all.next().await {
            names += 1;
            let fresh = past_nonces!(async { authorization.refresh().await.map(drop) });
            let Ok(name) = identifier_of(&authorization.identifier()) else { continue };
            let problem = authorization.challenges.iter().find_map(|c| c.error.as_ref());
            match problem {
                Some(problem) if fresh.is_ok() => {
                    found.push((name, error::kind_of(problem).to_owned(), error::words(problem)));
                }
                _ => {}
            }
        }
        if let Some(ledger) = &self.inner.options.ledger {
            let failed: Vec<_> = found.iter().map(|(name, ..)| name.clone()).collect();
            if let Err(error) = ledger.failed(&self.inner.options.directory, &failed, self.cx.now())
            {
                tracing::warn!("the ledger of limits cannot be written: {}", error.chain());
            }
        }
        let directory = &self.inner.options.directory;
        if found.is_empty() {
            let why = order.state().error.as_ref().map(error::words);
            let why = why.unwrap_or_else(|| "the order was not completed".to_owned());
            let message = format!("{directory} refuses to issue: {why}");
            return Error::new(ErrorKind::PermissionDenied, "acme.order", message);
        }
        let mut message = format!("{directory} could not verify {} of {names} names", found.len());
        for (name, _, words) in &found {
            message.push_str(&format!("\n  {name}: {words}"));
        }
        let error = Error::new(ErrorKind::PermissionDenied, "acme.order", message);
        let failed: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
        let error = error.with("names", failed.join(" "));
        match found.iter().find_map(|(_, kind, _)| error::remedy(kind)) {
            Some(remedy) => error.remedy_is(remedy),
            None => error,
        }
    }
}

/// Whether a later retry may help, so that nothing else should be tried now.
fn is_passing(error: &AcmeError) -> bool {
    match error {
        AcmeError::Other(inner) => inner.downcast_ref::<Error>().is_some(),
        AcmeError::Api(problem) => error::kind_of(problem) == "serverInternal",
        _ => false,
    }
}

fn identifier(name: &Identifier) -> instant_acme::Identifier {
    match name.ip() {
        Some(ip) => instant_acme::Identifier::Ip(ip),
        None => instant_acme::Identifier::Dns(name.as_str().to_owned()),
    }
}

fn identifier_of(authorized: &instant_acme::AuthorizedIdentifier<'_>) -> Result<Identifier> {
    match authorized.identifier {
        instant_acme::Identifier::Dns(name) if authorized.wildcard => format!("*.{name}").parse(),
        instant_acme::Identifier::Dns(name) => name.parse(),
        instant_acme::Identifier::Ip(ip) => ip.to_string().parse(),
        other => {
            let message = format!("the authority asks about {other:?}, which was not requested");
            Err(Error::new(ErrorKind::Untrusted, "acme.order", message))
        }
    }
}

fn challenge_type(kind: ChallengeKind) -> ChallengeType {
    match kind {
        ChallengeKind::Http01 => ChallengeType::Http01,
        ChallengeKind::Dns01 => ChallengeType::Dns01,
        ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
    }
}

fn not_offered(name: &Identifier, kind: ChallengeKind, offered: &[String]) -> Error {
    let message =
        format!("for {name} the authority does not offer {kind}, only {}", offered.join(", "));
    Error::new(ErrorKind::Unsupported, "acme.order", message).remedy_is(
        "choose another `challenge`; wildcards need dns-01, addresses http-01 or tls-alpn-01",
    )
}

fn unknown_profile(directory: &str, profile: &str, known: &[String]) -> Error {
    let message = format!("{directory} has no profile {profile:?}");
    let error = Error::new(ErrorKind::Unsupported, "acme.order", message);
    if known.is_empty() {
        error.remedy_is("it has no profiles: remove `profile`")
    } else {
        let mut known = known.to_vec();
        known.sort();
        error.remedy_is(format!("it has {}", known.join(", ")))
    }
}
