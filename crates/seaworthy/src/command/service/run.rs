//! `service start`, `stop`, `restart` and `status`.

use seaworthy_core::{Context, Error, Name, Result};
use seaworthy_service_config::{ServiceStatus, Systemctl};
use serde::Serialize;

use crate::{Outcome, Reply, Seaworthy};

/// What is done with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceVerb {
    /// All instances are started, and become well.
    Start,
    /// All instances are stopped.
    Stop,
    /// One instance after the other is restarted, each once the one before is well.
    Restart,
}

/// What was done with a service.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceVerbResult {
    /// What was done.
    pub done: ServiceVerb,
    /// How the service does now.
    #[serde(flatten)]
    pub status: ServiceStatus,
}

/// How services do.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceStatusResult {
    /// One for each service.
    pub services: Vec<ServiceStatus>,
}

impl Seaworthy {
    /// Starts, stops or restarts the service `name` under systemd.
    pub async fn service_run(
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

    /// How the services `names` do under systemd; all of them where none is named.
    pub async fn service_status(&self, names: &[Name], cx: &Context) -> Reply<ServiceStatusResult> {
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
