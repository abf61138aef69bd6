//! `proxy diff`: compares the file with what is on disk, including hand edits.

use std::collections::BTreeMap;

use seaworthy_core::{Change, Context, Error, Result};
use serde::{Deserialize, Serialize};
use similar::TextDiff;

use super::{ChosenPool, Prepared};
use crate::{ErrorDocument, Outcome, Reply, Seaworthy, command::request};

/// What `proxy diff` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ProxyDiffRequest {}

request!(ProxyDiffRequest, "proxy diff", proxy_diff -> ProxyDiffResult);

/// The result of `proxy diff`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProxyDiffResult {
    /// The files that differ, by path.
    pub changes: Vec<FileChange>,
    /// What keeps nginx from reading our files, such as a missing include line.
    pub obstacle: Option<ErrorDocument>,
    /// The pools that are active because they were switched to.
    pub chosen: Vec<ChosenPool>,
}

/// A file that differs from the configuration.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FileChange {
    /// Its path in the folder of live files.
    pub path: String,
    /// What an installation would do to it.
    pub change: HowChanged,
    /// Whether it is no longer as Seaworthy wrote it.
    pub edited_by_hand: bool,
    /// The changed lines, as a diff from the current to the new content.
    pub diff: String,
}

/// What an installation would do to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HowChanged {
    /// It would be new.
    Added,
    /// It would be removed.
    Removed,
    /// It would change.
    Changed,
    /// Nothing: it was edited by hand to the right content.
    Kept,
}

impl Seaworthy {
    /// How the sites differ from what is on disk. Changes nothing.
    pub async fn proxy_diff(&self, _: &ProxyDiffRequest, cx: &Context) -> Reply<ProxyDiffResult> {
        let compared = async {
            let prepared = self.prepare(cx).await?;
            let obstacle = prepared.installer.obstacle()?;
            let obstacle = obstacle.map(|error| ErrorDocument::new(&self.config.locate(error)));
            let changes = changes(&prepared)?;
            Ok::<_, Error>(ProxyDiffResult { changes, obstacle, chosen: prepared.chosen })
        };
        match compared.await {
            Ok(result) => {
                let same = result.changes.is_empty() && result.obstacle.is_none();
                Reply::new(result, if same { Outcome::Done } else { Outcome::Findings })
            }
            Err(error) => self.config.locate(error).into(),
        }
    }
}

/// How the live files would change.
pub(super) fn changes(prepared: &Prepared) -> Result<Vec<FileChange>> {
    let place = prepared.installer.generations();
    let mut all: BTreeMap<String, (HowChanged, bool)> = BTreeMap::new();
    for (path, change) in place.diff(&prepared.files)? {
        let change = match change {
            Change::Added => HowChanged::Added,
            Change::Removed => HowChanged::Removed,
            _ => HowChanged::Changed,
        };
        all.insert(path, (change, false));
    }
    for (path, _) in place.drift()? {
        all.entry(path).or_insert((HowChanged::Kept, true)).1 = true;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let changes = all.into_iter().map(|(path, (change, edited_by_hand))| {
        let old = std::fs::read(place.link().join(&path)).map(|bytes| text(&bytes));
        let new = prepared.files.get(&path).map(|file| text(&file.bytes));
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let diff = TextDiff::from_lines(&old, &new);
        let diff = diff.unified_diff().context_radius(2).to_string();
        FileChange { path, change, edited_by_hand, diff }
    });
    Ok(changes.collect())
}
