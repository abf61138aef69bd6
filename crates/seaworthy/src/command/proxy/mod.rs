//! `proxy`: the web server's configuration rendered, checked, compared, installed, switched.

mod apply;
mod check;
mod chosen;
mod diff;
mod render;
mod switch;

use std::path::PathBuf;

use seaworthy_core::{ConfigRenderer, Context, Error, ErrorKind, FileSet, Result, StagedFiles};
use seaworthy_proxy_config::{Finding, NginxInstaller, NginxRenderer, Target, Web, lint};
use serde::Serialize;

pub use apply::{ApplyState, LeftOut, ProxyApplyRequest, ProxyApplyResult};
pub use check::ProxyCheckResult;
pub use chosen::ChosenPool;
pub use diff::{FileChange, HowChanged, ProxyDiffResult};
pub use render::{ProxyRenderResult, RenderedText};
pub use switch::{ProxySwitchRequest, ProxySwitchResult};

use crate::{Seaworthy, command::proxy::chosen::Choices};

/// Something in the sites that is probably not meant.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LintFinding {
    /// Its stable name, such as `unused-upstream`.
    pub rule: String,
    /// The part of the file, such as `site.api.routes[0].csp`.
    pub field: String,
    /// What it is, and what to do.
    pub message: String,
}

impl From<Finding> for LintFinding {
    fn from(finding: Finding) -> Self {
        let field = finding.origin.to_string();
        Self { rule: finding.rule.to_owned(), field, message: finding.message }
    }
}

/// The model of the file, and what it is rendered with.
struct Prepared {
    web: Web,
    chosen: Vec<ChosenPool>,
    installer: NginxInstaller,
    target: Target,
    files: FileSet,
}

impl Prepared {
    fn findings(&self) -> Vec<LintFinding> {
        lint(&self.web).into_iter().map(LintFinding::from).collect()
    }

    /// Renders anew, after the model changed.
    fn render(&mut self) -> Result<()> {
        self.files = NginxRenderer::new(self.target.clone()).render(&self.web)?;
        Ok(())
    }
}

/// Files in a folder that is gone when this is.
struct Tried {
    staged: StagedFiles,
    _folder: tempfile::TempDir,
}

impl Tried {
    /// Writes the files of `prepared` where nginx can check them, and nobody serves them.
    fn new(prepared: &Prepared) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("seaworthy-proxy-")
            .tempdir()
            .map_err(|e| Error::io("proxy.check", "cannot create a temporary folder", e))?;
        let inner = folder.path().join("files");
        prepared.files.write_to(&inner)?;
        let link = prepared.installer.generations().link();
        let staged = StagedFiles::new(inner, link, prepared.files.clone());
        Ok(Self { staged, _folder: folder })
    }
}

impl Seaworthy {
    /// The web server of the file, with the pools that were switched to.
    fn chosen_web(&self, choices: &Choices, cx: &Context) -> Result<(Web, Vec<ChosenPool>)> {
        if self.config.proxy.is_none() && self.config.site.is_empty() {
            return Err(Error::new(ErrorKind::Config, "proxy", "the file has no [proxy]")
                .remedy_is("write [proxy] and [site.NAME]"));
        }
        let mut web = self.config.web()?;
        let chosen = choices.put_into(&mut web, cx);
        Ok((web, chosen))
    }

    /// Asks nginx what it is, and renders for it.
    async fn prepare(&self, cx: &Context) -> Result<Prepared> {
        let choices = Choices::read(self.state.path())?;
        let (web, chosen) = self.chosen_web(&choices, cx)?;
        self.prepare_web(web, chosen, cx).await
    }

    async fn prepare_web(
        &self,
        web: Web,
        chosen: Vec<ChosenPool>,
        cx: &Context,
    ) -> Result<Prepared> {
        let installer = NginxInstaller::new(&web)?;
        let target = installer.target(cx).await?;
        let mut prepared = Prepared { web, chosen, installer, target, files: FileSet::new() };
        prepared.render()?;
        Ok(prepared)
    }

    /// One at a time changes what nginx serves.
    fn lock_proxy(&self, purpose: &str) -> Result<seaworthy_core::FileLock> {
        let folder: PathBuf = self.state.path().join("proxy");
        seaworthy_core::durable::create_private_folder(&folder)?;
        seaworthy_core::FileLock::acquire(&folder.join(".lock"), purpose)
    }
}
