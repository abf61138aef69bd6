//! `service render`: the files, to be looked at or put somewhere.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use seaworthy_core::Error;
use serde::Serialize;

use super::ServiceKind;
use crate::{Outcome, Reply, Seaworthy};

/// What `service render` gives.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceRenderResult {
    /// The folder they were written into; none where they are only shown.
    pub folder: Option<PathBuf>,
    /// The text of each file by its path.
    pub files: BTreeMap<String, String>,
}

impl Seaworthy {
    /// Renders the services, and writes the files into `out` where it is given: a folder that holds
    /// nothing but rendered files. Touches nothing else.
    pub fn service_render(
        &self,
        kind: ServiceKind,
        out: Option<&Path>,
    ) -> Reply<ServiceRenderResult> {
        let work = || {
            let files = self.rendered(kind)?;
            if let Some(folder) = out {
                crate::out::write_out(&files, folder)?;
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let texts = files.iter().map(|(path, file)| (path.to_owned(), text(&file.bytes)));
            Ok::<_, Error>(ServiceRenderResult {
                folder: out.map(Into::into),
                files: texts.collect(),
            })
        };
        match work() {
            Ok(result) => Reply::new(result, Outcome::Done),
            Err(error) => error.into(),
        }
    }
}
