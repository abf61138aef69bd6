//! `pin` and `unpin`.

use seaworthy_backup::SnapshotId;
use seaworthy_core::{Context, Name, Result};
use serde::{Deserialize, Serialize};

use super::{SnapshotName, request};
use crate::{Reply, Seaworthy, keys::Purpose};

/// What `pin` is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct PinRequest {
    /// The snapshot.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB@ID"))]
    pub snapshot: SnapshotName,
}

request!(PinRequest, "pin", pin -> PinResult);

impl PinRequest {
    /// Protects `snapshot` from prune.
    pub fn new(snapshot: SnapshotName) -> Self {
        Self { snapshot }
    }
}

/// What `unpin` is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct UnpinRequest {
    /// The snapshot.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB@ID"))]
    pub snapshot: SnapshotName,
}

request!(UnpinRequest, "unpin", unpin -> PinResult);

impl UnpinRequest {
    /// Takes the protection of `snapshot` away.
    pub fn new(snapshot: SnapshotName) -> Self {
        Self { snapshot }
    }
}

/// The result of `pin` or `unpin`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PinResult {
    /// The job.
    pub job: Name,
    /// The snapshot.
    pub id: SnapshotId,
    /// Its new state.
    pub state: Pinned,
    /// The sinks in which it was changed.
    pub sinks: Vec<Name>,
}

/// Whether a snapshot is protected from prune.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinned {
    /// It is protected.
    Pinned,
    /// It is not protected.
    Unpinned,
}

impl Seaworthy {
    /// Protects a snapshot from prune, in every sink that has it.
    pub async fn pin(&self, request: &PinRequest, cx: &Context) -> Reply<PinResult> {
        self.set_pin(&request.snapshot, Pinned::Pinned, cx).await.into()
    }

    /// Removes a snapshot's protection from prune.
    pub async fn unpin(&self, request: &UnpinRequest, cx: &Context) -> Reply<PinResult> {
        self.set_pin(&request.snapshot, Pinned::Unpinned, cx).await.into()
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
