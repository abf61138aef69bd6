//! `proxy render`: prints the files, or writes them to a folder.

use std::path::{Path, PathBuf};

use seaworthy_core::{Context, FileSet, Result};
use serde::{Deserialize, Serialize};

use super::{ChosenPool, LintFinding};
use crate::{Reply, Seaworthy, command::request, out};

/// What `proxy render` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ProxyRenderRequest {
    /// Write them into this folder, which contains only rendered files.
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub out: Option<PathBuf>,
}

request!(ProxyRenderRequest, "proxy render", proxy_render -> ProxyRenderResult);

/// The result of `proxy render`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProxyRenderResult {
    /// The version of nginx that the files are for.
    pub nginx: String,
    /// The files, by path.
    pub files: Vec<RenderedText>,
    /// The folder that they were written to, if one was given.
    pub out: Option<PathBuf>,
    /// The pools that are active because they were switched to.
    pub chosen: Vec<ChosenPool>,
    /// Likely mistakes.
    pub findings: Vec<LintFinding>,
}

/// A rendered file.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RenderedText {
    /// Its path in the folder of rendered files.
    pub path: String,
    /// Its permission bits, in octal.
    pub mode: String,
    /// Its content.
    pub content: String,
}

fn texts(files: &FileSet) -> Vec<RenderedText> {
    let text = |(path, file): (&str, &seaworthy_core::RenderedFile)| RenderedText {
        path: path.to_owned(),
        mode: format!("{:04o}", file.mode),
        content: String::from_utf8_lossy(&file.bytes).into_owned(),
    };
    files.iter().map(text).collect()
}

impl Seaworthy {
    /// Renders the sites for the nginx of `[proxy]`, and writes the files into a folder where one is
    /// named. Nothing else of the system is touched.
    pub async fn proxy_render(
        &self,
        request: &ProxyRenderRequest,
        cx: &Context,
    ) -> Reply<ProxyRenderResult> {
        let rendered = self.render(request.out.as_deref(), cx).await;
        rendered.map_err(|error| self.config.locate(error)).into()
    }

    async fn render(&self, out: Option<&Path>, cx: &Context) -> Result<ProxyRenderResult> {
        let prepared = self.prepare(cx).await?;
        if let Some(folder) = out {
            out::write_out(&prepared.files, folder)?;
        }
        Ok(ProxyRenderResult {
            nginx: prepared.target.version.to_string(),
            files: texts(&prepared.files),
            out: out.map(Path::to_owned),
            findings: prepared.findings(),
            chosen: prepared.chosen,
        })
    }
}
