//! For those who write their own solver or provider: the cases that ours must pass, a solver in
//! memory, and a provider that fails when it is told to.
//!
//! Each case is a small async function that panics with what is wrong.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Result};

use crate::{
    Certificate, CertificateKey, CertificateProvider, CertificateRequest, Challenge, ChallengeKind,
    ChallengeSolver, Identifier, IssuedChain, RenewalHint, RevocationReason,
};

/// Keeps answers in memory.
#[derive(Debug)]
pub struct MemorySolver {
    kind: ChallengeKind,
    open: Mutex<BTreeSet<(String, String)>>,
}

impl MemorySolver {
    /// Answers challenges of `kind`.
    pub fn new(kind: ChallengeKind) -> Self {
        Self { kind, open: Mutex::default() }
    }

    /// Whether the answer to `challenge` is available.
    pub fn shows(&self, challenge: &Challenge) -> bool {
        self.open().contains(&key(challenge))
    }

    fn open(&self) -> std::sync::MutexGuard<'_, BTreeSet<(String, String)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(challenge: &Challenge) -> (String, String) {
    (challenge.identifier().as_str().to_owned(), challenge.token().to_owned())
}

#[async_trait]
impl ChallengeSolver for MemorySolver {
    fn kind(&self) -> ChallengeKind {
        self.kind
    }

    async fn present(&self, challenge: &Challenge) -> Result<()> {
        self.open().insert(key(challenge));
        Ok(())
    }

    async fn ready(&self, _: &Challenge, cx: &Context) -> Result<()> {
        cx.check("challenge.ready")
    }

    async fn cleanup(&self, challenge: &Challenge) -> Result<()> {
        self.open().remove(&key(challenge));
        Ok(())
    }
}

/// Fails the first requests, and hands the others on.
#[derive(Debug)]
pub struct Flaky<P> {
    inner: P,
    left: AtomicU32,
}

impl<P> Flaky<P> {
    /// Fails `failures` times.
    pub fn new(inner: P, failures: u32) -> Self {
        Self { inner, left: AtomicU32::new(failures) }
    }
}

#[async_trait]
impl<P: CertificateProvider> CertificateProvider for Flaky<P> {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn issue(
        &self,
        request: &CertificateRequest,
        key: &dyn CertificateKey,
        cx: &Context,
    ) -> Result<IssuedChain> {
        let spend = |left: u32| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_ok() {
            return Err(Error::new(ErrorKind::Unavailable, "testing.issue", "told to fail"));
        }
        self.inner.issue(request, key, cx).await
    }

    async fn renewal_hint(&self, certificate: &Certificate) -> Result<Option<RenewalHint>> {
        self.inner.renewal_hint(certificate).await
    }

    async fn revoke(&self, certificate: &Certificate, reason: RevocationReason) -> Result<()> {
        self.inner.revoke(certificate, reason).await
    }
}

/// Two challenges for one name are open side by side; answering and tidying up twice is no failure;
/// tidying up takes one's own answer away and no other. `shows` tells whether an answer can be seen.
///
/// # Panics
/// Where the solver does otherwise.
pub async fn a_solver_keeps_challenges_apart(
    solver: &dyn ChallengeSolver,
    name: &Identifier,
    shows: impl AsyncFn(&Challenge) -> bool,
) {
    let cx = Context::new();
    let made = |token: &str| Challenge::new(name.clone(), token, format!("{token}.thumb"));
    let (Ok(one), Ok(two)) = (made("conformance-one"), made("conformance-two")) else {
        panic!("these tokens are base64url");
    };
    must(solver.cleanup(&one).await, "what is not there can be tidied up");
    for challenge in [&one, &two, &one] {
        must(solver.present(challenge).await, "an answer can be given, also twice");
        must(solver.ready(challenge, &cx).await, "it gets ready");
        assert!(shows(challenge).await, "an answer that is ready can be seen");
    }
    assert!(shows(&two).await, "two for one name are open side by side");
    must(solver.cleanup(&one).await, "an answer can be taken away");
    assert!(!shows(&one).await, "what was taken away cannot be seen");
    assert!(shows(&two).await, "another's answer stays");
    must(solver.cleanup(&two).await, "an answer can be taken away");
    must(solver.cleanup(&two).await, "taking away twice is no failure");
    assert!(!shows(&two).await, "what was taken away cannot be seen");
}

/// What is issued is for the names and the key, is valid, and never has the same serial number
/// twice.
///
/// # Panics
/// Where the provider does otherwise.
pub async fn a_provider_issues_what_was_asked(
    provider: &dyn CertificateProvider,
    names: &[Identifier],
    key: &dyn CertificateKey,
) {
    let cx = Context::new();
    let request = CertificateRequest::new(names);
    let mut serials = BTreeSet::new();
    for _ in 0..2 {
        let chain = match provider.issue(&request, key, &cx).await {
            Ok(chain) => chain,
            Err(error) => panic!("it issues: {}", error.chain()),
        };
        let leaf = chain.leaf();
        assert!(leaf.is_for(names), "it is for {names:?}, not {:?}", leaf.names());
        assert_eq!(leaf.public_key(), key.public_key(), "it is for the key");
        let validity = leaf.validity();
        assert!(validity.not_before <= cx.now(), "it is valid by now");
        assert!(validity.not_after > cx.now(), "it is valid still");
        assert!(serials.insert(leaf.serial()), "a serial number is never used twice");
        must(provider.renewal_hint(leaf).await.map(drop), "no hint is no failure");
    }
    assert!(!provider.id().is_empty(), "a provider has an id");
}

#[track_caller]
fn must(result: Result<()>, what: &str) {
    if let Err(error) = result {
        panic!("{what}: {}", error.chain());
    }
}
