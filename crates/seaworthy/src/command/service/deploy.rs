//! `deploy`: a new version of a service, or the previous one.

use std::path::PathBuf;

use seaworthy_core::{Context, Error, Name};
use seaworthy_service_config::{Deployed, Release, Releases, Systemctl};
use serde::{Deserialize, Serialize};

use crate::{Reply, Seaworthy, command::request};

/// The request of `deploy`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct DeployRequest {
    /// The service.
    pub service: Name,
    /// The folder or the archive with its files; by default the release before the present one
    /// comes into use.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "DIR|ARCHIVE", help = "The folder or the archive with its files")
    )]
    pub from: Option<PathBuf>,
}

request!(DeployRequest, "deploy", deploy -> DeployResult);

impl DeployRequest {
    /// Brings the files in `from`, a folder or an archive, into use.
    pub fn files(service: Name, from: impl Into<PathBuf>) -> Self {
        Self { service, from: Some(from.into()) }
    }

    /// Brings the release before the present one into use.
    pub fn before(service: Name) -> Self {
        Self { service, from: None }
    }
}

/// The result of `deploy`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DeployResult {
    /// The current release, and the previous one.
    #[serde(flatten)]
    pub deployed: Deployed,
    /// All existing releases, oldest first.
    pub releases: Vec<Release>,
}

impl Seaworthy {
    /// Deploys a new version of a service, instance by instance; if one does not become healthy,
    /// the previous version is used again.
    pub async fn deploy(&self, request: &DeployRequest, cx: &Context) -> Reply<DeployResult> {
        let work = async {
            let (services, systemctl) = (self.services()?, Systemctl::default());
            let releases = Releases::of(&services, &request.service, &systemctl)?;
            let deployed = match &request.from {
                Some(from) => releases.deploy(from, cx).await?,
                None => releases.roll_back(cx).await?,
            };
            Ok::<_, Error>(DeployResult { deployed, releases: releases.list()? })
        };
        work.await.into()
    }
}
