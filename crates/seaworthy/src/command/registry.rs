//! The list of all commands that work with a configuration.

use super::{
    ApplyRequest, BackupRequest, CertCommand, DeployRequest, DrillRequest, PinRequest,
    ProxyCommand, PruneRequest, RestoreRequest, RunRequest, ServiceCommand, ShowRequest,
    SnapshotsRequest, SyncRequest, UnpinRequest, VerifyRequest, requests,
};
use crate::{doctor::DoctorRequest, status::StatusRequest};

requests! {
    /// Each command that works with a configuration: the list that frontends are made from.
    Command {
        /// Run backup jobs: all of them when none is named
        Backup(BackupRequest),
        /// List snapshots, newest first, per sink
        Snapshots(SnapshotsRequest),
        /// Show what one snapshot holds
        Show(ShowRequest),
        /// Read every byte of a snapshot back and check it
        Verify(VerifyRequest),
        /// Restore a snapshot into a throw-away place, compare it with its index and remove it again
        Drill(DrillRequest),
        /// Restore a snapshot, or a part of it
        Restore(RestoreRequest),
        /// Apply the retention policy, with a reason for each decision
        Prune(PruneRequest),
        /// Copy snapshots that other sinks of the jobs still lack
        Sync(SyncRequest),
        /// Protect a snapshot from prune
        Pin(PinRequest),
        /// Take a snapshot's protection from prune away
        Unpin(UnpinRequest),
        /// How backups, certificates, sites, services and disks do. Ends with 1 when something is
        /// wrong
        Status(StatusRequest),
        /// Run services: render, check, compare, install, start, stop, restart, look
        #[cfg_attr(feature = "clap", command(subcommand))]
        Service(ServiceCommand),
        /// Bring a new version of a service into use, or the one before
        Deploy(DeployRequest),
        /// Certificates: issued, renewed, deployed, and proved to be served
        #[cfg_attr(feature = "clap", command(subcommand))]
        Cert(CertCommand),
        /// Configure the web server: render, check, compare, install, switch pools
        #[cfg_attr(feature = "clap", command(subcommand))]
        Proxy(ProxyCommand),
        /// Bring this machine to what the file says: web server, certificates, services, timer
        Apply(ApplyRequest),
        /// Do everything that is due now: what one timer calls
        Run(RunRequest),
        /// Can each part work here? Everything is tried, nothing is left behind; ends with 1 when
        /// something cannot
        Doctor(DoctorRequest),
    }
}
