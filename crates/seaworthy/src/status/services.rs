//! The state of services from the service manager.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use seaworthy_core::{Context, Error, ErrorKind, Name, Result};
use seaworthy_service_config::{ServiceStatus, Services, Systemctl};

use super::{Finding, InstanceState, ServiceState, Severity};
use crate::{ErrorDocument, Seaworthy};

/// The time limit for the service manager.
const LIMIT: Duration = Duration::from_secs(20);
/// How many services are checked in parallel.
const SIDE_BY_SIDE: usize = 8;

impl Seaworthy {
    /// The status of the services of the file, in its order.
    pub(super) async fn service_states(&self, cx: &Context) -> Vec<(ServiceState, Vec<Finding>)> {
        if self.config.service.is_empty() {
            return Vec::new();
        }
        let services = self.services();
        let looks = self.config.service.names().map(|name| {
            let services = &services;
            async move {
                let looked = match services {
                    Ok(services) => look(services, name, cx).await,
                    Err(error) => Err(Error::new(error.kind(), "service.status", error.chain())),
                };
                state(name, looked)
            }
        });
        let looks: Vec<_> = looks.collect();
        stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await
    }
}

async fn look(services: &Services, name: &Name, cx: &Context) -> Result<ServiceStatus> {
    let systemctl = Systemctl::default();
    let control = services.control(name, &systemctl)?;
    tokio::time::timeout(LIMIT, control.status(cx)).await.unwrap_or_else(|_| {
        let message = format!("systemd did not answer within {} s", LIMIT.as_secs());
        Err(Error::new(ErrorKind::TimedOut, "service.status", message))
    })
}

fn state(name: &Name, looked: Result<ServiceStatus>) -> (ServiceState, Vec<Finding>) {
    let mut state =
        ServiceState { service: name.clone(), well: false, error: None, instances: Vec::new() };
    let status = match looked {
        Ok(status) => status,
        Err(error) => {
            state.error = Some(ErrorDocument::new(&error));
            let message = format!("it cannot be checked: {}", error.chain());
            let mut finding =
                Finding::new(Severity::Error, "service.unknown", name.as_str(), message);
            finding.remedy = error.remedy().map(Into::into);
            return (state, vec![finding]);
        }
    };
    state.well = status.is_well();
    let mut findings = Vec::new();
    for instance in status.instances {
        if !instance.well {
            let why = instance.why.as_deref().unwrap_or("it is not healthy");
            let message = format!("{} is not healthy: {why}", instance.unit);
            let finding = Finding::new(Severity::Error, "service.down", name.as_str(), message);
            let remedy = format!("`journalctl -u {} -n 50` may show why", instance.unit);
            findings.push(finding.remedy(remedy));
        }
        state.instances.push(InstanceState {
            unit: instance.unit,
            state: instance.state,
            well: instance.well,
            why: instance.why,
            memory: instance.memory,
            restarts: instance.restarts,
        });
    }
    (state, findings)
}
