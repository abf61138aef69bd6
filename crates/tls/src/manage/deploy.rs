//! Deployment as a transaction: check, swap, reload, prove; otherwise roll back.

use std::{
    ffi::OsStr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use seaworthy_core::{
    Context, Error, ErrorKind, Event, FileLock, FileSet, Installer, Place, Result, StagedFiles,
    WayBack, go_live,
};

use super::{ManagedCertificate, Manager, check_pair, prove::prove, report::Report};
use crate::{History, PrivateKey, Version};

/// How long one command may take.
pub(super) const LIMIT: Duration = Duration::from_secs(120);
/// How many versions are kept in addition to the live one.
const KEEP: usize = 3;

impl Manager {
    /// Makes `version` live, and proves that it is served; else makes the one before it live again.
    pub(super) async fn deploy(
        &self,
        certificate: &ManagedCertificate,
        version: Option<Version>,
        history: &mut History,
        cx: &Context,
        report: &mut Report,
    ) -> Result<()> {
        let name = &certificate.name;
        let version = version.ok_or_else(|| {
            let message = format!("there is no certificate {name} to deploy");
            Error::new(ErrorKind::NotFound, "certificate.deploy", message)
        })?;
        cx.emit(Event::Started { task: format!("{name}: deploying"), total_bytes: None });
        let done = self.try_deploy(certificate, &version, cx).await;
        match &done {
            Ok(()) => {
                history.deployed();
                report.deployed = true;
            }
            Err(error) => {
                history.deploy_failed(cx.now(), error);
                history.waiting = Some(version.id.clone());
                report.deployed = false;
            }
        }
        history.save(&self.history_file(name))?;
        self.store.prune(name, KEEP, history.waiting.as_deref())?;
        done
    }

    async fn try_deploy(
        &self,
        certificate: &ManagedCertificate,
        version: &Version,
        cx: &Context,
    ) -> Result<()> {
        let name = &certificate.name;
        let live = self.store.live(name);
        let staged = |version: &Version| StagedFiles::new(version.folder(), &live, FileSet::new());
        let before = self.store.current(name)?.filter(|current| current.id != version.id);
        let before = before.as_ref().map(|version| (&version.id, staged(version)));
        let installer = CertificateInstaller::new(self, certificate, version);
        let new = staged(version);
        installer.check(&new, cx).await?;
        // No rollback is needed: if it is cancelled here, nothing was changed yet.
        installer.hold(self.lock_live(cx).await?);
        let back = before.as_ref().map_or(WayBack::Stay, |(_, files)| WayBack::To(files));
        let failed = go_live(&installer, &new, back, &installer, cx).await.err();
        let Some(failure) = failed else { return Ok(()) };
        let remedy = "check the server: it may be serving the old or the new certificate";
        let id = before.as_ref().map_or("nothing", |(id, _)| id.as_str());
        let error = failure.into_error("certificate.deploy", id, remedy);
        // The first one stays: there is no earlier one to go back to.
        Err(match before {
            None => error.remedy_or("fix the problem; the next run deploys it again"),
            Some(_) => error,
        })
    }
}

/// Brings one version of a certificate to the servers.
#[derive(Debug)]
struct CertificateInstaller<'a> {
    manager: &'a Manager,
    certificate: &'a ManagedCertificate,
    version: &'a Version,
    /// Held from before a swap until the servers were told: see [`Manager::lock_live`].
    lock: Mutex<Option<FileLock>>,
}

impl<'a> CertificateInstaller<'a> {
    fn new(
        manager: &'a Manager,
        certificate: &'a ManagedCertificate,
        version: &'a Version,
    ) -> Self {
        Self { manager, certificate, version, lock: Mutex::default() }
    }

    /// Holds `lock` until the servers were told.
    fn hold(&self, lock: FileLock) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
    }

    fn holds(&self) -> bool {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What held the lock is done.
    fn release(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[async_trait]
impl Place for CertificateInstaller<'_> {
    fn link(&self) -> PathBuf {
        self.manager.store.live(&self.certificate.name)
    }

    async fn swap(&self, staged: Option<&StagedFiles>, cx: &Context) -> Result<()> {
        if !self.holds() {
            self.hold(self.manager.lock_live(cx).await?);
        }
        let id = staged.and_then(|staged| staged.folder.file_name()).map(OsStr::to_string_lossy);
        self.manager.store.swap(&self.certificate.name, id.as_deref())
    }
}

#[async_trait]
impl Installer for CertificateInstaller<'_> {
    /// Whether the certificate, its key and its chain belong together. What the servers say is
    /// asked once it is live: they look nowhere else.
    async fn check(&self, _: &StagedFiles, cx: &Context) -> Result<()> {
        let key = PrivateKey::from_pem(self.version.key()?.expose())?;
        check_pair(&self.version.chain, &key, &self.certificate.names, cx.now())
    }

    /// Makes the servers read the live files.
    async fn activate(&self, _: &StagedFiles, cx: &Context) -> Result<()> {
        let deployment = &self.certificate.deployment;
        let told = async {
            run_all(&deployment.check, cx).await?;
            run_all(&deployment.deploy, cx).await?;
            cx.check("certificate.deploy")
        };
        let told = told.await;
        self.release();
        told
    }

    async fn prove(&self, _: &StagedFiles, cx: &Context) -> Result<()> {
        prove(self.certificate, self.version.chain.leaf().fingerprint(), cx).await
    }

    /// What was live is checked no more.
    async fn reactivate(&self, _: &StagedFiles, _: &Error, cx: &Context) -> Result<()> {
        let told = run_all(&self.certificate.deployment.deploy, cx).await;
        self.release();
        told
    }
}

/// Adds a remedy if there is none yet.
trait RemedyOr {
    fn remedy_or(self, remedy: &str) -> Self;
}

impl RemedyOr for Error {
    fn remedy_or(self, remedy: &str) -> Self {
        if self.remedy().is_some() { self } else { self.remedy_is(remedy) }
    }
}

async fn run_all(commands: &[seaworthy_core::CommandLine], cx: &Context) -> Result<()> {
    for command in commands {
        command.run(cx, Some(LIMIT)).await?;
    }
    Ok(())
}
