//! What listings and overviews need from a manifest, small enough to be cached.

use seaworthy_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HostId, Manifest, SnapshotKind, Suspicion};

/// What listings and overviews need from a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) host: HostId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host_name: Option<String>,
    pub(crate) kind: SnapshotKind,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
    pub(crate) plain: u64,
    pub(crate) files: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) suspicions: Vec<Suspicion>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) accepted: bool,
    /// The name and the size of each object.
    pub(crate) objects: Vec<(String, u64)>,
}

impl From<&Manifest> for Facts {
    fn from(manifest: &Manifest) -> Self {
        let summaries = || manifest.sources.iter().map(|source| &source.summary);
        let rows = summaries().filter_map(|summary| summary.rows);
        Self {
            host: manifest.host.clone(),
            host_name: manifest.host_name.clone(),
            kind: manifest.kind,
            started: manifest.started,
            finished: manifest.finished,
            plain: manifest.plain(),
            files: summaries().fold(0, |sum, summary| sum.saturating_add(summary.files)),
            rows: rows.reduce(u64::saturating_add),
            suspicions: manifest.suspicions.clone(),
            accepted: manifest.accepted,
            objects: manifest.objects.iter().map(|o| (o.name.clone(), o.size)).collect(),
        }
    }
}
