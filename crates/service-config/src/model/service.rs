//! The section `[service.<name>]`.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use seaworthy_core::{ByteSize, CommandLine, Result, Schedule, Span};
use serde::{Deserialize, Serialize};

use super::{
    Ci, Deploy, FilePath, Instances, Line, Percent, Relax, Restarts, Signal, UnitName, UrlPath,
    UserName, VariableName,
};

/// A port that a service listens on.
pub type Port = std::num::NonZeroU16;

/// The default time that a service may take to respond after its start, in seconds.
const START_TIMEOUT: u32 = 60;
/// How long systemd waits for a service to stop, in seconds.
const STOP_TIMEOUT: u32 = 90;

/// The section `[service.<name>]`: a program that runs all the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Service {
    /// The program and its arguments. `{port}` in an argument stands for the instance's port.
    pub command: CommandLine,
    /// A description of one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Line>,
    /// The folder in which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<FilePath>,
    /// The user it runs as. Default: a dynamic user of systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// The group. Default: the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<UserName>,
    /// How many processes: a number, or `"max"` for one per processor. Each listens on a port of
    /// its own, from `port` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Instances>,
    /// The port it listens on; passed in the environment variable `PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u16>"))]
    pub port: Option<Port>,
    /// The address it listens on. Default: 127.0.0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The path that returns 200 if it is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<UrlPath>,
    /// How many workers it starts itself; passed in `WEB_CONCURRENCY`, which uvicorn, gunicorn and
    /// others read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u16>,
    /// Environment variables. Secrets belong in `environment_file`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<VariableName, String>,
    /// A file of `NAME=value` lines. Only root must be able to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_file: Option<FilePath>,
    /// The most memory each instance may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<ByteSize>,
    /// The most of the processors' time each instance may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<Percent>,
    /// When it is started again.
    #[serde(default)]
    pub restarts: Restarts,
    /// How long it may take to respond after its start. Default: one minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timeout: Option<Span>,
    /// How long it may take to stop before it is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<Span>,
    /// The signal that asks it to stop. Default: SIGTERM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<Signal>,
    /// When it is restarted, instance by instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_schedule: Option<Schedule>,
    /// Units that are started before it, such as `postgresql.service`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<UnitName>,
    /// Folders it may write to, in addition to those that systemd makes for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writable: Vec<FilePath>,
    /// A file for its output. Default: the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<FilePath>,
    /// Protections that are removed, each with its reason.
    #[serde(default)]
    pub relax: Relax,
    /// How new versions are deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Deploy>,
    /// A workflow of GitHub Actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<Ci>,
}

impl Service {
    /// A service that runs `command`.
    pub fn new(command: CommandLine) -> Self {
        Self {
            command,
            description: None,
            directory: None,
            user: None,
            group: None,
            instances: None,
            port: None,
            address: None,
            health: None,
            workers: None,
            environment: BTreeMap::new(),
            environment_file: None,
            memory_max: None,
            cpu_quota: None,
            restarts: Restarts::default(),
            start_timeout: None,
            stop_timeout: None,
            stop_signal: None,
            restart_schedule: None,
            after: Vec::new(),
            writable: Vec::new(),
            log_file: None,
            relax: Relax::default(),
            deploy: None,
            ci: None,
        }
    }

    /// Resolves every relative path against `base`, the folder of the file.
    pub fn resolve_paths(&mut self, base: &Path) -> Result<()> {
        let one = [&mut self.directory, &mut self.environment_file, &mut self.log_file];
        let paths = one.into_iter().flatten().chain(&mut self.writable);
        for path in paths {
            *path = path.resolved(base)?;
        }
        if let Some(config) =
            self.ci.as_mut().and_then(|ci| ci.deploy.as_mut()).and_then(|d| d.config.as_mut())
        {
            *config = config.resolved(base)?;
        }
        Ok(())
    }

    /// The ports of its instances on a machine with `processors`; empty if it has no port.
    pub fn ports(&self, processors: u16) -> Vec<u16> {
        let Some(port) = self.port else { return Vec::new() };
        let count = self.count(processors);
        // `faults` refuses a range that goes past the last port.
        (0..count).filter_map(|i| port.get().checked_add(i)).collect()
    }

    /// The addresses its instances listen on.
    pub fn listens(&self, processors: u16) -> Vec<SocketAddr> {
        let address = self.address.unwrap_or(Ipv4Addr::LOCALHOST.into());
        self.ports(processors).into_iter().map(|port| SocketAddr::new(address, port)).collect()
    }

    /// The addresses for health checks: the loopback address if it listens on all addresses.
    pub(crate) fn answers(&self, processors: u16) -> Vec<SocketAddr> {
        let mut all = self.listens(processors);
        for address in all.iter_mut().filter(|address| address.ip().is_unspecified()) {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        all
    }

    /// How many instances it has.
    pub(crate) fn count(&self, processors: u16) -> u16 {
        self.instances.map_or(1, |instances| instances.on(processors))
    }

    /// What distinguishes its instances: their ports, else their numbers; empty for a service of
    /// one process.
    pub(crate) fn instance_names(&self, processors: u16) -> Option<Vec<String>> {
        self.instances?;
        let ports = self.ports(processors);
        Some(if ports.is_empty() {
            (1..=self.count(processors)).map(|n| n.to_string()).collect()
        } else {
            ports.iter().map(u16::to_string).collect()
        })
    }

    /// The folder in which it runs: a deployed service runs in its current release.
    pub fn working_directory(&self) -> Option<FilePath> {
        let directory = self.directory.as_ref()?;
        let Some(deploy) = &self.deploy else { return Some(directory.clone()) };
        let current = directory.join("current");
        Some(deploy.inside.as_ref().map_or(current.clone(), |inner| current.join(inner.as_str())))
    }

    /// How long it may take to respond after its start.
    pub(crate) fn starts_within(&self) -> Span {
        self.start_timeout.unwrap_or(Span::seconds(START_TIMEOUT))
    }

    /// How long it may take to stop.
    pub(crate) fn stops_within(&self) -> Span {
        self.stop_timeout.unwrap_or(Span::seconds(STOP_TIMEOUT))
    }
}
