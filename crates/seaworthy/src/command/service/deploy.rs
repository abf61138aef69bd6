//! `deploy`: a new version of a service, or the one before.

use std::path::PathBuf;

use seaworthy_core::{Context, Error, Name};
use seaworthy_service_config::{Deployed, Release, Releases, Systemctl};
use serde::Serialize;

use crate::{Reply, Seaworthy};

/// What `deploy` is asked for.
#[derive(Clone, Debug)]
pub struct DeployRequest {
    /// The service.
    pub service: Name,
    /// What comes into use.
    pub from: DeployFrom,
}

/// What comes into use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeployFrom {
    /// The files of a folder or an archive.
    Files(PathBuf),
    /// The release before the present one.
    Before,
}

/// What `deploy` did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DeployResult {
    /// What is in use now, and what was.
    #[serde(flatten)]
    pub deployed: Deployed,
    /// All releases that are there, oldest first.
    pub releases: Vec<Release>,
}

impl Seaworthy {
    /// Brings a new version of a service into use, instance by instance; where one does not become
    /// well, the version before is in use again.
    pub async fn deploy(&self, request: &DeployRequest, cx: &Context) -> Reply<DeployResult> {
        let work = async {
            let (services, systemctl) = (self.services()?, Systemctl::default());
            let releases = Releases::of(&services, &request.service, &systemctl)?;
            let deployed = match &request.from {
                DeployFrom::Files(from) => releases.deploy(from, cx).await?,
                DeployFrom::Before => releases.roll_back(cx).await?,
            };
            Ok::<_, Error>(DeployResult { deployed, releases: releases.list()? })
        };
        work.await.into()
    }
}
