//! `verify`: reads back every byte, or a sample; or rebuilds a lost index.

use seaworthy_backup::{
    SnapshotId, SnapshotState,
    verify::{RebuildReport, VerifyOptions, VerifyReport, rebuild_index, verify},
};
use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result};
use serde::{Deserialize, Serialize};

#[cfg(feature = "clap")]
use super::flags;
use super::{IdentityFiles, OfHost, SnapshotName, parts::jobs_of, request};
use crate::{
    Outcome, Reply, Seaworthy,
    keys::Purpose,
    notify::{Delivery, SubjectKind},
};

/// The request of `verify`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct VerifyRequest {
    /// The snapshots; default: the latest of each job.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB[@ID]"))]
    pub snapshots: Vec<SnapshotName>,
    /// Only in this sink.
    #[cfg_attr(feature = "clap", arg(long))]
    pub sink: Option<Name>,
    /// Read only this part of the frames, above 0 and at most 1.
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "PERCENT",
            value_parser = flags::percent,
            help = "Read only a part of it, such as 10%"
        )
    )]
    pub sample: Option<f64>,
    /// Rebuild a lost index from the payloads.
    #[cfg_attr(feature = "clap", arg(long, conflicts_with = "sample"))]
    pub rebuild_index: bool,
    /// What encrypted snapshots are read with.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub identities: IdentityFiles,
    /// The machine of the snapshots.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub host: OfHost,
}

request!(VerifyRequest, "verify", verify -> VerifyResult);

impl VerifyRequest {
    fn kind(&self) -> Result<VerifyKind> {
        let wrong = |message| Err(Error::new(ErrorKind::InvalidInput, "verify", message));
        match (self.sample, self.rebuild_index) {
            (Some(_), true) => wrong("`sample` and `rebuild_index` cannot be used together"),
            (Some(part), _) if part.is_nan() || part <= 0.0 || part > 1.0 => {
                wrong("a sample must be above 0% and at most 100%")
            }
            (Some(part), false) => Ok(VerifyKind::Sample(part)),
            (None, true) => Ok(VerifyKind::RebuildIndex),
            (None, false) => Ok(VerifyKind::Everything),
        }
    }
}

/// How `verify` checks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum VerifyKind {
    /// Every byte is read.
    Everything,
    /// This fraction of the frames is read, above 0 and at most 1.
    Sample(f64),
    /// The index is rebuilt from the payloads.
    RebuildIndex,
}

/// The result of `verify`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct VerifyResult {
    /// One for each snapshot and sink.
    pub verified: Vec<Verified>,
    /// The notifications that were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<Delivery>,
}

/// The result of `verify` for one snapshot in one sink.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// The job.
    pub job: Name,
    /// The snapshot.
    pub id: SnapshotId,
    /// The sink's name in the file.
    pub sink: Name,
    /// The findings; `None` if only the index was rebuilt.
    pub report: Option<VerifyReport>,
    /// The result of rebuilding the index.
    pub rebuilt: Option<RebuildReport>,
}

impl Seaworthy {
    /// Verifies snapshots, in each of their sinks, and stores the results next to them.
    pub async fn verify(&self, request: &VerifyRequest, cx: &Context) -> Reply<VerifyResult> {
        let kind = match request.kind() {
            Ok(kind) => kind,
            Err(error) => return error.into(),
        };
        let (keys, jobs) = (Some(&request.identities), jobs_of(&request.snapshots));
        match self.looking(keys, &request.host, &jobs, cx).await {
            Ok(looking) => looking.verify_all(request, kind, cx).await,
            Err(error) => error.into(),
        }
    }

    async fn verify_all(
        &self,
        request: &VerifyRequest,
        kind: VerifyKind,
        cx: &Context,
    ) -> Reply<VerifyResult> {
        let mut result = VerifyResult::default();
        let mut failed = None;
        let names = if request.snapshots.is_empty() {
            let latest = |job: &Name| SnapshotName { job: job.clone(), id: "latest".into() };
            self.config.backup.names().map(latest).collect()
        } else {
            request.snapshots.clone()
        };
        for name in names {
            let sinks = match self.sinks_of(&name.job, request.sink.as_ref()) {
                Ok(sinks) => sinks,
                Err(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            };
            if kind != VerifyKind::RebuildIndex {
                self.emit_started(SubjectKind::Verify, &name.job, cx);
            }
            let (mut found, mut own_error) = (Vec::new(), None);
            for sink in sinks {
                match self.verify_one(&name, sink, kind, cx).await {
                    Ok(verified) => {
                        found.extend(faults_of(&verified));
                        result.verified.push(verified);
                    }
                    Err(error) => own_error = own_error.or(Some(error)),
                }
                if cx.cancel().is_triggered() {
                    let stopped = Error::cancelled("verify");
                    let (subject, outcome) = (SubjectKind::Verify, Outcome::Interrupted);
                    self.emit_ended(subject, &name.job, outcome, Some(&stopped), cx);
                    failed = Some(stopped);
                    return Reply::new(result, Outcome::Done).with_error(failed);
                }
            }
            if kind != VerifyKind::RebuildIndex {
                let error = own_error.as_ref();
                let told = self.tell_of(SubjectKind::Verify, &name, &found, error, cx);
                result.notified.extend(told.await);
            }
            failed = failed.or(own_error);
        }
        let reports = result.verified.iter().filter_map(|verified| verified.report.as_ref());
        let good = reports.into_iter().all(VerifyReport::is_good);
        let outcome = if good { Outcome::Done } else { Outcome::Findings };
        Reply::new(result, outcome).with_error(failed)
    }

    async fn verify_one(
        &self,
        name: &SnapshotName,
        sink: Name,
        kind: VerifyKind,
        cx: &Context,
    ) -> Result<Verified> {
        let sample = match kind {
            VerifyKind::Sample(part) => Some(part),
            _ => None,
        };
        let purpose = match kind {
            VerifyKind::RebuildIndex => Purpose::Write,
            _ => Purpose::Verify,
        };
        let repository = self.repository(&name.job, &sink, purpose, cx).await?;
        let info = repository.resolve(&name.id, cx).await?;
        let snapshot = repository.open(&info.id).await?;
        let (job, id) = (name.job.clone(), info.id);
        if kind == VerifyKind::RebuildIndex {
            let _lock = self.state.lock(&repository, &format!("rebuild the index of {job}"))?;
            let temp = self.temp_of(self.job_config(&job)?);
            let rebuilt = Some(rebuild_index(&repository, &snapshot, &temp, cx).await?);
            return Ok(Verified { job, id, sink, report: None, rebuilt });
        }
        let config = self.job_config(&job)?;
        let mut options = VerifyOptions::default();
        options.sample = sample;
        options.temp = self.temp_of(config);
        if let Some(workers) = config.limit.workers {
            options.workers = workers.into();
        }
        let report = verify(&snapshot, &options, cx).await?;
        if !report.is_good()
            && repository.open(&id).await.is_err_and(|e| e.kind() == ErrorKind::NotFound)
        {
            let message = format!("{job}@{id} was removed while it was verified");
            return Err(Error::new(ErrorKind::NotFound, "verify", message));
        }
        // If it does not change the state, a record that cannot be stored is not a failure.
        let recorded = repository.record_check(&id, &report.to_record(cx.now())).await;
        if let Err(error) = recorded {
            let was_good = !matches!(info.state, SnapshotState::Damaged { .. });
            if was_good != report.is_good() {
                return Err(error);
            }
            let message =
                format!("cannot store the result next to the snapshot: {}", error.chain());
            cx.emit(Event::warning(message));
        }
        Ok(Verified { job, id, sink, report: Some(report), rebuilt: None })
    }
}

/// What is wrong with a snapshot, as lines.
fn faults_of(verified: &Verified) -> Vec<String> {
    let Verified { id, sink, report, .. } = verified;
    let findings = report.iter().flat_map(|report| report.findings.iter().take(10));
    findings.map(|finding| format!("snapshot {id} in sink {sink} is damaged: {finding}")).collect()
}
