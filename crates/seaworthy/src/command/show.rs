//! `show`: the contents of one snapshot.

use std::ops::ControlFlow;

use seaworthy_backup::{
    Manifest, SnapshotInfo,
    format::index::{FileRecord, Record},
};
use seaworthy_core::{Context, Name, Result};
use serde::{Deserialize, Serialize};

use super::{IdentityFiles, OfHost, SnapshotName, request};
use crate::{Reply, Seaworthy, keys::Purpose};

/// The request of `show`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ShowRequest {
    /// The snapshot: ID is `latest` or any unambiguous beginning.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB[@ID]"))]
    pub snapshot: SnapshotName,
    /// Also list its files, without reading the payloads.
    #[serde(default)]
    #[cfg_attr(feature = "clap", arg(long))]
    pub files: bool,
    /// Also list its databases and tables, with their rows.
    #[serde(default)]
    #[cfg_attr(feature = "clap", arg(long))]
    pub tables: bool,
    /// What encrypted snapshots are read with.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub identities: IdentityFiles,
    /// The machine of the snapshots.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub host: OfHost,
}

request!(ShowRequest, "show", show_whole -> ShowDocument);

impl ShowRequest {
    /// Shows `snapshot`, without what is in it.
    pub fn new(snapshot: SnapshotName) -> Self {
        let (identities, host) = Default::default();
        Self { snapshot, files: false, tables: false, identities, host }
    }
}

/// The result of `show`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ShowResult {
    /// The sink's name in the file.
    pub sink: Name,
    /// Where the snapshot is, for people.
    pub place: String,
    /// Its state.
    pub snapshot: SnapshotInfo,
    /// Its manifest.
    pub manifest: Manifest,
}

/// The result of `show` as one document, with the entries if they were requested.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ShowDocument {
    /// The facts about the snapshot.
    #[serde(flatten)]
    pub result: ShowResult,
    /// Its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<Shown>>,
}

/// A file or another entry in a snapshot, as `show` lists it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Shown {
    /// The source that it belongs to.
    pub source: Name,
    /// Its index record.
    #[serde(flatten)]
    pub record: Record,
}

impl Shown {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&FileRecord> {
        match &self.record {
            Record::File(file) => Some(file),
            _ => None,
        }
    }
}

impl Seaworthy {
    /// Shows a snapshot. `each` is called for each entry, until it breaks; this reads the index,
    /// never the payloads.
    pub async fn show(
        &self,
        request: &ShowRequest,
        each: &mut (dyn FnMut(Shown) -> ControlFlow<()> + Send),
        cx: &Context,
    ) -> Reply<ShowResult> {
        self.try_show(request, each, cx).await.into()
    }

    /// Shows a snapshot with all of its entries at once.
    pub async fn show_whole(&self, request: &ShowRequest, cx: &Context) -> Reply<ShowDocument> {
        let mut entries = Vec::new();
        let mut each = |shown| {
            entries.push(shown);
            ControlFlow::Continue(())
        };
        let shown = self.try_show(request, &mut each, cx).await;
        let entries = (request.files || request.tables).then_some(entries);
        shown.map(|result| ShowDocument { result, entries }).into()
    }

    async fn try_show(
        &self,
        request: &ShowRequest,
        each: &mut (dyn FnMut(Shown) -> ControlFlow<()> + Send),
        cx: &Context,
    ) -> Result<ShowResult> {
        let jobs = std::slice::from_ref(&request.snapshot.job);
        let looking = self.looking(Some(&request.identities), &request.host, jobs, cx).await?;
        looking.show_found(request, each, cx).await
    }

    async fn show_found(
        &self,
        request: &ShowRequest,
        each: &mut (dyn FnMut(Shown) -> ControlFlow<()> + Send),
        cx: &Context,
    ) -> Result<ShowResult> {
        let purpose = if request.files { Purpose::Read } else { Purpose::List };
        let (sink, repository, info) =
            self.find_snapshot(&request.snapshot, None, purpose, cx).await?;
        let snapshot = repository.open(&info.id).await?;
        if request.files || request.tables {
            let temp = self.temp_of(self.job_config(&request.snapshot.job)?);
            let index = snapshot.index(&temp, cx).await?;
            'sources: for source in &snapshot.manifest().sources {
                for record in index.records_of(&source.name)? {
                    let record = record?;
                    let is_wanted = match &record {
                        Record::File(_) => request.files,
                        Record::Table(_) | Record::Server(_) => request.tables,
                        Record::Database(_) | Record::Loss(_) => true,
                        _ => false,
                    };
                    if !is_wanted {
                        continue;
                    }
                    cx.check("show")?;
                    let shown = Shown { source: source.name.clone(), record };
                    if each(shown).is_break() {
                        break 'sources;
                    }
                }
            }
        }
        let place = format!("{}/{}", repository.sink(), snapshot.folder());
        let manifest = snapshot.manifest().clone();
        Ok(ShowResult { sink, place, snapshot: info, manifest })
    }
}
