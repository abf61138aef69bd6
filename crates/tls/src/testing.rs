//! For authors of a solver or provider: the test cases that ours must pass, a solver in memory, and
//! a provider that fails on request.
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

/// Fails the first requests, and passes the others on.
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

/// Two challenges for one name are open at the same time; answering and cleaning up twice is not an
/// error; cleaning up removes its own answer and no other. `shows` returns whether an answer is
/// visible.
///
/// # Panics
/// If the solver does not do this.
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
    must(solver.cleanup(&one).await, "cleaning up without an answer succeeds");
    for challenge in [&one, &two, &one] {
        must(solver.present(challenge).await, "an answer can be given, also twice");
        must(solver.ready(challenge, &cx).await, "it becomes ready");
        assert!(shows(challenge).await, "an answer that is ready is visible");
    }
    assert!(shows(&two).await, "two for one name are open at the same time");
    must(solver.cleanup(&one).await, "an answer can be removed");
    assert!(!shows(&one).await, "a removed answer is not visible");
    assert!(shows(&two).await, "another's answer stays");
    must(solver.cleanup(&two).await, "an answer can be removed");
    must(solver.cleanup(&two).await, "removing twice is not an error");
    assert!(!shows(&two).await, "a removed answer is not visible");
}

/// An issued certificate is for the names and the key, is valid, and has a unique serial number.
///
/// # Panics
/// If the provider does not do this.
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
        assert!(validity.not_before <= cx.now(), "it is already valid");
        assert!(validity.not_after > cx.now(), "it is still valid");
        assert!(serials.insert(leaf.serial()), "a serial number is never used twice");
        must(provider.renewal_hint(leaf).await.map(drop), "no hint is not an error");
    }
    assert!(!provider.id().is_empty(), "a provider has an id");
}

#[track_caller]
fn must(result: Result<()>, what: &str) {
    if let Err(error) = result {
        panic!("{what}: {}", error.chain());
    }
}
