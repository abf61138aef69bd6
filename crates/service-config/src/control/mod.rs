//! Running services: start, stop, restart instance by instance, status.

mod health;
mod systemctl;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Origin, Result};
use serde::Serialize;

pub use systemctl::Systemctl;

use crate::{
    model::{Service, Services},
    systemd::Units,
};

const PAUSE: Duration = Duration::from_millis(100);
/// How many ports after those of its instances are tried for the trial instance.
const TRIAL_PORTS: u16 = 100;
/// How long a service without a port must stay up after its start.
const SETTLED: Duration = Duration::from_secs(2);

/// One service of [`Services`], under systemd.
#[derive(Clone, Debug)]
pub struct Control<'a> {
    name: &'a Name,
    service: &'a Service,
    processors: u16,
    systemctl: &'a Systemctl,
    /// Ports of all services.
    others: BTreeSet<u16>,
}

/// The status of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceStatus {
    /// The service.
    pub service: Name,
    /// Its processes.
    pub instances: Vec<InstanceStatus>,
}

impl ServiceStatus {
    /// Whether every instance is active and healthy.
    pub fn is_well(&self) -> bool {
        self.instances.iter().all(|instance| instance.well)
    }
}

/// The status of one process of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InstanceStatus {
    /// Its unit.
    pub unit: String,
    /// Its state according to systemd: `active`, `failed`, `inactive`.
    pub state: String,
    /// Whether it is active and responds.
    pub well: bool,
    /// Why it is not healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// Its memory in bytes, if systemd counts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// How often systemd has restarted it automatically.
    pub restarts: u64,
    /// The address it listens on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

impl Services {
    /// The service `name`, controlled through `systemctl`.
    ///
    /// Fails with [`ErrorKind::NotFound`] if the file has no such service.
    pub fn control<'a>(&'a self, name: &Name, systemctl: &'a Systemctl) -> Result<Control<'a>> {
        let found = self.services.iter().find(|(known, _)| *known == name);
        let Some((name, service)) = found else {
            let known: Vec<_> = self.services.names().map(Name::as_str).collect();
            let message = format!("there is no [service.{name}]");
            let remedy = match known.as_slice() {
                [] => "there are no services in the file".to_owned(),
                known => format!("the services are {}", known.join(", ")),
            };
            let error = Error::new(ErrorKind::NotFound, "service.find", message);
            return Err(error.blame_request().remedy_is(remedy));
        };
        let all = self.services.iter().flat_map(|(_, service)| service.ports(self.processors));
        let others = all.collect();
        Ok(Control { name, service, processors: self.processors, systemctl, others })
    }
}

impl Control<'_> {
    fn units(&self) -> Units {
        Units::of(self.name, self.service, self.processors)
    }

    /// The units of the instances with their addresses.
    fn instances(&self) -> Vec<(String, Option<SocketAddr>)> {
        let answers = self.service.answers(self.processors);
        let mut answers = answers.into_iter();
        self.units().instances.into_iter().map(|unit| (unit, answers.next())).collect()
    }

    /// Whether it waits for its first release.
    pub fn lacks_release(&self) -> bool {
        let current = self.service.deploy.as_ref().and(self.service.directory.as_ref());
        current.is_some_and(|directory| !Path::new(directory.join("current").as_str()).exists())
    }

    /// Starts all instances and waits until they are healthy.
    pub async fn start(&self, cx: &Context) -> Result<()> {
        if self.lacks_release() {
            let message = format!("service {} has no release yet", self.name);
            return Err(Error::new(ErrorKind::NotFound, "service.start", message)
                .remedy_is("deploy a release of the service first"));
        }
        let units = self.units();
        for unit in &units.instances {
            self.forget_failures(unit, cx).await;
        }
        self.systemctl.run(&["start", "--", units.whole()], cx).await?;
        for (unit, address) in self.instances() {
            // The target only wants its instances: one that has stopped is started here.
            self.systemctl.run(&["start", "--", &unit], cx).await?;
            self.wait_until_well(&unit, address, cx).await?;
        }
        Ok(())
    }

    /// Stops all instances.
    pub async fn stop(&self, cx: &Context) -> Result<()> {
        let units = self.units();
        if units.target.is_some() {
            self.systemctl.run(&["stop", "--", units.whole()], cx).await?;
        }
        for unit in &units.instances {
            self.systemctl.run(&["stop", "--", unit], cx).await?;
        }
        Ok(())
    }

    /// Restarts one instance after the other, each once the one before is healthy. If one does not
    /// become healthy, the others are not touched.
    pub async fn restart(&self, cx: &Context) -> Result<()> {
        let instances = self.instances();
        let count = instances.len();
        for (i, (unit, address)) in instances.into_iter().enumerate() {
            cx.check("service.restart")?;
            let begun = Instant::now();
            cx.emit(Event::Started { task: format!("restart of {unit}"), total_bytes: None });
            self.forget_failures(&unit, cx).await;
            let done = async {
                self.systemctl.run(&["restart", "--", &unit], cx).await?;
                self.wait_until_well(&unit, address, cx).await
            };
            if let Err(error) = done.await {
                let left = count - i - 1;
                return Err(error.with("unit", &unit).with("not restarted", left));
            }
            cx.emit(Event::Finished {
                task: format!("restart of {unit}"),
                elapsed: begun.elapsed(),
            });
        }
        // The target stands for all of them.
        if let Some(target) = &self.units().target {
            self.systemctl.run(&["start", "--", target], cx).await?;
        }
        Ok(())
    }

    /// Restarts like [`restart`](Self::restart) what has changed, after a trial: an additional
    /// instance, on a port that no proxy uses, must become healthy first. If it does not, no
    /// instance is touched. A service without instances or ports has no such trial.
    pub async fn replace(&self, cx: &Context) -> Result<()> {
        if let Some((unit, address)) = self.trial() {
            self.forget_failures(&unit, cx).await;
            let begun = Instant::now();
            cx.emit(Event::Started { task: format!("trial in {unit}"), total_bytes: None });
            let tried = async {
                self.systemctl.run(&["start", "--", &unit], cx).await?;
                self.wait_until_well(&unit, Some(address), cx).await
            };
            let tried = tried.await;
            // It is stopped also when the trial was cancelled.
            let last = cx.clone().with_cancel(seaworthy_core::Cancel::new());
            let stopped = self.systemctl.run(&["stop", "--", &unit], &last).await;
            self.forget_failures(&unit, &last).await;
            tried.map_err(|error| error.with("trial", &unit))?;
            stopped?;
            cx.emit(Event::Finished { task: format!("trial in {unit}"), elapsed: begun.elapsed() });
        }
        self.restart(cx).await
    }

    /// The unit of the trial instance, and its address.
    fn trial(&self) -> Option<(String, SocketAddr)> {
        self.service.instances?;
        let last = *self.service.answers(self.processors).last()?;
        let free = |port: &u16| std::net::TcpListener::bind((last.ip(), *port)).is_ok();
        let taken = |port: &u16| self.others.contains(port);
        let most = last.port().saturating_add(TRIAL_PORTS);
        let port = (last.port().checked_add(1)?..most).find(|port| !taken(port) && free(port))?;
        let unit = format!("{}{port}.service", self.units().instance_prefix());
        Some((unit, SocketAddr::new(last.ip(), port)))
    }

    /// Requested starts do not count as failures.
    async fn forget_failures(&self, unit: &str, cx: &Context) {
        // It fails for a unit without failures, which is fine.
        let _ = self.systemctl.run(&["reset-failed", "--", unit], cx).await;
    }

    /// Waits until all instances are healthy.
    pub async fn wait(&self, cx: &Context) -> Result<()> {
        for (unit, address) in self.instances() {
            self.wait_until_well(&unit, address, cx).await?;
        }
        Ok(())
    }

    async fn wait_until_well(
        &self,
        unit: &str,
        address: Option<SocketAddr>,
        cx: &Context,
    ) -> Result<()> {
        let limit = self.service.starts_within().as_duration();
        let begun = Instant::now();
        let origin = Origin::new("service").field(self.name);
        loop {
            cx.check("service.wait")?;
            let state = self.systemctl.show(unit, &["ActiveState"], cx).await?;
            let state = state.get("ActiveState").map_or("unknown", String::as_str);
            let why = match (state, address) {
                ("active", Some(address)) => {
                    match health::is_well(address, self.service.health.as_ref()).await {
                        Ok(()) => return Ok(()),
                        Err(why) => format!("{address}: {why}"),
                    }
                }
                ("active", None) if begun.elapsed() >= SETTLED.min(limit) => return Ok(()),
                (state, _) => format!("it is {state}"),
            };
            if state == "failed" || begun.elapsed() > limit {
                let message = format!("{unit} does not become healthy: {why}");
                return Err(Error::new(ErrorKind::Unavailable, "service.wait", message)
                    .at(origin.field("health"))
                    .remedy_is(format!("`journalctl -u {unit} -n 50` may show why")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Its status.
    pub async fn status(&self, cx: &Context) -> Result<ServiceStatus> {
        let mut instances = Vec::new();
        for (unit, address) in self.instances() {
            let properties = ["ActiveState", "MainPID", "NRestarts", "MemoryCurrent"];
            let shown = self.systemctl.show(&unit, &properties, cx).await?;
            let number = |key: &str| shown.get(key)?.parse::<u64>().ok();
            let state = shown.get("ActiveState").cloned().unwrap_or_else(|| "unknown".to_owned());
            let why = match (state.as_str(), address) {
                ("active", Some(address)) => {
                    health::is_well(address, self.service.health.as_ref()).await.err()
                }
                ("active", None) => None,
                _ => Some(format!("it is {state}")),
            };
            instances.push(InstanceStatus {
                unit,
                state,
                well: why.is_none(),
                why,
                process: number("MainPID").and_then(|n| n.try_into().ok()).filter(|n| *n > 0),
                // systemd says "not set" by the largest number.
                memory: number("MemoryCurrent").filter(|n| *n < u64::MAX),
                restarts: number("NRestarts").unwrap_or(0),
                address,
            });
        }
        Ok(ServiceStatus { service: self.name.clone(), instances })
    }
}
