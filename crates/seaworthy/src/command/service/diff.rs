//! `service diff`: compares the file with what is on disk, including hand edits.

use std::path::{Path, PathBuf};

use seaworthy_core::{Change, Context, Error, ErrorKind, FileSet, Result};
use serde::{Deserialize, Serialize};
use similar::TextDiff;

#[cfg(feature = "clap")]
use super::FOLDER;
use super::ServiceKind;
#[cfg(feature = "clap")]
use crate::command::flags;
use crate::{Outcome, Reply, Seaworthy, command::request};

/// What `service diff` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ServiceDiffRequest {
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
    /// Compare with the files in this folder instead.
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub out: Option<PathBuf>,
    /// The folder where systemd, or cron, looks; by default `/etc/systemd/system` or `/etc/cron.d`.
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", help = FOLDER))]
    pub folder: Option<PathBuf>,
}

request!(ServiceDiffRequest, "service diff", service_diff -> ServiceDiffResult);

/// The result of `service diff`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceDiffResult {
    /// The files that differ, by path.
    pub changes: Vec<ServiceChange>,
}

/// A file that differs from the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceChange {
    /// Its path among the rendered files.
    pub path: String,
    /// `added`, `removed`, `changed`; `kept` for one that was edited to the right content.
    pub change: String,
    /// Whether it is no longer as Seaworthy wrote it.
    pub edited_by_hand: bool,
    /// The changed lines, as a diff from the current to the new content.
    pub diff: String,
}

impl Seaworthy {
    /// How the services differ from what is installed, or from the files in a folder. Touches
    /// nothing.
    pub async fn service_diff(
        &self,
        request: &ServiceDiffRequest,
        _: &Context,
    ) -> Reply<ServiceDiffResult> {
        let ServiceDiffRequest { kind, out, folder } = request;
        let work = || {
            let files = self.rendered(*kind)?;
            match out {
                Some(out) => compare_with(&files, out),
                None => self.service_changes(*kind, &files, folder.as_deref()),
            }
        };
        match work() {
            Ok(changes) => {
                let outcome = if changes.is_empty() { Outcome::Done } else { Outcome::Findings };
                Reply::new(ServiceDiffResult { changes }, outcome)
            }
            Err(error) => error.into(),
        }
    }

    /// How the installed files would change.
    pub(super) fn service_changes(
        &self,
        kind: ServiceKind,
        files: &FileSet,
        folder: Option<&Path>,
    ) -> Result<Vec<ServiceChange>> {
        let Some(place) = self.place(kind, folder)? else {
            let message = "Seaworthy does not install files of this type";
            return Err(Error::new(ErrorKind::InvalidInput, "service.diff", message)
                .remedy_with("name the folder that holds them in `out`", &["out"]));
        };
        let edited: Vec<_> = place.drift()?.into_iter().map(|(path, _)| path).collect();
        let mut all = Vec::new();
        for (path, change) in place.diff(files)? {
            let word = match change {
                Change::Added => "added",
                Change::Removed => "removed",
                _ => "changed",
            };
            all.push(change_of(files, &place.link(), path, word, &edited));
        }
        for path in &edited {
            if all.iter().all(|change: &ServiceChange| change.path != *path) {
                all.push(change_of(files, &place.link(), path.clone(), "kept", &edited));
            }
        }
        Ok(all)
    }
}

/// How the files in `folder` differ. Other files there are ignored.
fn compare_with(files: &FileSet, folder: &Path) -> Result<Vec<ServiceChange>> {
    let mut all = Vec::new();
    for (path, file) in files.iter() {
        let word = match std::fs::read(folder.join(path)) {
            Ok(there) if there == file.bytes => continue,
            Ok(_) => "changed",
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => "added",
            Err(e) => {
                let message = format!("cannot read {}", folder.join(path).display());
                return Err(Error::io("service.diff", message, e));
            }
        };
        all.push(change_of(files, folder, path.to_owned(), word, &[]));
    }
    Ok(all)
}

fn change_of(
    files: &FileSet,
    folder: &Path,
    path: String,
    word: &str,
    edited: &[String],
) -> ServiceChange {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let old = std::fs::read(folder.join(&path)).map(|bytes| text(&bytes)).unwrap_or_default();
    let new = files.get(&path).map(|file| text(&file.bytes)).unwrap_or_default();
    let diff = TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).to_string();
    let edited_by_hand = edited.contains(&path);
    ServiceChange { path, change: word.to_owned(), edited_by_hand, diff }
}
