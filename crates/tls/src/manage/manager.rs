//! Manages certificates, one or many in parallel.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use seaworthy_core::{Context, Error, ErrorKind, FileLock, Name, Result, Secret};

use super::{ManagedCertificate, Origin, report::Report};
use crate::{
    About, Action, Certificate, CertificateProvider, CertificateSummary, History, IssuedChain,
    KnownHint, PrivateKey, Reason, Store, Version,
    decide::{decide, later},
};

/// How many certificates are worked on at once.
const SIDE_BY_SIDE: usize = 64;
/// How many checks are worth a thread of their own.
const SMALLEST_SHARE: usize = 64;
/// How often an authority is asked for hints by default.
const ASK_HINTS: Duration = Duration::from_secs(6 * 3600);
/// How long a hint may take: it is only a hint.
const HINT_LIMIT: Duration = Duration::from_secs(15);

/// Keeps certificates up to date.
#[derive(Clone, Debug)]
pub struct Manager {
    pub(super) store: Store,
    pub(super) state: PathBuf,
}

/// How to run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RunOptions {
    /// Get a new certificate, even if none is due.
    pub force: bool,
    /// Do not wait after failures, because a person asked.
    pub now: bool,
    /// Treat likely findings as errors, too.
    pub strict: bool,
    /// Skip the checks before the authority is asked.
    pub skip_checks: bool,
    /// Get a certificate, and throw it away.
    pub dry_run: bool,
}

impl Manager {
    /// Certificates in `store`; their history is in the folder `state`.
    pub fn new(store: Store, state: impl Into<PathBuf>) -> Self {
        Self { store, state: state.into() }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The history of `name`.
    pub fn history(&self, name: &Name) -> Result<History> {
        History::load(&self.history_file(name))
    }

    /// Does what is due for each of `certificates`, in parallel. One that fails does not stop
    /// the others. The reports come in the same order.
    pub async fn run_all(
        &self,
        certificates: &[ManagedCertificate],
        options: &RunOptions,
        cx: &Context,
    ) -> Vec<Report> {
        let resting = self.resting(certificates, options, cx);
        let runs = certificates.iter().zip(resting).map(|(certificate, rests)| async move {
            match rests {
                Some(report) => report,
                None => self.run(certificate, options, cx).await,
            }
        });
        // Made first: the closure within a stream would keep this future to one thread.
        let runs: Vec<_> = runs.collect();
        stream::iter(runs).buffered(SIDE_BY_SIDE).collect().await
    }

    /// The reports of those with nothing to do, checked on all processors.
    fn resting(
        &self,
        certificates: &[ManagedCertificate],
        options: &RunOptions,
        cx: &Context,
    ) -> Vec<Option<Report>> {
        let look = |part: &[ManagedCertificate]| -> Vec<Option<Report>> {
            // What fails here is checked again by the run itself, which reports why.
            part.iter().map(|one| self.rests(one, options, cx).ok().flatten()).collect()
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = certificates.len().div_ceil(threads).max(SMALLEST_SHARE);
        std::thread::scope(|scope| {
            let mut parts = certificates.chunks(share);
            let first = parts.next();
            let others: Vec<_> =
                parts.map(|part| (part, scope.spawn(move || look(part)))).collect();
            let mut all = first.map(look).unwrap_or_default();
            for (part, other) in others {
                all.extend(other.join().unwrap_or_else(|_| part.iter().map(|_| None).collect()));
            }
            all
        })
    }

    /// The report if there is nothing to do.
    fn rests(
        &self,
        certificate: &ManagedCertificate,
        options: &RunOptions,
        cx: &Context,
    ) -> Result<Option<Report>> {
        let history = self.history(&certificate.name)?;
        let newest = self.glance(&certificate.name, &history)?;
        let action = self.decide(certificate, newest.as_ref(), options, &history, cx)?;
        let mut report = Report::new(&certificate.name, action);
        report.deployed = history.deployed;
        let asks = !options.dry_run
            && hint_is_old(&history, cx)
            && newest.is_some_and(|newest| issuer_of(&certificate.origin, &newest.about).is_some());
        Ok(Some(report).filter(|report| report.is_unchanged() && !asks))
    }

    /// Does what is due for one certificate.
    pub async fn run(
        &self,
        certificate: &ManagedCertificate,
        options: &RunOptions,
        cx: &Context,
    ) -> Report {
        let mut report = Report::new(&certificate.name, Action::Rest { until: cx.now() });
        if let Err(error) = self.try_run(certificate, options, cx, &mut report).await {
            report.error = Some(error.with("certificate", &certificate.name));
        }
        report
    }

    async fn try_run(
        &self,
        certificate: &ManagedCertificate,
        options: &RunOptions,
        cx: &Context,
        report: &mut Report,
    ) -> Result<()> {
        // Checked without the lock: a thousand that are not due cost nothing.
        if let Some(rests) = self.rests(certificate, options, cx)? {
            *report = rests;
            return Ok(());
        }
        let _lock = self.lock(&certificate.name, cx).await?;
        // The previous holder may have done the work.
        let mut history = self.history(&certificate.name)?;
        if hint_is_old(&history, cx) && !options.dry_run {
            self.ask_hint(certificate, &mut history, cx).await?;
        }
        report.action = self.action(certificate, options, &history, cx)?;
        report.deployed = history.deployed;
        match report.action {
            Action::Rest { .. } | Action::Wait { .. } => Ok(()),
            Action::Deploy if options.dry_run => Ok(()),
            Action::Deploy => {
                let version = self.newest(&certificate.name, &history)?;
                self.deploy(certificate, version, &mut history, cx, report).await
            }
            Action::Renew { .. } => {
                self.renew(certificate, options, &mut history, cx, report).await
            }
        }
    }

    /// What is due.
    pub fn action(
        &self,
        certificate: &ManagedCertificate,
        options: &RunOptions,
        history: &History,
        cx: &Context,
    ) -> Result<Action> {
        let newest = self.glance(&certificate.name, history)?;
        self.decide(certificate, newest.as_ref(), options, history, cx)
    }

    /// What is due, where `newest` is the newest certificate.
    fn decide(
        &self,
        certificate: &ManagedCertificate,
        newest: Option<&CertificateSummary>,
        options: &RunOptions,
        history: &History,
        cx: &Context,
    ) -> Result<Action> {
        let providers = match &certificate.origin {
            Origin::Managed(providers) => providers,
            Origin::External { chain, .. } => {
                let theirs = super::issue::read_chain(chain)?;
                let same = newest.is_some_and(|ours| ours.leaf == *theirs.leaf());
                return Ok(match (same, history.deployed) {
                    (false, _) => Action::Renew { reason: Reason::Changed },
                    (true, false) => Action::Deploy,
                    (true, true) => Action::Rest { until: theirs.leaf().validity().not_after },
                });
            }
        };
        if options.force || options.dry_run {
            return Ok(Action::Renew { reason: Reason::Forced });
        }
        let validity = newest.map(|newest| newest.leaf.validity());
        let hint = newest.and_then(|newest| hint_for(&newest.leaf, history));
        let mut action = decide(cx.now(), validity, hint, history);
        let changed = newest.is_some_and(|newest| {
            let was_trial = is_trial(&newest.about.provider);
            let now_real = providers.first().is_some_and(|p| !is_trial(p.id()));
            !newest.leaf.is_for(&certificate.names) || (was_trial && now_real)
        });
        if changed && matches!(action, Action::Rest { .. } | Action::Deploy) {
            // As if there were none: pauses after failures still apply.
            action = match decide(cx.now(), None, None, history) {
                Action::Renew { .. } => Action::Renew { reason: Reason::Changed },
                other => other,
            };
        }
        if let (Action::Wait { .. }, true) = (action, options.now) {
            let mut patient = history.clone();
            (patient.last_failure, patient.last_deploy_failure) = (None, None);
            action = decide(cx.now(), validity, hint, &patient);
        }
        Ok(action)
    }

    /// The newest certificate: the one that waits to be deployed, else the live one.
    pub fn newest(&self, name: &Name, history: &History) -> Result<Option<Version>> {
        if let Some(id) = &history.waiting
            && let Some(version) = self.store.version(name, id)?
        {
            return Ok(Some(version));
        }
        self.store.current(name)
    }

    /// Facts about the newest certificate.
    fn glance(&self, name: &Name, history: &History) -> Result<Option<CertificateSummary>> {
        if let Some(id) = &history.waiting
            && let Some(newest) = self.store.glance(name, id)?
        {
            return Ok(Some(newest));
        }
        match self.store.current_id(name)? {
            Some(id) => self.store.glance(name, &id),
            None => Ok(None),
        }
    }

    /// Records that the live certificate of `name` is revoked: a new one is due, with a new key.
    pub fn note_revoked(&self, name: &Name) -> Result<()> {
        let mut history = self.history(name)?;
        history.revoked = true;
        history.save(&self.history_file(name))
    }

    /// Removes everything of `name`.
    pub fn forget(&self, name: &Name) -> Result<()> {
        self.store.remove(name)?;
        let folder = self.folder(name);
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("cannot remove {}", folder.display());
                Err(Error::io("certificate.forget", message, e))
            }
            _ => Ok(()),
        }
    }

    /// Imports a certificate that another program got from the provider `provider`.
    ///
    /// # Errors
    /// If the key does not match it.
    pub fn take_over(
        &self,
        name: &Name,
        chain: &IssuedChain,
        key: &Secret,
        provider: &str,
        cx: &Context,
    ) -> Result<()> {
        let pair = PrivateKey::from_pem(key.expose())?;
        if !pair.fits(chain.leaf()) {
            let message = format!("the key of certificate {name} belongs to another certificate");
            return Err(Error::new(ErrorKind::Damaged, "certificate.take_over", message));
        }
        let version = self.store.stage(name, chain, key, &About::new(provider), cx.now())?;
        self.store.swap(name, Some(&version.id))?;
        let mut history = History::default();
        history.deployed();
        history.save(&self.history_file(name))
    }

    pub(super) fn folder(&self, name: &Name) -> PathBuf {
        self.state.join(name.as_str())
    }

    pub(super) fn history_file(&self, name: &Name) -> PathBuf {
        self.folder(name).join("history.json")
    }

    /// One run at a time for each certificate; others wait.
    async fn lock(&self, name: &Name, cx: &Context) -> Result<FileLock> {
        Self::lock_file(&self.folder(name).join("lock"), &format!("certificate {name}"), cx).await
    }

    /// One change of live files at a time: a server reads the files of all certificates one after
    /// the other, and could pair an old key with a new certificate.
    pub(super) async fn lock_live(&self, cx: &Context) -> Result<FileLock> {
        Self::lock_file(&self.state.join(".live.lock"), "deploying a certificate", cx).await
    }

    async fn lock_file(path: &Path, what: &str, cx: &Context) -> Result<FileLock> {
        loop {
            match FileLock::acquire(path, what) {
                Err(error) if error.kind() == ErrorKind::Locked => {
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_millis(100)) => {}
                        () = cx.cancel().triggered() => {
                            return Err(Error::cancelled("certificate.lock").caused_by(error));
                        }
                    }
                }
                other => return other,
            }
        }
    }

    /// Asks the authority that issued the certificate. A missing response is not a failure.
    async fn ask_hint(
        &self,
        certificate: &ManagedCertificate,
        history: &mut History,
        cx: &Context,
    ) -> Result<()> {
        let Some(newest) = self.glance(&certificate.name, history)? else { return Ok(()) };
        let Some(provider) = issuer_of(&certificate.origin, &newest.about) else { return Ok(()) };
        let leaf = &newest.leaf;
        let asked = tokio::time::timeout(HINT_LIMIT, provider.renewal_hint(leaf)).await;
        history.hint_asked = Some(cx.now());
        match asked {
            Ok(Ok(Some(hint))) => {
                let about = leaf.fingerprint().to_string();
                let same = |known: &KnownHint| {
                    known.about == about
                        && (known.hint.start, known.hint.end) == (hint.start, hint.end)
                };
                match &mut history.hint {
                    // The time is chosen once for each window.
                    Some(known) if same(known) => known.hint = hint,
                    place => {
                        let mut part = [0; 2];
                        getrandom::fill(&mut part).unwrap_or_default();
                        *place = Some(KnownHint::choose(hint, about, u16::from_le_bytes(part)));
                    }
                }
            }
            Ok(Ok(None)) => history.hint = None,
            Ok(Err(error)) => tracing::info!("no hint for {}: {}", certificate.name, error.chain()),
            Err(_) => tracing::info!("no hint for {} in time", certificate.name),
        }
        history.save(&self.history_file(&certificate.name))
    }
}

fn hint_for<'a>(leaf: &Certificate, history: &'a History) -> Option<&'a KnownHint> {
    history.hint.as_ref().filter(|known| known.about == leaf.fingerprint().to_string())
}

fn hint_is_old(history: &History, cx: &Context) -> bool {
    let again = match (&history.hint, history.hint_asked) {
        (Some(known), Some(asked)) => known.hint.ask_again.min(later(asked, ASK_HINTS * 2)),
        (None, Some(asked)) => later(asked, ASK_HINTS),
        (_, None) => return true,
    };
    cx.now() >= again
}

fn issuer_of<'a>(origin: &'a Origin, about: &About) -> Option<&'a dyn CertificateProvider> {
    let Origin::Managed(providers) = origin else { return None };
    providers.iter().find(|p| p.id() == about.provider).map(|p| &**p)
}

/// Whether this provider issues test certificates, which nobody trusts.
pub(super) fn is_trial(provider: &str) -> bool {
    provider.contains("staging")
}
