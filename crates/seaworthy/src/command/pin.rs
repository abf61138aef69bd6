//! `pin` and `unpin`.

use seaworthy_backup::SnapshotId;
use seaworthy_core::{Context, Name, Result};
use serde::Serialize;

use super::SnapshotName;
use crate::{Reply, Seaworthy, keys::Purpose};

/// What `pin` or `unpin` did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PinResult {
    /// The job.
    pub job: Name,
    /// The snapshot.
    pub id: SnapshotId,
    /// What it is now.
    pub state: Pinned,
    /// The sinks in which it is so.
    pub sinks: Vec<Name>,
}

/// Whether a snapshot is protected from prune.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinned {
    /// It is.
    Pinned,
    /// It is not.
    Unpinned,
}

impl Seaworthy {
    /// Protects a snapshot from prune, in every sink that has it.
    pub async fn pin(&self, name: &SnapshotName, cx: &Context) -> Reply<PinResult> {
        self.set_pin(name, Pinned::Pinned, cx).await.into()
    }

    /// Takes a snapshot's protection from prune away.
    pub async fn unpin(&self, name: &SnapshotName, cx: &Context) -> Reply<PinResult> {
        self.set_pin(name, Pinned::Unpinned, cx).await.into()
    }

    async fn set_pin(&self, name: &SnapshotName, state: Pinned, cx: &Context) -> Result<PinResult> {
        let (_, _, info) = self.find_snapshot(name, None, Purpose::List, cx).await?;
        let mut sinks = Vec::new();
        for sink in self.sinks_of(&name.job, None)? {
            let purpose = if state == Pinned::Pinned { Purpose::List } else { Purpose::Prune };
            let repository = self.repository(&name.job, &sink, purpose, cx).await?;
            if repository.list(cx).await?.iter().all(|snapshot| snapshot.id != info.id) {
                continue;
            }
            match state {
                Pinned::Pinned => repository.pin(&info.id, cx).await?,
                Pinned::Unpinned => repository.unpin(&info.id).await?,
            }
            sinks.push(sink);
        }
        Ok(PinResult { job: name.job.clone(), id: info.id, state, sinks })
    }
}
