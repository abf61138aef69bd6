//! The commands: each takes a request and returns a [`Reply`](crate::Reply).

mod apply;
mod backup;
mod cert;
mod check;
mod drill;
#[cfg(feature = "clap")]
mod flags;
mod keygen;
mod parts;
mod pin;
mod plan;
mod proxy;
mod prune;
mod registry;
mod request;
mod restore;
mod run;
mod service;
mod show;
mod snapshots;
mod sync;
mod verify;

use std::{fmt, str::FromStr};

use seaworthy_backup::{Repository, SnapshotInfo, SnapshotState};
use seaworthy_core::{Context, Error, Event, Name, Result};
use serde::{Serialize, Serializer};

pub use apply::{ApplyRequest, ApplyResult, ApplyStep, StepFile, StepKind, StepState};
pub use backup::{BackupRequest, BackupResult, DryRun, JobResult};
pub use cert::{
    CertCheckRequest, CertCleanupRequest, CertCommand, CertImportRequest, CertIssueRequest,
    CertListRequest, CertOptions, CertRenewRequest, CertResult, CertRevokeRequest, CertRun,
    CertShowRequest, CertState, CheckResult, Checked, CleanupResult, ImportResult, Imported,
    ListResult, RevokeResult, Target,
};
pub use check::{ConfigCheckResult, check_file};
pub use drill::{DrillRequest, DrillResult, Drilled};
pub use keygen::{KeyKind, KeygenRequest, KeygenResult, keygen};
pub use parts::{IdentityFiles, OfHost};
pub use pin::{PinRequest, PinResult, Pinned, UnpinRequest};
pub use plan::{PlanRequest, PlanResult, Planned, plan_retention};
pub use proxy::{
    ApplyState, ChosenPool, FileChange, HowChanged, LeftOut, LintFinding, ProxyApplyRequest,
    ProxyApplyResult, ProxyCheckRequest, ProxyCheckResult, ProxyCommand, ProxyDiffRequest,
    ProxyDiffResult, ProxyRenderRequest, ProxyRenderResult, ProxySwitchRequest, ProxySwitchResult,
    RenderedText,
};
pub use prune::{PruneRequest, PruneResult, Pruned};
pub use registry::Command;
pub use request::{Answer, Dispatch, Frontend, Named, Request};
pub(crate) use request::{request, requests};
pub use restore::{
    DatabaseUrl, Destination, RestoreIntent, RestoreRequest, RestoreResult, Restored,
};
pub use run::{Next, Overdue, RunRequest, RunResult, Task, TaskKind, TaskReport};
pub use service::{
    DeployRequest, DeployResult, ServiceApplied, ServiceApplyRequest, ServiceApplyResult,
    ServiceChange, ServiceCheckRequest, ServiceCheckResult, ServiceCommand, ServiceDiffRequest,
    ServiceDiffResult, ServiceKind, ServiceRenderRequest, ServiceRenderResult,
    ServiceRestartRequest, ServiceStartRequest, ServiceStatusRequest, ServiceStatusResult,
    ServiceStopRequest, ServiceVerb, ServiceVerbResult,
};
pub use show::{ShowDocument, ShowRequest, ShowResult, Shown};
pub use snapshots::{Listing, SnapshotsRequest, SnapshotsResult};
pub use sync::{SyncRequest, SyncResult, Synced};
pub use verify::{Verified, VerifyRequest, VerifyResult};

use crate::{Seaworthy, keys::Purpose};

/// The name of a snapshot as typed by people: `JOB` or `JOB@ID`, where `ID` may be `latest` or any
/// unambiguous beginning.
///
/// ```
/// use seaworthy::SnapshotName;
/// let name: SnapshotName = "nightly@2026".parse()?;
/// assert_eq!((name.job.as_str(), name.id.as_str()), ("nightly", "2026"));
/// assert_eq!("nightly".parse::<SnapshotName>()?.id, "latest");
/// # Ok::<(), seaworthy::core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotName {
    /// The job.
    pub job: Name,
    /// `latest`, an id, or the beginning of one.
    pub id: String,
}

seaworthy_core::written_as_string!(
    SnapshotName,
    "SnapshotName",
    "a job, or one of its snapshots: JOB or JOB@ID"
);

impl FromStr for SnapshotName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (job, id) = text.split_once('@').unwrap_or((text, "latest"));
        Ok(Self { job: Name::new(job)?, id: id.to_owned() })
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.job, self.id)
    }
}

impl Serialize for SnapshotName {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Seaworthy {
    /// The requested jobs, or all of them.
    pub(crate) fn jobs(&self, asked: &[Name]) -> Result<Vec<Name>> {
        if asked.is_empty() {
            return Ok(self.config.backup.names().cloned().collect());
        }
        let mut jobs: Vec<Name> = Vec::new();
        for job in asked {
            self.job_config(job)?;
            if !jobs.contains(job) {
                jobs.push(job.clone());
            }
        }
        Ok(jobs)
    }

    /// The first sink of a job, or the requested one, that has the snapshot `name` undamaged; the
    /// reason why an earlier one is not used is a warning. If it is damaged in all, the first of
    /// these.
    async fn find_snapshot(
        &self,
        name: &SnapshotName,
        sink: Option<&Name>,
        purpose: Purpose,
        cx: &Context,
    ) -> Result<(Name, Repository, SnapshotInfo)> {
        let (mut first_error, mut damaged) = (None, None);
        for sink in self.sinks_of(&name.job, sink)? {
            let found = async {
                let repository = self.repository(&name.job, &sink, purpose, cx).await?;
                let info = repository.resolve(&name.id, cx).await?;
                Ok::<_, Error>((repository, info))
            };
            let (repository, info) = match found.await {
                Ok(found) => found,
                Err(error) => {
                    first_error = first_error.or(Some(error));
                    continue;
                }
            };
            if matches!(info.state, SnapshotState::Damaged { .. }) {
                damaged = damaged.or(Some((sink, repository, info)));
                continue;
            }
            if let Some((first, _, info)) = &damaged {
                let message =
                    format!("snapshot {} is damaged in sink {first}: using sink {sink}", info.id);
                cx.emit(Event::warning(message));
            }
            if let Some(error) = &first_error {
                cx.emit(Event::warning(format!("{}: using sink {sink}", error.chain())));
            }
            return Ok((sink, repository, info));
        }
        if let Some(damaged) = damaged {
            return Ok(damaged);
        }
        Err(first_error.unwrap_or_else(|| {
            let message = format!("job {} has no sink", name.job);
            Error::new(seaworthy_core::ErrorKind::Config, "snapshot.resolve", message)
        }))
    }
}
