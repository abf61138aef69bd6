//! `proxy`: the web server's configuration rendered, checked, compared, installed, switched.

mod apply;
mod check;
mod chosen;
mod diff;
mod render;
mod switch;

use std::path::{Path, PathBuf};

use seaworthy_core::{
    ConfigRenderer, Context, Error, ErrorKind, FileSet, Name, Result, StagedFiles,
};
use seaworthy_proxy_config::{
    CertificateFiles, FilePath, Finding, NginxInstaller, NginxRenderer, Target, Web, lint,
};
use seaworthy_tls::{Identifier, make_placeholder};
use serde::{Deserialize, Serialize};

pub use apply::{ApplyState, LeftOut, ProxyApplyRequest, ProxyApplyResult};
pub use check::{ProxyCheckRequest, ProxyCheckResult};
pub use chosen::ChosenPool;
pub use diff::{FileChange, HowChanged, ProxyDiffRequest, ProxyDiffResult};
pub use render::{ProxyRenderRequest, ProxyRenderResult, RenderedText};
pub use switch::{ProxySwitchRequest, ProxySwitchResult};

use super::requests;
use crate::{Seaworthy, command::proxy::chosen::Choices};

requests! {
    /// Commands about the web server.
    #[derive(Deserialize)]
    #[serde(tag = "command", rename_all = "kebab-case")]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    ProxyCommand {
        /// Print the files of the sites, or write them into a folder; changes nothing else
        Render(ProxyRenderRequest),
        /// Check whether nginx would accept the sites, and look for likely mistakes. Nothing
        /// becomes live
        Check(ProxyCheckRequest),
        /// Compare the sites with what is on disk, including hand edits
        Diff(ProxyDiffRequest),
        /// Install the sites: check them, reload nginx and prove that they are served, or roll back
        Apply(ProxyApplyRequest),
        /// Use another pool for a site, such as blue or green, without losing a request
        Switch(ProxySwitchRequest),
    }
}

/// A likely mistake in the sites.
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

    /// Renders again, after the model changed.
    fn render(&mut self) -> Result<()> {
        self.files = NginxRenderer::new(self.target.clone()).render(&self.web)?;
        Ok(())
    }
}

/// What installing the sites would do.
pub(super) struct ProxyPlan {
    /// The files that would change.
    pub(super) changes: Vec<FileChange>,
    /// The commands that would run.
    pub(super) commands: Vec<String>,
    /// The folder that the live files are in.
    pub(super) live: PathBuf,
    /// Why nginx has not checked the files.
    pub(super) unchecked: Option<String>,
}

/// Files in a temporary folder, removed when this is dropped.
struct Tried {
    staged: StagedFiles,
    _folder: tempfile::TempDir,
}

impl Tried {
    /// Writes the files of `prepared` where nginx can check them, but does not serve them.
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

    /// Asks nginx for its version, and renders for it.
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

    /// What installing the sites would do, if the certificates `lacking` exist by then; fails if
    /// nginx would not accept them.
    pub(super) async fn plan_proxy(
        &self,
        lacking: &[(Name, Vec<Identifier>)],
        cx: &Context,
    ) -> Result<ProxyPlan> {
        let mut prepared = self.prepare(cx).await?;
        if let Some(obstacle) = prepared.installer.obstacle()? {
            return Err(obstacle);
        }
        let installer = prepared.installer.clone().with_start()?;
        let mut plan = ProxyPlan {
            changes: diff::changes(&prepared)?,
            commands: Vec::new(),
            live: installer.generations().link(),
            unchecked: None,
        };
        if !plan.changes.is_empty() {
            plan.commands = installer.commands()?.iter().map(ToString::to_string).collect();
        }
        let proxy = &prepared.web.proxy;
        let folders = [proxy.root.as_str(), proxy.logs.as_str()];
        if let Some(missing) = folders.into_iter().find(|folder| !Path::new(folder).exists()) {
            plan.unchecked = Some(format!("nginx checks them when {missing} exists"));
            return Ok(plan);
        }
        // Placeholders for those that do not exist yet.
        let folder = tempfile::tempdir()
            .map_err(|e| Error::io("proxy.check", "cannot create a temporary folder", e))?;
        for (name, names) in lacking {
            let folder = folder.path().join(name.as_str());
            make_placeholder(&folder, names, cx).await?;
            let file = |file: &str| FilePath::new(folder.join(file).to_string_lossy());
            let files = CertificateFiles::new(file("fullchain.pem")?, file("privkey.pem")?);
            prepared.web.certificates.insert(name.clone(), files);
        }
        prepared.render()?;
        match self.try_files(&prepared, cx).await? {
            (_, Some(error)) => Err(error),
            (_, None) => Ok(plan),
        }
    }

    /// The installer of the sites.
    pub(super) fn proxy_installer(&self) -> Result<NginxInstaller> {
        NginxInstaller::new(&self.config.web()?)
    }

    /// Only one process at a time changes what nginx serves.
    fn lock_proxy(&self, purpose: &str) -> Result<seaworthy_core::FileLock> {
        let folder: PathBuf = self.state.path().join("proxy");
        seaworthy_core::durable::create_private_folder(&folder)?;
        seaworthy_core::FileLock::acquire(&folder.join(".lock"), purpose)
    }
}
