//! What commands that look at snapshots take.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;
use seaworthy::{SnapshotName, core::Name};

/// Where private keys are.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct IdentityFiles {
    /// Decrypt with the private keys of age or ssh in this file [default: $SEAWORTHY_IDENTITY]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
}

/// Whose snapshots.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OfHost {
    /// Those of this machine, by its name or id, in place of our own
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("place").required(true).args(["to", "in_place"])))]
pub(crate) struct Restore {
    /// The snapshot: ID is `latest` or any unambiguous beginning
    #[arg(value_name = "JOB[@ID]")]
    pub(crate) snapshot: SnapshotName,
    /// Only this source
    #[arg(long)]
    pub(crate) source: Option<Name>,
    /// From this sink
    #[arg(long)]
    pub(crate) sink: Option<Name>,
    /// Into this folder, which must be new or empty; for a PostgreSQL database, a connection URL
    /// without a password, or env:NAME for one in a variable
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: Option<OsString>,
    /// Where the data was; what is there is moved aside, never overwritten
    #[arg(long)]
    pub(crate) in_place: bool,
    /// Only this path and what lies below it, or only the rows of this table
    #[arg(long, value_name = "PATH|TABLE")]
    pub(crate) only: Vec<PathBuf>,
    /// Also a snapshot that is not signed by whom the job trusts
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) identities: IdentityFiles,
    #[command(flatten)]
    pub(crate) host: OfHost,
    /// Do not ask before a restore in place
    #[arg(long)]
    pub(crate) yes: bool,
}
