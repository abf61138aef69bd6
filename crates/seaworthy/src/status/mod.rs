//! `status`: the real state, as reported by the sinks, the disk and the servers.
//!
//! [`Seaworthy::status`] collects a [`Status`] document, in parallel and within time limits;
//! problems are in its findings. [`Status::prometheus`] and [`Status::html`] show it.

mod backups;
mod certificates;
mod disk;
mod document;
mod due;
mod finding;
mod forecast;
mod hosts;
mod html;
mod judge;
mod overdue;
mod prometheus;
mod remember;
mod services;
mod sites;
mod words;

use futures_util::future::join_all;
use seaworthy_core::{Context, Error, Name, Result};
use serde::Deserialize;

#[cfg(feature = "schema")]
pub use document::schema;
pub use document::{
    CertificateStatus, CheckStatus, DiskStatus, InstanceState, JobStatus, Point, ServerStatus,
    ServiceState, SinkStatus, SiteStatus, Status,
};
pub(crate) use due::expected_since;
pub use finding::{Finding, Severity};
pub(crate) use overdue::Lateness;
pub use words::ago;

use crate::{Reply, Seaworthy, command::request, machine};

/// The request of `status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct StatusRequest {
    /// Also the backups of other machines in the same sinks.
    #[cfg_attr(feature = "clap", arg(long))]
    pub all_hosts: bool,
}

request!(StatusRequest, "status", status -> Status);

impl Seaworthy {
    /// The status of everything in the file. Something that cannot be asked is a finding: it never
    /// stops the rest.
    pub async fn status(&self, request: &StatusRequest, cx: &Context) -> Reply<Status> {
        match self.try_status(request, cx).await {
            Ok(status) => {
                let outcome = status.outcome();
                Reply::new(status, outcome)
            }
            Err(error) => error.into(),
        }
    }

    async fn try_status(&self, request: &StatusRequest, cx: &Context) -> Result<Status> {
        let names: Vec<Name> = self.config.backup.names().cloned().collect();
        let jobs = join_all(names.iter().map(|job| self.job_status(job, request.all_hosts, cx)));
        let others =
            async { if request.all_hosts { self.jobs_of_others(cx).await } else { Vec::new() } };
        let (jobs, foreign, certificates, sites, services) = tokio::join!(
            jobs,
            others,
            self.certificate_states(cx),
            self.site_states(cx),
            self.service_states(cx),
        );
        cx.check("status")?;
        let jobs = jobs.into_iter().collect::<Result<Vec<_>, Error>>()?;
        let mut status = Status {
            time: cx.now(),
            host: self.host().to_string(),
            host_name: machine::host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            findings: Vec::new(),
            jobs: Vec::new(),
            certificates: Vec::new(),
            sites: Vec::new(),
            services: Vec::new(),
            disks: Vec::new(),
        };
        let (mut others, mut forecasts) = (Vec::new(), Vec::new());
        for job in jobs {
            status.jobs.push(job.status);
            others.extend(job.others);
            forecasts.extend(job.forecasts);
        }
        status.jobs.extend(others.into_iter().chain(foreign));
        let mut findings: Vec<_> =
            status.jobs.iter().flat_map(|job| judge::judge(job, status.time)).collect();
        for (certificate, found) in certificates {
            status.certificates.push(certificate);
            findings.extend(found);
        }
        for (site, found) in sites {
            status.sites.push(site);
            findings.extend(found);
        }
        for (service, found) in services {
            status.services.push(service);
            findings.extend(found);
        }
        let (disks, found) = self.disk_states(&status.jobs, &forecasts);
        status.disks = disks;
        findings.extend(found);
        findings.sort_by_key(|finding| finding.severity);
        status.findings = findings;
        Ok(status)
    }
}
