//! The result of `status`: one document for people, programs and pages.

use std::path::PathBuf;

use seaworthy_core::{Name, Timestamp};
use serde::Serialize;

use super::Finding;
use crate::ErrorDocument;

/// The status of everything in the file, as reported by the sinks, the disk and the servers
/// themselves.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Status {
    /// When this was determined.
    pub time: Timestamp,
    /// The id of this machine in its snapshots.
    pub host: String,
    /// The host name of this machine.
    pub host_name: Option<String>,
    /// The version of Seaworthy that made the check.
    pub version: String,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
    /// Jobs: those of the file, then those of other machines if requested.
    pub jobs: Vec<JobStatus>,
    /// Certificates of the file.
    pub certificates: Vec<CertificateStatus>,
    /// Hosts of the sites of the file.
    pub sites: Vec<SiteStatus>,
    /// Services of the file.
    pub services: Vec<ServiceState>,
    /// Disks that hold a folder of ours.
    pub disks: Vec<DiskStatus>,
}

/// The status of one job of one machine.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct JobStatus {
    /// The job.
    pub job: Name,
    /// The machine of these snapshots.
    pub host: String,
    /// The host name of that machine, if its snapshots have it.
    pub host_name: Option<String>,
    /// Whether it is a job of this machine and this file.
    pub ours: bool,
    /// The schedule as five cron fields; `None` if it has none, or if it is not known here.
    pub schedule: Option<String>,
    /// When it was last due: a good snapshot should have begun since then.
    pub due: Option<Timestamp>,
    /// When it is due next.
    pub next: Option<Timestamp>,
    /// The state in each of its sinks; the run writes to the first one.
    pub sinks: Vec<SinkStatus>,
}

/// The state of a job in one sink.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SinkStatus {
    /// The sink's name in the file.
    pub sink: Name,
    /// Where it is, for people.
    pub place: String,
    /// Whether it gets copies from the first sink of the job.
    pub replica: bool,
    /// Why it could not be asked; then nothing else is known.
    pub error: Option<ErrorDocument>,
    /// How many snapshots there are, including safety snapshots and bad ones.
    pub snapshots: u64,
    /// How many good backups there are.
    pub good: u64,
    /// How many are damaged or untrusted.
    pub damaged: u64,
    /// The size of all of them, in bytes.
    pub stored: u64,
    /// The newest good backup.
    pub last_good: Option<Point>,
    /// Its age, in seconds since it began.
    pub age: Option<u64>,
    /// Whether a new backup is overdue.
    pub overdue: bool,
    /// The newest backup, if it is not good.
    pub newest_bad: Option<Point>,
    /// The last restore drill of any snapshot there.
    pub last_drill: Option<CheckStatus>,
    /// The last verification of any snapshot there.
    pub last_verify: Option<CheckStatus>,
    /// What it should have as a replica of the first sink, but does not: ids, newest first.
    pub lacks: Vec<String>,
    /// What the retention policy would remove now: ids, newest first.
    pub prune: Vec<String>,
    /// How many bytes that would free.
    pub prune_frees: u64,
    /// The last backups, oldest first, at most 60.
    pub history: Vec<Point>,
}

/// One snapshot.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Point {
    /// Its name.
    pub id: String,
    /// When it began.
    pub time: Timestamp,
    /// Its state: `good`, `suspect`, `damaged`, `untrusted` or `newer format`.
    pub state: String,
    /// Why it is not good.
    pub why: Option<String>,
    /// How long the backup took, in seconds.
    pub seconds: f64,
    /// Its data before compression, in bytes.
    pub plain: u64,
    /// Its size in the sink, in bytes.
    pub stored: u64,
    /// How many files, databases or similar it contains.
    pub files: u64,
    /// How many rows it contains, if rows are counted.
    pub rows: Option<u64>,
    /// Whether it looked suspicious and was accepted.
    pub accepted: bool,
    /// Whether it is pinned.
    pub pinned: bool,
}

/// The result of a drill or a verification.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckStatus {
    /// The checked snapshot.
    pub id: String,
    /// When it ended.
    pub time: Timestamp,
    /// Its age in seconds.
    pub age: u64,
    /// Its outcome: `ok`, `failed` or `inconclusive`.
    pub outcome: String,
    /// The first finding.
    pub finding: Option<String>,
}

/// The status of one certificate.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CertificateStatus {
    /// Its name in the file.
    pub name: Name,
    /// The purpose of the key pair.
    pub names: Vec<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The start of its validity.
    pub not_before: Option<Timestamp>,
    /// The end of its validity; `None` if there is no certificate.
    pub not_after: Option<Timestamp>,
    /// How many full days that is from now.
    pub days_left: Option<u64>,
    /// When its renewal is planned.
    pub renewal: Option<Timestamp>,
    /// Whether servers present it; `None` if no servers are configured.
    pub served: Option<bool>,
    /// Each server that was asked.
    pub servers: Vec<ServerStatus>,
}

/// A server that was checked for a certificate.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServerStatus {
    /// The requested name, with the port.
    pub target: String,
    /// Its address.
    pub address: Option<String>,
    /// Whether it presents the certificate on disk.
    pub well: bool,
}

/// The status of one host of a site.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SiteStatus {
    /// The site's name in the file.
    pub site: Name,
    /// The requested host.
    pub host: String,
    /// The address at which the web server was asked.
    pub address: String,
    /// Whether it was asked over TLS.
    pub tls: bool,
    /// Whether the site responds.
    pub well: bool,
    /// The status code of its response.
    pub code: Option<u16>,
    /// The response time in milliseconds.
    pub milliseconds: u64,
    /// Why it is not healthy.
    pub why: Option<String>,
}

/// The status of one service.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServiceState {
    /// The service.
    pub service: Name,
    /// Whether every instance is active and healthy.
    pub well: bool,
    /// Why it could not be checked.
    pub error: Option<ErrorDocument>,
    /// Its processes.
    pub instances: Vec<InstanceState>,
}

/// The status of one process of a service.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InstanceState {
    /// Its unit.
    pub unit: String,
    /// Its state according to systemd: `active`, `failed`, `inactive`.
    pub state: String,
    /// Whether it is active and responds.
    pub well: bool,
    /// Why it is not healthy.
    pub why: Option<String>,
    /// Its memory in bytes, if systemd counts it.
    pub memory: Option<u64>,
    /// How often systemd has restarted it automatically.
    pub restarts: u64,
}

/// How full a disk is, and will be.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DiskStatus {
    /// Our folders on it.
    pub folders: Vec<PathBuf>,
    /// Its size in bytes.
    pub total: u64,
    /// The free space for us, in bytes.
    pub free: u64,
    /// The size of our snapshots on it, in bytes.
    pub snapshots: u64,
    /// Their growth in 30 days, in bytes, including retention; negative if they will shrink.
    pub growth: Option<i64>,
    /// In how many days it will be full, if that is within 90 days.
    pub full_in_days: Option<u64>,
}

/// The JSON Schema (draft 2020-12) of a [`Status`].
#[cfg(feature = "schema")]
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Status>().to_value()
}
