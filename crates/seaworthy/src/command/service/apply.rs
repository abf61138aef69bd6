//! `service check` and `service apply`: the services installed and proved, or the old ones back.

use std::path::PathBuf;

use seaworthy_core::{
    Applied, Context, Error, ErrorKind, FileSet, Installer, Result, StagedFiles, apply,
};
use serde::Serialize;

use super::{ServiceChange, ServiceKind, cron_installer};
use crate::{Outcome, Reply, Seaworthy};

/// What `service apply` is asked for.
#[derive(Clone, Debug, Default)]
pub struct ServiceApplyRequest {
    /// For which program.
    pub kind: ServiceKind,
    /// Only check, and say what would change.
    pub dry_run: bool,
    /// Answer [`Outcome::NothingToDo`] where nothing had to be done.
    pub detailed_exit_code: bool,
    /// The folder where systemd, or cron, looks; the usual one where none is given.
    pub folder: Option<PathBuf>,
}

/// What `service apply` did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceApplyResult {
    /// What became of the files.
    pub state: ServiceApplied,
    /// The files that changed, or would.
    pub changes: Vec<ServiceChange>,
    /// The folder of the files that are live now.
    pub live: Option<PathBuf>,
}

/// What became of rendered files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceApplied {
    /// They were live already.
    Unchanged,
    /// They are live now, and the services are well.
    Changed,
    /// They would become live.
    WouldChange,
}

/// What `service check` found: nothing, or there would be an error.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceCheckResult {
    /// The files that were looked at.
    pub files: Vec<String>,
}

impl Seaworthy {
    /// Would the program take the services? Nothing becomes live.
    pub async fn service_check(
        &self,
        kind: ServiceKind,
        folder: Option<PathBuf>,
        cx: &Context,
    ) -> Reply<ServiceCheckResult> {
        let request = ServiceApplyRequest { kind, folder, ..ServiceApplyRequest::default() };
        let work = async {
            let files = self.rendered(kind)?;
            self.try_services(&request, &files, cx).await?;
            let files = files.iter().map(|(path, _)| path.to_owned()).collect();
            Ok::<_, Error>(ServiceCheckResult { files })
        };
        work.await.into()
    }

    /// Installs the services: checked, started or restarted one instance after the other, proved to
    /// be well, and taken back otherwise.
    pub async fn service_apply(
        &self,
        request: &ServiceApplyRequest,
        cx: &Context,
    ) -> Reply<ServiceApplyResult> {
        match self.install_services(request, cx).await {
            Ok(result) => {
                let nothing = result.state == ServiceApplied::Unchanged;
                let outcome = match request.detailed_exit_code && nothing {
                    true => Outcome::NothingToDo,
                    false => Outcome::Done,
                };
                Reply::new(result, outcome)
            }
            Err(error) => error.into(),
        }
    }

    /// What installing would run, after the program has looked at the files.
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
                    "PM2 reads its file from where you start it",
                    "`service render --type pm2 --out DIR`, then `pm2 startOrReload \
                     DIR/ecosystem.config.cjs` and `pm2 save`",
                ),
                _ => (
                    "GitHub reads workflows from the repository",
                    "`service render --type github-actions --out DIR`, and put workflows/ into \
                     .github",
                ),
            };
            return Err(
                Error::new(ErrorKind::InvalidInput, "service.apply", what).remedy_is(remedy)
            );
        };
        let changes = self.service_changes(request.kind, &files, folder)?;
        let state = if request.dry_run {
            self.try_services(request, &files, cx).await?;
            match changes.is_empty() {
                true => ServiceApplied::Unchanged,
                false => ServiceApplied::WouldChange,
            }
        } else {
            let installer = self.service_installer(request)?;
            match apply(&place, files, &*installer, cx).await? {
                Applied::Unchanged => ServiceApplied::Unchanged,
                _ => ServiceApplied::Changed,
            }
        };
        let live = place.current()?.map(|staged| staged.folder);
        Ok(ServiceApplyResult { state, changes, live })
    }

    fn service_installer(&self, request: &ServiceApplyRequest) -> Result<Box<dyn Installer>> {
        let folder = request.folder.as_deref();
        Ok(match request.kind {
            ServiceKind::Cron => Box::new(cron_installer(folder)?),
            _ => Box::new(self.systemd_installer(folder)?),
        })
    }

    /// Checks the files in a folder of their own.
    async fn try_services(
        &self,
        request: &ServiceApplyRequest,
        files: &FileSet,
        cx: &Context,
    ) -> Result<()> {
        let Some(place) = self.place(request.kind, request.folder.as_deref())? else {
            return Ok(());
        };
        let scratch = tempfile::Builder::new()
            .prefix("seaworthy-service-")
            .tempdir()
            .map_err(|e| Error::io("service.check", "cannot create a temporary folder", e))?;
        let folder = scratch.path().join("files");
        files.write_to(&folder)?;
        let staged = StagedFiles::new(&folder, place.link(), files.clone());
        self.service_installer(request)?.check(&staged, cx).await
    }
}
