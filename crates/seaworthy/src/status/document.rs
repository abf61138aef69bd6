//! What `status` says: one document for people, programs and pages.

use std::path::PathBuf;

use seaworthy_core::{Name, Timestamp};
use serde::Serialize;

use super::Finding;
use crate::ErrorDocument;

/// How everything that the file describes does, as the sinks, the disk and the servers themselves
/// say.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Status {
    /// When this was looked at.
    pub time: Timestamp,
    /// This machine, as its snapshots name it.
    pub host: String,
    /// What this machine is called.
    pub host_name: Option<String>,
    /// The version of Seaworthy that looked.
    pub version: String,
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// Jobs: those of the file, then those of other machines where they were asked for.
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

/// How one job of one machine does.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct JobStatus {
    /// The job.
    pub job: Name,
    /// The machine whose snapshots these are.
    pub host: String,
    /// What that machine is called, where its snapshots say so.
    pub host_name: Option<String>,
    /// Whether it is a job of this machine and this file.
    pub ours: bool,
    /// The five cron fields that say when it is due; none where it is never due by itself, or not
    /// known here.
    pub schedule: Option<String>,
    /// When it was due last: a good snapshot should have begun since then.
    pub due: Option<Timestamp>,
    /// When it is due next.
    pub next: Option<Timestamp>,
    /// What there is in each of its sinks; the first one takes the stream.
    pub sinks: Vec<SinkStatus>,
}

/// What one sink holds of a job.
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
    /// How many snapshots there are, those of restores and bad ones included.
    pub snapshots: u64,
    /// How many good backups there are.
    pub good: u64,
    /// How many are damaged, or not by whom the job trusts.
    pub damaged: u64,
    /// What all of them take, in bytes.
    pub stored: u64,
    /// The newest good backup.
    pub last_good: Option<Point>,
    /// How old that is, in seconds since it began.
    pub age: Option<u64>,
    /// Whether a good backup should have been made since.
    pub overdue: bool,
    /// The newest backup where it is not good.
    pub newest_bad: Option<Point>,
    /// The last restore drill of any snapshot there.
    pub last_drill: Option<CheckStatus>,
    /// The last verification of any snapshot there.
    pub last_verify: Option<CheckStatus>,
    /// What it should hold and lacks, as a copy of the first sink: ids, newest first.
    pub lacks: Vec<String>,
    /// What the retention policy would remove now: ids, newest first.
    pub prune: Vec<String>,
    /// How many bytes that would free.
    pub prune_frees: u64,
    /// The last backups, oldest first, 60 at most.
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
    /// What it is worth: `good`, `suspect`, `damaged`, `untrusted` or `newer format`.
    pub state: String,
    /// Why it is not good.
    pub why: Option<String>,
    /// How long making it took, in seconds.
    pub seconds: f64,
    /// Its data before compression, in bytes.
    pub plain: u64,
    /// What it takes in the sink, in bytes.
    pub stored: u64,
    /// How many files, databases or the like it holds.
    pub files: u64,
    /// How many rows it holds, where rows are counted.
    pub rows: Option<u64>,
    /// Whether it looked suspicious and was taken as right.
    pub accepted: bool,
    /// Whether it is pinned.
    pub pinned: bool,
}

/// What a drill or a verification found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckStatus {
    /// The snapshot that it looked at.
    pub id: String,
    /// When it ended.
    pub time: Timestamp,
    /// How old that is, in seconds.
    pub age: u64,
    /// How it went: `ok`, `failed` or `inconclusive`.
    pub outcome: String,
    /// The first thing that it found.
    pub finding: Option<String>,
}

/// How one certificate does.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CertificateStatus {
    /// Its name in the file.
    pub name: Name,
    /// What it is for.
    pub names: Vec<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// From when it is valid.
    pub not_before: Option<Timestamp>,
    /// Until when it is valid; none where there is none.
    pub not_after: Option<Timestamp>,
    /// How many whole days that is from now.
    pub days_left: Option<u64>,
    /// When its renewal is planned.
    pub renewal: Option<Timestamp>,
    /// Whether servers show it: none where nobody said where it is served.
    pub served: Option<bool>,
    /// Each server that was asked.
    pub servers: Vec<ServerStatus>,
}

/// A server that was asked for a certificate.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServerStatus {
    /// The name that it was asked for, with the port.
    pub target: String,
    /// Its address.
    pub address: Option<String>,
    /// Whether it shows the certificate that lies on disk.
    pub well: bool,
}

/// How one host of a site does.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SiteStatus {
    /// The site's name in the file.
    pub site: Name,
    /// The host that was asked for.
    pub host: String,
    /// Where the web server was asked.
    pub address: String,
    /// Whether it was asked over TLS.
    pub tls: bool,
    /// Whether the site answers.
    pub well: bool,
    /// The status code that it answered with.
    pub code: Option<u16>,
    /// How long the answer took, in milliseconds.
    pub milliseconds: u64,
    /// Why it is not well.
    pub why: Option<String>,
}

/// How one service does.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServiceState {
    /// The service.
    pub service: Name,
    /// Whether every instance is active and well.
    pub well: bool,
    /// Why it could not be looked at.
    pub error: Option<ErrorDocument>,
    /// Its processes.
    pub instances: Vec<InstanceState>,
}

/// How one process of a service does.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InstanceState {
    /// Its unit.
    pub unit: String,
    /// systemd's word for it: `active`, `failed`, `inactive`.
    pub state: String,
    /// Whether it is active and answers.
    pub well: bool,
    /// Why it is not.
    pub why: Option<String>,
    /// Its memory in bytes, where systemd counts it.
    pub memory: Option<u64>,
    /// How often systemd has started it again by itself.
    pub restarts: u64,
}

/// How full a disk is, and will be.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DiskStatus {
    /// The folders of ours that lie on it.
    pub folders: Vec<PathBuf>,
    /// Its size in bytes.
    pub total: u64,
    /// What is free for us, in bytes.
    pub free: u64,
    /// What our snapshots take on it, in bytes.
    pub snapshots: u64,
    /// What they will take more in 30 days, in bytes, retention counted; less than nothing where
    /// they will take less.
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
