//! Switches to another release, with rollback.

use std::path::PathBuf;

use async_trait::async_trait;
use seaworthy_core::{
    Context, Error, FileSet, Installer, Place, Result, StagedFiles, WayBack, go_live,
};

use super::{CURRENT, RELEASES, Release, Releases};
use crate::control::Control;

impl Releases<'_> {
    /// Makes `release` the current one; on failure, `before` again.
    pub(super) async fn switch(
        &self,
        release: &Release,
        before: Option<&Release>,
        cx: &Context,
    ) -> Result<()> {
        let control = self.services.control(self.name, self.systemctl)?;
        let switch = Switch { releases: self, control };
        let staged = |release: &Release| {
            let folder = self.folder.join(RELEASES).join(release.as_str());
            StagedFiles::new(folder, switch.link(), FileSet::new())
        };
        let old = before.map(staged);
        let back = old.as_ref().map_or(WayBack::ToNothing, WayBack::To);
        let done = go_live(&switch, &staged(release), back, &switch, cx).await;
        done.map_err(|failure| {
            let before = before.map_or("nothing", Release::as_str);
            let remedy = format!("check which units of the service {} run", self.name);
            failure.into_error("deploy", before, remedy)
        })
    }
}

/// The link to the release in use, and the service that runs from behind it.
#[derive(Debug)]
struct Switch<'a> {
    releases: &'a Releases<'a>,
    control: Control<'a>,
}

#[async_trait]
impl Place for Switch<'_> {
    fn link(&self) -> PathBuf {
        self.releases.folder.join(CURRENT)
    }

    async fn swap(&self, staged: Option<&StagedFiles>, _: &Context) -> Result<()> {
        let name = staged.and_then(|staged| staged.folder.file_name());
        let release = name.map(|name| Release(name.to_string_lossy().into_owned()));
        self.releases.point(release.as_ref())
    }
}

#[async_trait]
impl Installer for Switch<'_> {
    /// A release is tested when it is activated, in a trial instance.
    async fn check(&self, _: &StagedFiles, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn activate(&self, _: &StagedFiles, cx: &Context) -> Result<()> {
        self.control.replace(cx).await
    }

    /// Each instance was waited for.
    async fn prove(&self, _: &StagedFiles, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn reactivate(&self, before: &StagedFiles, failure: &Error, cx: &Context) -> Result<()> {
        let nothing = before.folder == self.link();
        match nothing {
            true => self.control.stop(cx).await,
            // A failed trial has not touched any instance.
            false if failure.context().any(|(name, _)| name == "trial") => Ok(()),
            false => self.control.restart(cx).await,
        }
    }
}
