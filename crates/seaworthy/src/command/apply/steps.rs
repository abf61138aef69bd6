//! The steps after the folders: planned, and done.

use std::path::Path;

use seaworthy_core::{Installer, Name, Result};
use seaworthy_tls::{Action, Identifier, manage::RunOptions};

use super::{Apply, ApplyStep, StepFile, StepKind, StepState};
use crate::{
    ErrorDocument, Seaworthy,
    command::{
        ApplyState, CertIssueRequest, FileChange, ProxyApplyRequest, ServiceApplied,
        ServiceApplyRequest, ServiceChange,
    },
};

impl Apply<'_> {
    /// Plans all steps, and adds them. Changes nothing.
    pub(super) async fn plan(&mut self) -> Result<()> {
        let lacking = self.seaworthy.lacking_certificates();
        self.plan_placeholders(&lacking);
        if self.seaworthy.has_web() {
            let plan = self.seaworthy.plan_proxy(&lacking, self.cx).await?;
            let files = plan.changes.iter().map(|change| proxy_file(change, &plan.live)).collect();
            let mut step = ApplyStep::of(StepKind::Proxy, files, plan.commands);
            step.notes.extend(plan.unchecked);
            self.add(step);
        }
        self.plan_certificates().await?;
        let request = self.services();
        if self.seaworthy.has_services(&request)? {
            let (planned, commands) = self.seaworthy.plan_services(&request, self.cx).await?;
            let live = self.seaworthy.services_live(&request)?.unwrap_or_default();
            let files = planned.changes.iter().map(|change| service_file(change, &live)).collect();
            self.add(ApplyStep::of(StepKind::Services, files, commands));
        }
        Ok(())
    }

    /// Does what was planned.
    pub(super) async fn take(&mut self, mut step: ApplyStep) -> Result<()> {
        let done = match step.kind {
            StepKind::Placeholders => self.put_placeholders(&mut step).await,
            StepKind::Proxy => self.install_proxy(&mut step).await,
            StepKind::Certificates => self.issue(&mut step).await,
            StepKind::Services => self.install_services(&mut step).await,
            StepKind::Folders => Ok(()),
        };
        if let Err(error) = &done {
            step.state = StepState::Failed;
            step.error = Some(ErrorDocument::new(error));
        }
        self.add(step);
        done
    }

    fn plan_placeholders(&mut self, lacking: &[(Name, Vec<Identifier>)]) {
        let store = self.seaworthy.certificate_manager().store().clone();
        let there = |name: &Name| store.live(name).join("fullchain.pem").exists();
        let files = lacking.iter().filter(|(name, _)| !there(name));
        let files = files.map(|(name, _)| StepFile::added(store.live(name))).collect();
        self.add(ApplyStep::of(StepKind::Placeholders, files, Vec::new()));
    }

    async fn put_placeholders(&mut self, step: &mut ApplyStep) -> Result<()> {
        let store = self.seaworthy.certificate_manager().store().clone();
        for (name, names) in self.seaworthy.lacking_certificates() {
            if store.put_placeholder(&name, &names, self.cx).await? {
                self.done.placeholders.push(name);
                step.state = StepState::Changed;
            }
        }
        Ok(())
    }

    async fn install_proxy(&mut self, step: &mut ApplyStep) -> Result<()> {
        let installer = self.seaworthy.proxy_installer()?;
        let before = installer.generations().last_good()?;
        let ran = installer.is_running();
        let request = ProxyApplyRequest::default();
        let done = self.seaworthy.install_proxy(&request, true, self.cx).await;
        match done {
            Ok(done) if done.state == ApplyState::Unchanged && ran => {
                step.state = StepState::Unchanged;
                Ok(())
            }
            Ok(done) => {
                if done.state == ApplyState::Unchanged {
                    // The files exist, and no server uses them.
                    self.tell_proxy().await?;
                }
                self.done.proxy = Some((before, ran));
                step.state = StepState::Changed;
                Ok(())
            }
            Err(error) => {
                // Its files are rolled back already; what was started for them is stopped, too.
                if !ran {
                    installer.quit(self.cx).await?;
                }
                Err(error)
            }
        }
    }

    /// Makes the web server reload its files and certificates, and prove that it serves them.
    async fn tell_proxy(&self) -> Result<()> {
        let installer = self.seaworthy.proxy_installer()?.with_start()?;
        let Some(live) = installer.generations().current()? else { return Ok(()) };
        installer.activate(&live, self.cx).await?;
        installer.prove(&live, self.cx).await
    }

    async fn plan_certificates(&mut self) -> Result<()> {
        let manager = self.seaworthy.certificate_manager();
        let opener = self.seaworthy.certificate_opener();
        let mut step = ApplyStep::new(StepKind::Certificates, StepState::Unchanged);
        for name in self.seaworthy.certificate_names(&[])? {
            let certificate = self.seaworthy.managed_certificate(&name, &opener, self.cx).await?;
            let history = manager.history(&name)?;
            let mut options = RunOptions::default();
            options.now = true;
            let action = match manager.action(&certificate, &options, &history, self.cx)? {
                Action::Rest { .. } | Action::Wait { .. } => continue,
                Action::Deploy => "deploy",
                _ => "issue and deploy",
            };
            step.state = StepState::WouldChange;
            step.notes.push(format!("{action} {name}"));
            step.files.push(StepFile::added(manager.store().live(&name)));
            let commands =
                certificate.deployment.check.iter().chain(&certificate.deployment.deploy);
            for command in commands.map(ToString::to_string) {
                if !step.commands.contains(&command) {
                    step.commands.push(command);
                }
            }
        }
        self.add(step);
        Ok(())
    }

    /// A certificate that fails stops nothing: its placeholder, or the older one, is served.
    async fn issue(&mut self, step: &mut ApplyStep) -> Result<()> {
        if step.state == StepState::Unchanged {
            return Ok(());
        }
        let request = CertIssueRequest::default();
        let reply = self.seaworthy.cert_issue(&request, self.cx).await;
        self.cx.check("apply")?;
        let runs = reply.result.map(|result| result.certificates).unwrap_or_default();
        step.notes.clear();
        step.state = StepState::Changed;
        let mut untold = false;
        for run in &runs {
            let config = self.seaworthy.config.certificate.get(run.name.as_str());
            match (&run.issued, &run.error) {
                (Some(issued), None) => {
                    let name = &run.name;
                    step.notes.push(format!("{name} issued until {}", issued.not_after));
                    untold |= config.is_some_and(|config| config.deploy.is_empty());
                }
                (_, Some(error)) => step.notes.push(format!("{}: {}", run.name, error.message)),
                (None, None) => {}
            }
        }
        if let Some(error) = reply.error {
            step.error = Some(ErrorDocument::new(&error));
            step.state = StepState::Failed;
            self.outcome = self.outcome.and(reply.outcome);
            self.error.get_or_insert(error);
        }
        if untold && self.seaworthy.has_web() {
            self.tell_proxy().await?;
        }
        Ok(())
    }

    fn services(&self) -> ServiceApplyRequest {
        ServiceApplyRequest {
            kind: self.request.kind,
            folder: self.request.folder.clone(),
            ..ServiceApplyRequest::default()
        }
    }

    async fn install_services(&mut self, step: &mut ApplyStep) -> Result<()> {
        let done = self.seaworthy.install_services(&self.services(), self.cx).await?;
        step.state = match done.state {
            ServiceApplied::Unchanged => StepState::Unchanged,
            _ => StepState::Changed,
        };
        Ok(())
    }
}

impl Seaworthy {
    fn has_web(&self) -> bool {
        self.config.proxy.is_some() || !self.config.site.is_empty()
    }

    /// Whether there is something to install, or something that was installed.
    fn has_services(&self, request: &ServiceApplyRequest) -> Result<bool> {
        let services = self.services()?;
        let wanted = !services.services.is_empty() || services.runner.is_some();
        let live = self.services_live(request)?;
        Ok(wanted || live.is_some_and(|live| live.exists()))
    }

    /// The certificates that sites use and that do not exist yet.
    fn lacking_certificates(&self) -> Vec<(Name, Vec<Identifier>)> {
        let store = self.certificate_manager().store().clone();
        let used = |name: &Name| {
            self.config.site.iter().any(|(_, site)| site.certificate.as_ref() == Some(name))
        };
        let lacking = self.config.certificate.iter().filter(|(name, _)| {
            used(name)
                && (store.is_placeholder(name) || !store.live(name).join("fullchain.pem").exists())
        });
        lacking.map(|(name, config)| (name.clone(), config.names.clone())).collect()
    }
}

fn proxy_file(change: &FileChange, live: &Path) -> StepFile {
    let word = serde_json::to_value(change.change).ok();
    let word = word.as_ref().and_then(|word| word.as_str()).unwrap_or("changed").to_owned();
    StepFile { path: live.join(&change.path), change: word, diff: change.diff.clone() }
}

fn service_file(change: &ServiceChange, live: &Path) -> StepFile {
    let path = live.join(&change.path);
    StepFile { path, change: change.change.clone(), diff: change.diff.clone() }
}
