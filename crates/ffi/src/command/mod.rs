//! The commands: each reads its request as JSON and answers with the facade's document.

mod backup;
mod cert;
mod config;
mod doctor;
mod drill;
mod keep;
mod keygen;
mod proxy;
mod restore;
mod service;
mod status;
mod whole;

pub use backup::{sw_backup, sw_show, sw_snapshots, sw_sync, sw_verify};
pub use cert::sw_cert;
pub use config::{SW_SCHEMA_CONFIG, SW_SCHEMA_DOCUMENT, sw_config_check, sw_schema};
pub use doctor::sw_doctor;
pub use drill::sw_drill;
pub use keep::{sw_pin, sw_plan_retention, sw_prune, sw_unpin};
pub use keygen::sw_keygen;
pub use proxy::sw_proxy;
pub use restore::sw_restore;
pub use service::sw_service;
pub use status::sw_status;
pub use whole::{sw_apply, sw_run};

use std::path::PathBuf;

use seaworthy::{
    Seaworthy, SnapshotName,
    core::{Name, Result},
    find_identities,
};
use serde::Deserialize;

/// A request that names jobs; all of them where none is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    #[serde(default)]
    jobs: Vec<Name>,
}

/// What belongs to a command that has nothing to be said about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A request that names one snapshot, `JOB` or `JOB@ID`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneSnapshot {
    snapshot: String,
}

/// With the private keys in `files`, else those that the environment names: for commands that decrypt.
fn with_identities(seaworthy: &Seaworthy, files: &[PathBuf]) -> Result<Seaworthy> {
    let variable = std::env::var_os("SEAWORTHY_IDENTITY");
    Ok(seaworthy.clone().with_identities(find_identities(files, variable.as_deref())?))
}

impl OneSnapshot {
    fn name(&self) -> Result<SnapshotName> {
        self.snapshot.parse()
    }
}
