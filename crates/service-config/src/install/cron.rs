//! Installs the crontab, for machines without systemd.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use seaworthy_core::{Context, Generations, Installer, Result, StagedFiles};

use super::links;

/// Where cron reads the files of packages and programs.
pub(crate) const CRON_FOLDER: &str = "/etc/cron.d";

/// Installs a rendered crontab, through [`apply`](seaworthy_core::apply): a link in `/etc/cron.d`
/// leads to it. cron notices it within a minute.
#[derive(Clone, Debug)]
pub struct CronInstaller {
    folder: PathBuf,
}

impl CronInstaller {
    /// Installs into this machine's cron.
    pub fn new() -> Self {
        Self { folder: CRON_FOLDER.into() }
    }

    /// Puts the link into `folder` instead.
    #[must_use]
    pub fn with_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where the generations of files are.
    pub fn generations(&self) -> Generations {
        let parent = self.folder.parent().unwrap_or(Path::new("/"));
        Generations::new(parent.join("seaworthy-cron"))
    }
}

impl Default for CronInstaller {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Installer for CronInstaller {
    async fn check(&self, staged: &StagedFiles, _: &Context) -> Result<()> {
        links::check(&self.folder, &self.generations(), &staged.files)
    }

    async fn activate(&self, staged: &StagedFiles, _: &Context) -> Result<()> {
        links::set(&self.folder, &self.generations(), &staged.files)
    }

    async fn prove(&self, _: &StagedFiles, _: &Context) -> Result<()> {
        Ok(())
    }
}
