//! Getting a new certificate: checks, key, authorities in order, store.

use std::{fs, io, path::Path, sync::Arc};

use seaworthy_core::{Context, Error, ErrorKind, Event, Result, Secret, durable};

use super::{
    Finding, ManagedCertificate, Manager, Origin, RunOptions, Weight, check_pair,
    manager::is_trial,
    precheck::missing_programs,
    report::{Issued, Report},
};
use crate::{
    About, Action, CertificateKey, CertificateProvider, CertificateRequest, Fingerprint, History,
    IssuedChain, Journal, PrivateKey, Reason,
};

impl Manager {
    /// Gets a new certificate, and deploys it.
    pub(super) async fn renew(
        &self,
        certificate: &ManagedCertificate,
        options: &RunOptions,
        history: &mut History,
        cx: &Context,
        report: &mut Report,
    ) -> Result<()> {
        let (chain, key, provider) = match &certificate.origin {
            Origin::Managed(providers) => {
                self.refuse_trial_over_real(certificate, providers, options)?;
                if !options.skip_checks {
                    self.look_first(certificate, options, cx, report).await?;
                }
                if !options.dry_run {
                    self.store.probe(&certificate.name)?;
                }
                let task = format!("{}: requesting a certificate", certificate.name);
                cx.emit(Event::Started { task, total_bytes: None });
                match self.ask(certificate, providers, options, report.action, history, cx).await {
                    Ok(issued) => issued,
                    Err(error) => {
                        if !options.dry_run && error.kind() != ErrorKind::Cancelled {
                            history.failed(cx.now(), &error);
                            history.save(&self.history_file(&certificate.name))?;
                        }
                        return Err(error);
                    }
                }
            }
            Origin::External { chain, key } => {
                (read_chain(chain)?, read_key(key)?, "external".to_owned())
            }
        };
        if let Err(error) = check_pair(&chain, &key, &certificate.names, cx.now()) {
            // Without a pause the next run would request another one, and with the same order it
            // would get exactly the same.
            if !options.dry_run {
                self.forget_pending(certificate)?;
                history.failed(cx.now(), &error);
                history.save(&self.history_file(&certificate.name))?;
            }
            return Err(error);
        }
        let leaf = chain.leaf();
        let mut issued = Issued {
            provider: provider.clone(),
            names: leaf.names().to_vec(),
            not_after: leaf.validity().not_after,
            fingerprint: leaf.fingerprint(),
            version: None,
        };
        if options.dry_run {
            report.issued = Some(issued);
            return Ok(());
        }
        let about = About::new(provider);
        let version = self.store.stage(&certificate.name, &chain, &key.pem(), &about, cx.now())?;
        history.issued(&version.id);
        history.save(&self.history_file(&certificate.name))?;
        // Only now: before it was stored, a crash would resume the order.
        self.forget_pending(certificate)?;
        issued.version = Some(version.id.clone());
        report.issued = Some(issued);
        self.deploy(certificate, Some(version), history, cx, report).await
    }

    /// Tries each authority in order.
    async fn ask(
        &self,
        certificate: &ManagedCertificate,
        providers: &[Arc<dyn CertificateProvider>],
        options: &RunOptions,
        action: Action,
        history: &History,
        cx: &Context,
    ) -> Result<(IssuedChain, PrivateKey, String)> {
        let mut request = CertificateRequest::new(certificate.names.clone());
        request.profile.clone_from(&certificate.profile);
        request.preferred_chain.clone_from(&certificate.preferred_chain);
        request.force = options.force;
        let old = self.newest(&certificate.name, history)?;
        let key = if options.dry_run {
            generate(certificate).await?
        } else {
            self.pending_key(certificate).await?
        };
        let mut first: Option<Error> = None;
        for provider in providers {
            cx.check("certificate.issue")?;
            let same_names = |old: &&crate::Version| {
                old.about.provider == provider.id()
                    && old.chain.leaf().is_for(&certificate.names)
                    && action != Action::Renew { reason: Reason::Revoked }
            };
            request.replaces = old.as_ref().filter(same_names).map(|old| old.chain.leaf().clone());
            request.journal = (!options.dry_run).then(|| self.journal(certificate, &**provider));
            match provider.issue(&request, &key, cx).await {
                Ok(chain) => return Ok((chain, key, provider.id().to_owned())),
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => {
                    if providers.len() > 1 {
                        cx.emit(Event::warning(format!("{}: {}", certificate.name, error.chain())));
                    }
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| {
            let message = format!("no authority is configured for {}", certificate.name);
            Error::new(ErrorKind::Config, "certificate.issue", message)
                .remedy_is("set `ca`, or set `external` to the files of an existing certificate")
        }))
    }

    fn refuse_trial_over_real(
        &self,
        certificate: &ManagedCertificate,
        providers: &[Arc<dyn CertificateProvider>],
        options: &RunOptions,
    ) -> Result<()> {
        if options.force || options.dry_run {
            return Ok(());
        }
        let current = self.store.current(&certificate.name)?;
        let real = current.as_ref().is_some_and(|current| !is_trial(&current.about.provider));
        match providers.iter().find(|provider| is_trial(provider.id())) {
            Some(trial) if real => {
                let message = format!(
                    "{} has a real certificate, but {} issues test certificates only",
                    certificate.name,
                    trial.id()
                );
                Err(Error::new(ErrorKind::AlreadyExists, "certificate.issue", message).remedy_with(
                    "use a dry run, or `force` if visitors may see a warning",
                    &["force"],
                ))
            }
            _ => Ok(()),
        }
    }

    async fn look_first(
        &self,
        certificate: &ManagedCertificate,
        options: &RunOptions,
        cx: &Context,
        report: &mut Report,
    ) -> Result<()> {
        let deployment = &certificate.deployment;
        let commands = deployment.check.iter().chain(&deployment.deploy);
        let path = std::env::var_os("PATH");
        let mut findings = missing_programs(commands, path.as_deref());
        // Before the first certificate, the server may still be waiting for its files.
        if findings.is_empty() && self.store.current(&certificate.name)?.is_some() {
            for command in &deployment.check {
                if let Err(error) = command.run(cx, Some(super::deploy::LIMIT)).await {
                    let remedy = "fix this first: the new certificate could not be deployed";
                    findings.push(Finding::certain(command.to_string(), error.chain(), remedy));
                }
            }
        }
        if options.dry_run {
            findings.extend(self.look_at_store(certificate));
        }
        let looks = certificate.prechecks.iter().map(|precheck| precheck.look(cx));
        findings.extend(futures_util::future::join_all(looks).await.into_iter().flatten());
        let blocks = |finding: &&Finding| options.strict || finding.weight == Weight::Certain;
        let fatal: Vec<Finding> = findings.iter().filter(blocks).cloned().collect();
        for finding in findings.iter().filter(|finding| !blocks(finding)) {
            cx.emit(Event::warning(format!("{finding}; {}", finding.remedy)));
        }
        report.findings = findings;
        let Some(first) = fatal.first() else { return Ok(()) };
        let mut message = format!("{} is not requested, because it would fail", certificate.name);
        for finding in &fatal {
            message.push_str(&format!("\n  {finding}; {}", finding.remedy));
        }
        Err(Error::new(ErrorKind::Unsupported, "certificate.precheck", message)
            .remedy_is(first.remedy.clone()))
    }

    /// Checks that there is space and permission to store a certificate, without leaving files.
    fn look_at_store(&self, certificate: &ManagedCertificate) -> Option<Finding> {
        let error = self.store.try_out(&certificate.name).err()?;
        let remedy = error.remedy().unwrap_or("fix the problem").to_owned();
        Some(Finding::certain(self.store.root().display().to_string(), error.chain(), remedy))
    }

    /// The key for the next certificate: made first, and kept until the certificate is stored.
    async fn pending_key(&self, certificate: &ManagedCertificate) -> Result<PrivateKey> {
        let path = self.folder(&certificate.name).join("pending-key.pem");
        match fs::read_to_string(&path) {
            Ok(text) => match PrivateKey::from_pem(&text) {
                Ok(key) if key.key_type() == certificate.key => return Ok(key),
                _ => {}
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => {
                let message = format!("cannot read {}", path.display());
                return Err(Error::io("certificate.key", message, e));
            }
        }
        let key = generate(certificate).await?;
        durable::create_private_folder(&self.folder(&certificate.name))?;
        durable::write_file(&path, key.pem().expose().as_bytes(), 0o600)?;
        Ok(key)
    }

    fn journal(
        &self,
        certificate: &ManagedCertificate,
        provider: &dyn CertificateProvider,
    ) -> Arc<dyn Journal> {
        let hash = Fingerprint::of(provider.id().as_bytes()).to_string();
        let file = format!("order-{}.json", &hash[..12]);
        Arc::new(FileJournal(self.folder(&certificate.name).join(file)))
    }

    fn forget_pending(&self, certificate: &ManagedCertificate) -> Result<()> {
        let folder = self.folder(&certificate.name);
        let fail = |e| {
            let message = format!("cannot tidy {}", folder.display());
            Error::io("certificate.journal", message, e)
        };
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == "pending-key.pem" || name.starts_with("order-") {
                fs::remove_file(entry.path()).map_err(fail)?;
            }
        }
        Ok(())
    }
}

/// RSA keys take seconds of a processor.
async fn generate(certificate: &ManagedCertificate) -> Result<PrivateKey> {
    let kind = certificate.key;
    tokio::task::spawn_blocking(move || PrivateKey::generate(kind)).await.map_err(|e| {
        Error::new(ErrorKind::Internal, "key.generate", "key generation was interrupted")
            .caused_by(e)
    })?
}

pub(super) fn read_chain(path: &Path) -> Result<IssuedChain> {
    let fail = |e| Error::io("certificate.read", format!("cannot read {}", path.display()), e);
    let text = fs::read_to_string(path).map_err(fail)?;
    IssuedChain::from_pem(&text).map_err(|e| e.with("file", path.display()))
}

fn read_key(path: &Path) -> Result<PrivateKey> {
    let fail = |e| Error::io("certificate.read", format!("cannot read {}", path.display()), e);
    let text = Secret::new(fs::read_to_string(path).map_err(fail)?);
    PrivateKey::from_pem(text.expose()).map_err(|e| e.with("file", path.display()))
}

/// A note in one file.
#[derive(Debug)]
struct FileJournal(std::path::PathBuf);

impl Journal for FileJournal {
    fn read(&self) -> Result<Option<String>> {
        match fs::read_to_string(&self.0) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => {
                Err(Error::io("journal.read", format!("cannot read {}", self.0.display()), e))
            }
        }
    }

    fn write(&self, note: Option<&str>) -> Result<()> {
        match note {
            Some(note) => durable::write_file(&self.0, note.as_bytes(), 0o600),
            None => match fs::remove_file(&self.0) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    let message = format!("cannot remove {}", self.0.display());
                    Err(Error::io("journal.write", message, e))
                }
                _ => Ok(()),
            },
        }
    }
}
