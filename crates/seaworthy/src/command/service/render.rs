//! `service render`: the files, to be inspected or written to a folder.

use std::{collections::BTreeMap, path::PathBuf};

use seaworthy_core::{Context, Error};
use serde::{Deserialize, Serialize};

use super::ServiceKind;
#[cfg(feature = "clap")]
use crate::command::flags;
use crate::{Outcome, Reply, Seaworthy, command::request};

/// What `service render` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ServiceRenderRequest {
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
    /// Write them into this folder, which contains only rendered files.
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub out: Option<PathBuf>,
}

request!(ServiceRenderRequest, "service render", service_render -> ServiceRenderResult);

/// The result of `service render`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceRenderResult {
    /// The folder they were written into; `None` if they are only shown.
    pub folder: Option<PathBuf>,
    /// The text of each file by its path.
    pub files: BTreeMap<String, String>,
}

impl Seaworthy {
    /// Renders the services, and writes the files into a folder where one is named. Touches nothing
    /// else.
    pub async fn service_render(
        &self,
        request: &ServiceRenderRequest,
        _: &Context,
    ) -> Reply<ServiceRenderResult> {
        let work = || {
            let files = self.rendered(request.kind)?;
            if let Some(folder) = &request.out {
                crate::out::write_out(&files, folder)?;
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let texts = files.iter().map(|(path, file)| (path.to_owned(), text(&file.bytes)));
            Ok::<_, Error>(ServiceRenderResult {
                folder: request.out.clone(),
                files: texts.collect(),
            })
        };
        match work() {
            Ok(result) => Reply::new(result, Outcome::Done),
            Err(error) => error.into(),
        }
    }
}
