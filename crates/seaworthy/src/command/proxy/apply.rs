//! `proxy apply`: installs the sites and proves that they are served, or rolls back.

use std::path::PathBuf;

use seaworthy_core::{Applied, Context, Error, Event, Name, Result, apply};
use serde::{Deserialize, Serialize};

use super::{ChosenPool, FileChange, LintFinding, Prepared, diff};
use crate::{ErrorDocument, Outcome, Reply, Seaworthy, command::request};

/// The request of `proxy apply`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ProxyApplyRequest {
    /// Only check, and print what would change.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// Leave out sites that nginx rejects, instead of changing nothing.
    #[cfg_attr(feature = "clap", arg(long))]
    pub keep_going: bool,
}

request!(ProxyApplyRequest, "proxy apply", proxy_apply -> ProxyApplyResult);

/// The result of `proxy apply`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProxyApplyResult {
    /// The result for the files.
    pub state: ApplyState,
    /// The files that changed, or would change.
    pub changes: Vec<FileChange>,
    /// The folder of the files that are live now.
    pub live: Option<PathBuf>,
    /// Sites that nginx rejects, which are not served now.
    pub left_out: Vec<LeftOut>,
    /// The pools that are active because they were switched to.
    pub chosen: Vec<ChosenPool>,
    /// Likely mistakes.
    pub findings: Vec<LintFinding>,
}

/// The result for rendered files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApplyState {
    /// They were already live.
    Unchanged,
    /// They are live now, and proved.
    Changed,
    /// They would become live.
    WouldChange,
}

/// A site that nginx rejects.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Its name.
    pub site: Name,
    /// Why.
    pub error: ErrorDocument,
}

impl Seaworthy {
    /// Installs the sites in the nginx of `[proxy]`: checks them in its real tree, reloads it,
    /// proves that they are served, and rolls back otherwise.
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

    /// Does it; with `start`, starts nginx if it is not running.
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

    /// Removes the sites from the model that nginx rejects even alone.
    async fn leave_out(&self, prepared: &mut Prepared, cx: &Context) -> Result<Vec<LeftOut>> {
        let (refused, error) = self.try_files(prepared, cx).await?;
        let Some(error) = error else { return Ok(Vec::new()) };
        if refused.is_empty() || refused.len() == prepared.web.sites.len() {
            // Nothing would be left, or no single site is the cause.
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
