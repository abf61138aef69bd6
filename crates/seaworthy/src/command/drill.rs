//! `drill`: restores snapshots into a temporary place, compares and queries them, and removes them
//! again.

use seaworthy_backup::{
    Snapshot, SnapshotId, SnapshotState,
    config::JobConfig,
    drill::{DrillOptions, DrillPlan, DrillReport, drill},
    format::CheckOutcome,
    sources::payload_handler,
};
use seaworthy_core::{Context, Error, Event, Name, Result};
use serde::{Deserialize, Serialize};

use super::{IdentityFiles, OfHost, SnapshotName, parts::jobs_of, request};
use crate::{
    Outcome, Reply, Seaworthy,
    keys::Purpose,
    notify::{Delivery, SubjectKind},
};

/// The request of `drill`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct DrillRequest {
    /// The snapshots; default: the latest of each job.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB[@ID]"))]
    pub snapshots: Vec<SnapshotName>,
    /// From this sink; by default from the first one that has the snapshot.
    #[cfg_attr(feature = "clap", arg(long, help = "From this sink"))]
    pub sink: Option<Name>,
    /// What encrypted snapshots are read with.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub identities: IdentityFiles,
    /// The machine of the snapshots.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub host: OfHost,
}

request!(DrillRequest, "drill", drill -> DrillResult);

/// The result of `drill`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DrillResult {
    /// One for each snapshot.
    pub drilled: Vec<Drilled>,
    /// The notifications that were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<Delivery>,
}

/// The result of `drill` for one snapshot.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Drilled {
    /// The job.
    pub job: Name,
    /// The snapshot.
    pub id: SnapshotId,
    /// The sink's name in the file.
    pub sink: Name,
    /// The findings.
    pub report: DrillReport,
}

impl Seaworthy {
    /// Drills snapshots and stores the results next to them. A failed drill makes a snapshot
    /// damaged, until another one succeeds.
    pub async fn drill(&self, request: &DrillRequest, cx: &Context) -> Reply<DrillResult> {
        let (keys, jobs) = (Some(&request.identities), jobs_of(&request.snapshots));
        match self.looking(keys, &request.host, &jobs, cx).await {
            Ok(looking) => looking.drill_all(request, cx).await,
            Err(error) => error.into(),
        }
    }

    async fn drill_all(&self, request: &DrillRequest, cx: &Context) -> Reply<DrillResult> {
        let mut result = DrillResult::default();
        let mut failed = None;
        let names = if request.snapshots.is_empty() {
            let latest = |job: &Name| SnapshotName { job: job.clone(), id: "latest".into() };
            self.config.backup.names().map(latest).collect()
        } else {
            request.snapshots.clone()
        };
        for name in names {
            self.emit_started(SubjectKind::Drill, &name.job, cx);
            let done = self.drill_one(&name, request.sink.as_ref(), cx).await;
            let outcome = done.as_ref().ok().map(|drilled| drilled.report.outcome);
            if outcome != Some(CheckOutcome::Inconclusive) {
                let found = done.as_ref().map(faults_of).unwrap_or_default();
                let told = self.tell_of(SubjectKind::Drill, &name, &found, done.as_ref().err(), cx);
                result.notified.extend(told.await);
            } else {
                let (kind, outcome) = (SubjectKind::Drill, Outcome::Inconclusive);
                self.emit_ended(kind, &name.job, outcome, None, cx);
            }
            match done {
                Ok(drilled) => result.drilled.push(drilled),
                Err(error) => failed = failed.or(Some(error)),
            }
            if cx.cancel().is_triggered() {
                failed = Some(Error::cancelled("drill"));
                break;
            }
        }
        let outcomes = result.drilled.iter().map(|drilled| match drilled.report.outcome {
            CheckOutcome::Ok => Outcome::Done,
            CheckOutcome::Inconclusive => Outcome::Inconclusive,
            _ => Outcome::Findings,
        });
        let outcome = outcomes.fold(Outcome::Done, Outcome::and);
        Reply::new(result, outcome).with_error(failed)
    }

    async fn drill_one(
        &self,
        name: &SnapshotName,
        sink: Option<&Name>,
        cx: &Context,
    ) -> Result<Drilled> {
        let config = self.job_config(&name.job)?;
        let (sink, repository, info) = self.find_snapshot(name, sink, Purpose::Verify, cx).await?;
        let snapshot = repository.open(&info.id).await?;
        let mut options = DrillOptions::default();
        options.temp = self.temp_of(config);
        if let Some(workers) = config.limit.workers {
            options.workers = workers.into();
        }
        let plans = self.drill_plans(&snapshot, config, cx).await?;
        let report = drill(&snapshot, plans, &options, cx).await?;
        let recorded = repository.record_check(&info.id, &report.to_record(cx.now())).await;
        if let Err(error) = recorded {
            // If it does not change the state, a record that cannot be stored is not a failure.
            let was_good = !matches!(info.state, SnapshotState::Damaged { .. });
            if was_good == (report.outcome == CheckOutcome::Failed) {
                return Err(error);
            }
            let message =
                format!("cannot store the result next to the snapshot: {}", error.chain());
            cx.emit(Event::warning(message));
        }
        Ok(Drilled { job: name.job.clone(), id: info.id, sink, report })
    }

    /// How each source of `snapshot` is drilled.
    async fn drill_plans(
        &self,
        snapshot: &Snapshot,
        config: &JobConfig,
        cx: &Context,
    ) -> Result<Vec<DrillPlan>> {
        let mut plans = Vec::new();
        for held in &snapshot.manifest().sources {
            let name = &held.name;
            let origin = self.origin(snapshot.job(), name);
            let own = match &origin {
                Some(origin) => {
                    let environment = self.source_environment(origin.name, config);
                    origin.kind.drill(origin.part, &config.drill, &environment, cx).await?
                }
                None => None,
            };
            let drill = own.unwrap_or_else(|| payload_handler(&held.kind).drill());
            let mut plan = DrillPlan::new(name.clone(), drill);
            if origin.is_some_and(|origin| origin.kind.answers_sql()) {
                let checks = config.drill.checks.iter().map(|check| check.parts());
                let own = checks.filter(|(of, _)| of.is_none_or(|of| of == name));
                plan = plan.checks(own.map(|(_, sql)| sql));
            }
            plans.push(plan);
        }
        Ok(plans)
    }
}

/// The findings of a failed drill, as lines.
fn faults_of(drilled: &Drilled) -> Vec<String> {
    if drilled.report.outcome == CheckOutcome::Ok {
        return Vec::new();
    }
    let Drilled { id, sink, report, .. } = drilled;
    let mut faults = vec![format!("the drill of snapshot {id} from sink {sink} failed")];
    for source in &report.sources {
        let findings = source.findings.iter().take(10);
        faults.extend(findings.map(|finding| format!("{}: {finding}", source.source)));
    }
    faults
}
