//! Plans retention without a sink.

use seaworthy_backup::{
    HostId, Keep, KeepPolicy, SnapshotInfo,
    retention::{self, Decision},
};
use seaworthy_core::{Result, TimeZone, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Reply;

/// The input of a plan.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PlanRequest {
    /// The rules.
    pub keep: Keep,
    /// The time zone of their calendar. Default: UTC.
    pub time_zone: Option<TimeZone>,
    /// The current time.
    pub now: Timestamp,
    /// The snapshots.
    pub snapshots: Vec<SnapshotInfo>,
    /// The machine whose snapshots are planned. Default: that of the first snapshot with a machine.
    /// Snapshots without one belong to it.
    pub host: Option<HostId>,
}

/// What would be kept, and why.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PlanResult {
    /// One for each snapshot, newest first.
    pub decisions: Vec<Planned>,
}

/// The decision on one snapshot.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Planned {
    /// The decision with its reasons.
    #[serde(flatten)]
    pub decision: Decision,
    /// The same for people.
    pub text: String,
}

/// Decides what a policy would keep: no sink is read and nothing is removed.
pub fn plan_retention(request: PlanRequest) -> Reply<PlanResult> {
    try_plan(request).into()
}

fn try_plan(request: PlanRequest) -> Result<PlanResult> {
    let PlanRequest { keep, time_zone, now, mut snapshots, host } = request;
    let policy = KeepPolicy::new(keep, time_zone.unwrap_or_else(TimeZone::utc))?;
    let host = host
        .or_else(|| snapshots.iter().find_map(|snapshot| snapshot.host.clone()))
        .unwrap_or_else(|| HostId::from_machine_id("unknown"));
    for snapshot in &mut snapshots {
        snapshot.host.get_or_insert_with(|| host.clone());
    }
    let plan = retention::decide(Some(&policy), &snapshots, &host, now);
    let planned =
        |decision: &Decision| Planned { decision: decision.clone(), text: decision.to_string() };
    Ok(PlanResult { decisions: plan.decisions().iter().map(planned).collect() })
}
