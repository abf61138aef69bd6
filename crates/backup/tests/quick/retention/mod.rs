//! Retention: what is kept, what is removed, and what never may be.

mod calendar;
mod properties;
mod protections;

use seaworthy_backup::{
    Keep, KeepPolicy, RetentionPlan,
    format::{HostId, SnapshotId, SnapshotInfo, SnapshotState, Suspicion},
    retention::decide,
};
use seaworthy_core::{Name, TimeZone, Timestamp};

const DAY: i64 = 86_400;

fn host() -> HostId {
    HostId::from_machine_id("ours")
}

fn other_host() -> HostId {
    HostId::from_machine_id("theirs")
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn plus(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_unix(time.as_unix() + seconds)
}

/// A good backup of our host.
fn good(time: Timestamp) -> SnapshotInfo {
    SnapshotInfo::new(SnapshotId::from_parts(time, [0; 3]), host())
}

fn suspect() -> SnapshotState {
    let source = Name::new("uploads").unwrap();
    SnapshotState::Suspect { suspicions: vec![Suspicion::Empty { source }] }
}

fn policy(keep: Keep, zone: &str) -> KeepPolicy {
    KeepPolicy::new(keep, TimeZone::named(zone).unwrap()).unwrap()
}

fn plan(keep: &KeepPolicy, snapshots: &[SnapshotInfo], now: Timestamp) -> RetentionPlan {
    decide(Some(keep), snapshots, &host(), now)
}

/// When the kept snapshots began, newest first.
fn kept(plan: &RetentionPlan) -> Vec<String> {
    plan.kept().map(|id| id.time().to_string()).collect()
}

/// The decisions in words, newest first.
fn words(plan: &RetentionPlan) -> Vec<String> {
    plan.decisions().iter().map(ToString::to_string).collect()
}
