//! `proxy apply`: the sites installed and proved, or the old ones back.

use std::path::PathBuf;

use seaworthy_core::{Applied, Context, Error, Event, Name, Result, apply};
use serde::{Deserialize, Serialize};

use super::{ChosenPool, FileChange, LintFinding, Prepared, diff};
use crate::{ErrorDocument, Outcome, Reply, Seaworthy, command::request};

/// What `proxy apply` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ProxyApplyRequest {
    /// Check, and say what would change.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// Leave sites out that nginx refuses, instead of changing nothing.
    #[cfg_attr(feature = "clap", arg(long))]
    pub keep_going: bool,
}

request!(ProxyApplyRequest, "proxy apply", proxy_apply -> ProxyApplyResult);

/// What `proxy apply` did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProxyApplyResult {
    /// What became of the files.
    pub state: ApplyState,
    /// The files that changed, or would.
    pub changes: Vec<FileChange>,
    /// The folder of the files that are live now.
    pub live: Option<PathBuf>,
    /// Sites that nginx refuses, which are not served now.
    pub left_out: Vec<LeftOut>,
    /// The pools that are in use because they were switched to.
    pub chosen: Vec<ChosenPool>,
    /// What is probably not meant.
    pub findings: Vec<LintFinding>,
}

/// What became of rendered files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApplyState {
    /// They were live already.
    Unchanged,
    /// They are live now, and proved.
    Changed,
    /// They would become live.
    WouldChange,
}

/// A site that nginx refuses.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Its name.
    pub site: Name,
    /// Why.
    pub error: ErrorDocument,
}

impl Seaworthy {
    /// Installs the sites in the nginx of `[proxy]`: checked in its real tree, read by it, proved
    /// to be served, and taken back otherwise.
    pub async fn proxy_apply(
        &self,
        request: &ProxyApplyRequest,
        cx: &Context,
    ) -> Reply<ProxyApplyResult> {
        match self.install_proxy(request, false, cx).await {
            Ok(result) => {
                let outcome = match result.state {
                    _ if !result.left_out.is_empty() => Outcome::Losses,
                    ApplyState::Unchanged => Outcome::NothingToDo,
                    _ => Outcome::Done,
                };
                Reply::new(result, outcome)
            }
            Err(error) => self.config.locate(error).into(),
        }
    }

    /// Does it; `start` starts nginx where it does not run.
    pub(in crate::command) async fn install_proxy(
        &self,
        request: &ProxyApplyRequest,
        start: bool,
        cx: &Context,
    ) -> Result<ProxyApplyResult> {
        let _lock = match request.dry_run {
            true => None,
            false => Some(self.lock_proxy("proxy apply")?),
        };
        let mut prepared = self.prepare(cx).await?;
        if start {
            prepared.installer = prepared.installer.with_start()?;
        }
        if let Some(obstacle) = prepared.installer.obstacle()? {
            return Err(obstacle);
        }
        let left_out = match request.keep_going {
            true => self.leave_out(&mut prepared, cx).await?,
            false => Vec::new(),
        };
        let changes = diff::changes(&prepared)?;
        let findings = prepared.findings();
        let place = prepared.installer.generations();
        let state = if request.dry_run {
            if let (_, Some(error)) = self.try_files(&prepared, cx).await? {
                return Err(error);
            }
            if changes.is_empty() { ApplyState::Unchanged } else { ApplyState::WouldChange }
        } else {
            match apply(&place, prepared.files, &prepared.installer, cx).await? {
                Applied::Unchanged => ApplyState::Unchanged,
                _ => ApplyState::Changed,
            }
        };
        let live = place.current()?.map(|staged| staged.folder);
        Ok(ProxyApplyResult { state, changes, live, left_out, chosen: prepared.chosen, findings })
    }

    /// Takes the sites out of the model that nginx refuses alone.
    async fn leave_out(&self, prepared: &mut Prepared, cx: &Context) -> Result<Vec<LeftOut>> {
        let (refused, error) = self.try_files(prepared, cx).await?;
        let Some(error) = error else { return Ok(Vec::new()) };
        if refused.is_empty() || refused.len() == prepared.web.sites.len() {
            // Nothing would be left, or no site is to blame.
            return Err(error);
        }
        let mut left_out: Vec<LeftOut> = Vec::new();
        for (site, error) in refused {
            prepared.web.sites.remove(&site.site);
            let message = format!("site {} is left out: {}", site.site, Error::chain(&error));
            cx.emit(Event::warning(message));
            left_out.push(site);
        }
        prepared.installer = seaworthy_proxy_config::NginxInstaller::new(&prepared.web)?;
        prepared.render()?;
        Ok(left_out)
    }
}
