//! `service check` and `service apply`: installs the services and proves that they are healthy, or
//! rolls back.

use std::path::{Path, PathBuf};

use seaworthy_core::{
    Applied, Context, Error, ErrorKind, FileSet, Installer, Result, StagedFiles, apply,
};
use serde::{Deserialize, Serialize};

#[cfg(feature = "clap")]
use super::FOLDER;
use super::{ServiceChange, ServiceKind, cron_installer};
#[cfg(feature = "clap")]
use crate::command::flags;
use crate::{Outcome, Reply, Seaworthy, command::request};

/// The request of `service apply`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ServiceApplyRequest {
    /// The program to render for: `systemd` by default.
    #[serde(rename = "type")]
    #[cfg_attr(
        feature = "clap",
        arg(
            long = "type",
            value_name = "TYPE",
            default_value = "systemd",
            value_parser = flags::word::<ServiceKind>(),
            help = "The program to render for"
        )
    )]
    pub kind: ServiceKind,
    /// Only check, and print what would change.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// The folder where systemd, or cron, looks; by default `/etc/systemd/system` or `/etc/cron.d`.
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", help = FOLDER))]
    pub folder: Option<PathBuf>,
}

request!(ServiceApplyRequest, "service apply", service_apply -> ServiceApplyResult);

/// What `service check` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ServiceCheckRequest {
    /// The program to render for: `systemd` by default.
    #[serde(rename = "type")]
    #[cfg_attr(
        feature = "clap",
        arg(
            long = "type",
            value_name = "TYPE",
            default_value = "systemd",
            value_parser = flags::word::<ServiceKind>(),
            help = "The program to render for"
        )
    )]
    pub kind: ServiceKind,
    /// The folder where systemd, or cron, looks; by default `/etc/systemd/system` or `/etc/cron.d`.
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", help = FOLDER))]
    pub folder: Option<PathBuf>,
}

request!(ServiceCheckRequest, "service check", service_check -> ServiceCheckResult);

/// The result of `service apply`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceApplyResult {
    /// The result for the files.
    pub state: ServiceApplied,
    /// The files that changed, or would change.
    pub changes: Vec<ServiceChange>,
    /// The folder of the files that are live now.
    pub live: Option<PathBuf>,
}

/// The result for rendered files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceApplied {
    /// They were already live.
    Unchanged,
    /// They are live now, and the services are healthy.
    Changed,
    /// They would become live.
    WouldChange,
}

/// The result of `service check`: nothing was found, otherwise it is an error.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceCheckResult {
    /// The files that were checked.
    pub files: Vec<String>,
}

impl Seaworthy {
    /// Checks whether the program would accept the services. Nothing becomes live.
    pub async fn service_check(
        &self,
        request: &ServiceCheckRequest,
        cx: &Context,
    ) -> Reply<ServiceCheckResult> {
        let ServiceCheckRequest { kind, folder } = request;
        let work = async {
            let files = self.rendered(*kind)?;
            self.try_services(*kind, folder.as_deref(), &files, cx).await?;
            let files = files.iter().map(|(path, _)| path.to_owned()).collect();
            Ok::<_, Error>(ServiceCheckResult { files })
        };
        work.await.into()
    }

    /// Installs the services: checks them, starts or restarts one instance after the other, proves
    /// that they are healthy, and rolls back otherwise.
    pub async fn service_apply(
        &self,
        request: &ServiceApplyRequest,
        cx: &Context,
    ) -> Reply<ServiceApplyResult> {
        match self.install_services(request, cx).await {
            Ok(result) => {
                let nothing = result.state == ServiceApplied::Unchanged;
                let outcome = if nothing { Outcome::NothingToDo } else { Outcome::Done };
                Reply::new(result, outcome)
            }
            Err(error) => error.into(),
        }
    }

    /// The commands that installing would run, after the program has checked the files.
    pub(in crate::command) async fn plan_services(
        &self,
        request: &ServiceApplyRequest,
        cx: &Context,
    ) -> Result<(ServiceApplyResult, Vec<String>)> {
        let request = ServiceApplyRequest { dry_run: true, ..request.clone() };
        let planned = self.install_services(&request, cx).await?;
        let commands = match request.kind {
            ServiceKind::Systemd => {
                self.systemd_installer(request.folder.as_deref())?.commands()?
            }
            _ => Vec::new(),
        };
        Ok((planned, commands))
    }

    /// The folder with the links to the files, once they are live.
    pub(in crate::command) fn services_live(
        &self,
        request: &ServiceApplyRequest,
    ) -> Result<Option<PathBuf>> {
        let place = self.place(request.kind, request.folder.as_deref())?;
        Ok(place.map(|place| place.link()))
    }

    pub(in crate::command) async fn install_services(
        &self,
        request: &ServiceApplyRequest,
        cx: &Context,
    ) -> Result<ServiceApplyResult> {
        let files = self.rendered(request.kind)?;
        let folder = request.folder.as_deref();
        let Some(place) = self.place(request.kind, folder)? else {
            let (what, remedy) = match request.kind {
                ServiceKind::Pm2 => (
                    "PM2 reads its file from where you start it: Seaworthy does not install it",
                    "service render with `out` into a folder DIR, then `pm2 startOrReload \
                     DIR/ecosystem.config.cjs` and `pm2 save`",
                ),
                _ => (
                    "GitHub reads workflows from the repository: Seaworthy does not install them",
                    "service render with `out` into a folder DIR, and put DIR/workflows/ into .github",
                ),
            };
            return Err(Error::new(ErrorKind::InvalidInput, "service.apply", what)
                .remedy_with(remedy, &["out"]));
        };
        let changes = self.service_changes(request.kind, &files, folder)?;
        let state = if request.dry_run {
            self.try_services(request.kind, folder, &files, cx).await?;
            match changes.is_empty() {
                true => ServiceApplied::Unchanged,
                false => ServiceApplied::WouldChange,
            }
        } else {
            let installer = self.service_installer(request.kind, folder)?;
            match apply(&place, files, &*installer, cx).await? {
                Applied::Unchanged => ServiceApplied::Unchanged,
                _ => ServiceApplied::Changed,
            }
        };
        let live = place.current()?.map(|staged| staged.folder);
        Ok(ServiceApplyResult { state, changes, live })
    }

    fn service_installer(
        &self,
        kind: ServiceKind,
        folder: Option<&Path>,
    ) -> Result<Box<dyn Installer>> {
        Ok(match kind {
            ServiceKind::Cron => Box::new(cron_installer(folder)?),
            _ => Box::new(self.systemd_installer(folder)?),
        })
    }

    /// Checks the files in a folder of their own.
    async fn try_services(
        &self,
        kind: ServiceKind,
        folder: Option<&Path>,
        files: &FileSet,
        cx: &Context,
    ) -> Result<()> {
        let Some(place) = self.place(kind, folder)? else { return Ok(()) };
        let scratch = tempfile::Builder::new()
            .prefix("seaworthy-service-")
            .tempdir()
            .map_err(|e| Error::io("service.check", "cannot create a temporary folder", e))?;
        let inner = scratch.path().join("files");
        files.write_to(&inner)?;
        let staged = StagedFiles::new(&inner, place.link(), files.clone());
        self.service_installer(kind, folder)?.check(&staged, cx).await
    }
}
