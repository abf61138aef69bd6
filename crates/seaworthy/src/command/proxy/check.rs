//! `proxy check`: would nginx accept it, and are there likely mistakes?

use seaworthy_core::{Context, Error, Installer, Result};
use serde::{Deserialize, Serialize};

use super::{LeftOut, LintFinding, Prepared, Tried};
use crate::{ErrorDocument, Outcome, Reply, Seaworthy, command::request};

/// What `proxy check` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ProxyCheckRequest {}

request!(ProxyCheckRequest, "proxy check", proxy_check -> ProxyCheckResult);

/// The result of `proxy check`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProxyCheckResult {
    /// The version of nginx that was asked.
    pub nginx: String,
    /// Features that the files leave out because this version does not support them.
    pub lacks: Vec<String>,
    /// How many sites there are.
    pub sites: usize,
    /// Whether nginx accepts all of them together.
    pub accepted: bool,
    /// Sites that nginx rejects even alone.
    pub refused: Vec<LeftOut>,
    /// Likely mistakes.
    pub findings: Vec<LintFinding>,
}

impl Seaworthy {
    /// Checks whether nginx accepts the files in its real tree, each site alone and all together,
    /// and looks for likely mistakes. Nothing becomes live.
    pub async fn proxy_check(
        &self,
        _: &ProxyCheckRequest,
        cx: &Context,
    ) -> Reply<ProxyCheckResult> {
        let prepared = match self.prepare(cx).await {
            Ok(prepared) => prepared,
            Err(error) => return self.config.locate(error).into(),
        };
        let (refused, error) = match self.try_files(&prepared, cx).await {
            Ok(tried) => tried,
            Err(error) => (Vec::new(), Some(error)),
        };
        let result = ProxyCheckResult {
            nginx: prepared.target.version.to_string(),
            lacks: prepared.target.lacks().into_iter().map(str::to_owned).collect(),
            sites: prepared.web.sites.len(),
            accepted: error.is_none(),
            refused: refused.iter().map(|(left_out, _)| left_out.clone()).collect(),
            findings: prepared.findings(),
        };
        let good = result.findings.is_empty();
        let outcome = if good { Outcome::Done } else { Outcome::Findings };
        let error = error.map(|error| self.config.locate(error));
        Reply::new(result, outcome).with_error(error)
    }

    /// Lets nginx check the files of `prepared` without making them live: which sites it rejects
    /// alone, and its result for all together.
    pub(super) async fn try_files(
        &self,
        prepared: &Prepared,
        cx: &Context,
    ) -> Result<(Vec<(LeftOut, Error)>, Option<Error>)> {
        if let Some(obstacle) = prepared.installer.obstacle()? {
            return Err(obstacle);
        }
        let tried = Tried::new(prepared)?;
        let Err(error) = prepared.installer.check(&tried.staged, cx).await else {
            return Ok((Vec::new(), None));
        };
        let refused = prepared.installer.failing_sites(&tried.staged, cx).await?;
        let refused = refused.into_iter().map(|(site, error)| {
            let error = self.config.locate(error);
            (LeftOut { site, error: ErrorDocument::new(&error) }, error)
        });
        Ok((refused.collect(), Some(error)))
    }
}
