//! The commands: each reads its request as JSON and answers with the facade's document.

mod backup;
mod config;
mod keep;
mod restore;
mod status;

pub use backup::{sw_backup, sw_show, sw_snapshots, sw_sync, sw_verify};
pub use config::{SW_SCHEMA_CONFIG, SW_SCHEMA_DOCUMENT, sw_config_check, sw_schema};
pub use keep::{sw_pin, sw_plan_retention, sw_prune, sw_unpin};
pub use restore::sw_restore;
pub use status::sw_status;

use seaworthy::{
    SnapshotName,
    core::{Name, Result},
};
use serde::Deserialize;

/// A request that names jobs; all of them where none is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    #[serde(default)]
    jobs: Vec<Name>,
}

/// A request that names one snapshot, `JOB` or `JOB@ID`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneSnapshot {
    snapshot: String,
}

impl OneSnapshot {
    fn name(&self) -> Result<SnapshotName> {
        self.snapshot.parse()
    }
}
