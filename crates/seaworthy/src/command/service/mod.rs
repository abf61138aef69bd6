//! `service`: services rendered, checked, compared, installed, and controlled; `deploy`.

mod apply;
mod deploy;
mod diff;
mod render;
mod run;

use std::path::{Path, PathBuf};

use seaworthy_backup::config::JobConfig;
use seaworthy_core::{CommandLine, ConfigRenderer, Error, FileSet, Generations, Result, TimeZone};
use seaworthy_service_config::{
    CronInstaller, CronRenderer, FilePath, Pm2Renderer, Runner, Services, SystemdInstaller,
    SystemdRenderer, WorkflowRenderer,
};
use seaworthy_tls::ChallengeKind;
use serde::Deserialize;

pub use apply::{
    ServiceApplied, ServiceApplyRequest, ServiceApplyResult, ServiceCheckRequest,
    ServiceCheckResult,
};
pub use deploy::{DeployRequest, DeployResult};
pub use diff::{ServiceChange, ServiceDiffRequest, ServiceDiffResult};
pub use render::{ServiceRenderRequest, ServiceRenderResult};
pub use run::{
    ServiceRestartRequest, ServiceStartRequest, ServiceStatusRequest, ServiceStatusResult,
    ServiceStopRequest, ServiceVerb, ServiceVerbResult,
};

use super::requests;
use crate::{Seaworthy, machine};

/// How often the timer checks whether something is due.
const LOOK: &str = "*/5 * * * *";
/// Where secrets for the timer's environment may be.
const ENVIRONMENT: &str = "/etc/seaworthy/env";

requests! {
    /// Commands about services.
    #[derive(Deserialize)]
    #[serde(tag = "command", rename_all = "kebab-case")]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    ServiceCommand {
        /// Print the files of the services, or write them into a folder; changes nothing else
        Render(ServiceRenderRequest),
        /// Check whether systemd would accept the services. Nothing becomes live
        Check(ServiceCheckRequest),
        /// Compare the services with what is installed, including hand edits
        Diff(ServiceDiffRequest),
        /// Install the services: check, start and prove that they are healthy, or roll back
        Apply(ServiceApplyRequest),
        /// Start all instances of a service and wait until they are healthy
        Start(ServiceStartRequest),
        /// Stop all instances of a service
        Stop(ServiceStopRequest),
        /// Restart one instance after the other, each once the one before is healthy
        Restart(ServiceRestartRequest),
        /// Check whether services are healthy. Exits with 1 if one is not
        Status(ServiceStatusRequest),
        /// Bring a new version of a service into use; on a command line it is a command of its own
        #[cfg_attr(feature = "clap", command(skip))]
        Deploy(DeployRequest),
    }
}

#[cfg(feature = "clap")]
pub(super) const FOLDER: &str =
    "The folder that systemd or cron reads [default: /etc/systemd/system, /etc/cron.d]";

/// The program that services are rendered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum ServiceKind {
    /// Units and timers.
    #[default]
    Systemd,
    /// An `ecosystem.config.cjs`.
    Pm2,
    /// A file for `/etc/cron.d`.
    Cron,
    /// Workflows of GitHub Actions.
    GithubActions,
}

impl Seaworthy {
    /// The services of the file on this machine, and the timer that runs what is due.
    pub fn services(&self) -> Result<Services> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => CommandLine::new(["seaworthy"])?,
        };
        let mut services =
            Services::new(self.config.service.clone(), machine::processors(), program);
        services.time_zone = Some(self.config.time_zone());
        services.runner = self.runner()?;
        Ok(services)
    }

    /// The timer; `None` if nothing is scheduled.
    fn runner(&self) -> Result<Option<Runner>> {
        let of_job = |job: &JobConfig| job.schedule.is_some() || job.drill.schedule.is_some();
        let jobs = self.config.backup.iter().any(|(_, job)| of_job(job));
        if !jobs && self.config.certificate.is_empty() {
            return Ok(None);
        }
        let mut runner = Runner::new(LOOK.parse()?);
        let path = |path: &Path| FilePath::new(path.to_string_lossy().into_owned());
        runner.writes.push(path(self.state.path())?);
        for (_, folder) in self.config.sink_folders() {
            runner.writes.push(path(folder)?);
        }
        if !self.config.certificate.is_empty() {
            runner.writes.push(path(self.config.tls.clone().unwrap_or_default().store())?);
        }
        for (_, certificate) in self.config.certificate.iter() {
            let Some(challenge) = &certificate.challenge else { continue };
            match (challenge.as_kind().webroot(), challenge.as_kind().kind()) {
                (Some(webroot), _) => runner.writes.push(path(&webroot)?),
                (None, ChallengeKind::Dns01) => {}
                (None, _) => runner.low_ports = true,
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        runner.writes.retain(|path| seen.insert(path.to_string()));
        runner.environment_files.push(FilePath::new(ENVIRONMENT)?);
        Ok(Some(runner))
    }

    fn rendered(&self, kind: ServiceKind) -> Result<FileSet> {
        let services = self.services()?;
        match kind {
            ServiceKind::Systemd => SystemdRenderer.render(&services),
            ServiceKind::Pm2 => Pm2Renderer.render(&services),
            ServiceKind::Cron => CronRenderer::new(TimeZone::system()).render(&services),
            ServiceKind::GithubActions => WorkflowRenderer.render(&services),
        }
    }

    fn systemd_installer(&self, folder: Option<&Path>) -> Result<SystemdInstaller> {
        let installer = SystemdInstaller::new(self.services()?)?;
        Ok(match folder {
            Some(folder) => installer.with_folder(absolute(folder)?),
            None => installer,
        })
    }

    /// The folder of the live files, if we install them.
    fn place(&self, kind: ServiceKind, folder: Option<&Path>) -> Result<Option<Generations>> {
        Ok(match kind {
            ServiceKind::Systemd => Some(self.systemd_installer(folder)?.generations()),
            ServiceKind::Cron => Some(cron_installer(folder)?.generations()),
            ServiceKind::Pm2 | ServiceKind::GithubActions => None,
        })
    }
}

fn cron_installer(folder: Option<&Path>) -> Result<CronInstaller> {
    let installer = CronInstaller::new();
    Ok(match folder {
        Some(folder) => installer.with_folder(absolute(folder)?),
        None => installer,
    })
}

/// Links use the absolute path of files.
fn absolute(folder: &Path) -> Result<PathBuf> {
    std::path::absolute(folder)
        .map_err(|e| Error::io("service.folder", format!("cannot find {}", folder.display()), e))
}
