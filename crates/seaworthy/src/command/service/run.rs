//! `service start`, `stop`, `restart` and `status`.

use seaworthy_core::{Context, Error, Name, Result};
use seaworthy_service_config::{ServiceStatus, Systemctl};
use serde::{Deserialize, Serialize};

use crate::{Outcome, Reply, Seaworthy, command::request};

/// What `service start` is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ServiceStartRequest {
    /// The service.
    pub name: Name,
}

request!(ServiceStartRequest, "service start", service_start -> ServiceVerbResult);

impl ServiceStartRequest {
    /// Of the service `name`.
    pub fn new(name: Name) -> Self {
        Self { name }
    }
}

/// What `service stop` is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ServiceStopRequest {
    /// The service.
    pub name: Name,
}

request!(ServiceStopRequest, "service stop", service_stop -> ServiceVerbResult);

impl ServiceStopRequest {
    /// Of the service `name`.
    pub fn new(name: Name) -> Self {
        Self { name }
    }
}

/// What `service restart` is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ServiceRestartRequest {
    /// The service.
    pub name: Name,
}

request!(ServiceRestartRequest, "service restart", service_restart -> ServiceVerbResult);

impl ServiceRestartRequest {
    /// Of the service `name`.
    pub fn new(name: Name) -> Self {
        Self { name }
    }
}

/// What `service status` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ServiceStatusRequest {
    /// The services; default: all of them.
    #[cfg_attr(feature = "clap", arg(value_name = "NAME"))]
    pub names: Vec<Name>,
}

request!(ServiceStatusRequest, "service status", service_status -> ServiceStatusResult);

/// An action on a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceVerb {
    /// All instances are started, and become healthy.
    Start,
    /// All instances are stopped.
    Stop,
    /// One instance after the other is restarted, each once the one before is healthy.
    Restart,
}

/// The result of an action on a service.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceVerbResult {
    /// The kind of check.
    pub done: ServiceVerb,
    /// The status of the service now.
    #[serde(flatten)]
    pub status: ServiceStatus,
}

/// The status of services.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceStatusResult {
    /// One for each service.
    pub services: Vec<ServiceStatus>,
}

impl Seaworthy {
    /// Starts all instances of a service under systemd, and waits until they are healthy.
    pub async fn service_start(
        &self,
        request: &ServiceStartRequest,
        cx: &Context,
    ) -> Reply<ServiceVerbResult> {
        self.service_do(ServiceVerb::Start, &request.name, cx).await
    }

    /// Stops all instances of a service.
    pub async fn service_stop(
        &self,
        request: &ServiceStopRequest,
        cx: &Context,
    ) -> Reply<ServiceVerbResult> {
        self.service_do(ServiceVerb::Stop, &request.name, cx).await
    }

    /// Restarts one instance of a service after the other, each once the one before is healthy.
    pub async fn service_restart(
        &self,
        request: &ServiceRestartRequest,
        cx: &Context,
    ) -> Reply<ServiceVerbResult> {
        self.service_do(ServiceVerb::Restart, &request.name, cx).await
    }

    async fn service_do(
        &self,
        verb: ServiceVerb,
        name: &Name,
        cx: &Context,
    ) -> Reply<ServiceVerbResult> {
        let systemctl = Systemctl::default();
        let work = async {
            let services = self.services()?;
            let control = services.control(name, &systemctl)?;
            match verb {
                ServiceVerb::Start => control.start(cx).await?,
                ServiceVerb::Stop => control.stop(cx).await?,
                ServiceVerb::Restart => control.restart(cx).await?,
            }
            let status = control.status(cx).await?;
            Ok::<_, Error>(ServiceVerbResult { done: verb, status })
        };
        work.await.into()
    }

    /// How services do under systemd.
    pub async fn service_status(
        &self,
        request: &ServiceStatusRequest,
        cx: &Context,
    ) -> Reply<ServiceStatusResult> {
        let names = &request.names;
        let work = async {
            let (services, systemctl) = (self.services()?, Systemctl::default());
            let all: Vec<_> = services.services.names().cloned().collect();
            let mut found = Vec::new();
            for name in if names.is_empty() { &all } else { names } {
                found.push(services.control(name, &systemctl)?.status(cx).await?);
            }
            Ok::<_, Error>(found)
        };
        let found: Result<Vec<_>> = work.await;
        match found {
            Ok(services) => {
                let well = services.iter().all(ServiceStatus::is_well);
                let outcome = if well { Outcome::Done } else { Outcome::Findings };
                Reply::new(ServiceStatusResult { services }, outcome)
            }
            Err(error) => error.into(),
        }
    }
}
