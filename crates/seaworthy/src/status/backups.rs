//! The state of jobs in their sinks.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use seaworthy_backup::{
    Holds, Replica, Repository, RetentionPolicy, SnapshotCache, SnapshotInfo, SnapshotState,
    SnapshotSummary,
    format::{CheckOutcome, CheckRecord, HostId, SnapshotKind},
    retention::{decide, latest},
};
use seaworthy_core::{Context, Error, ErrorKind, Name, Result};

use super::{
    CheckStatus, JobStatus, Point, SinkStatus, due,
    forecast::{Forecast, forecast},
    remember,
};
use crate::{ErrorDocument, Seaworthy, keys::Purpose, replicas};

/// The time limit for listing a sink.
pub(super) const SINK_LIMIT: Duration = Duration::from_secs(60);
/// The length of a sink's history, in backups.
const HISTORY: usize = 60;

/// A job, and how its local sinks will grow.
pub(super) struct JobLooked {
    pub(super) status: JobStatus,
    /// The same for other machines.
    pub(super) others: Vec<JobStatus>,
    pub(super) forecasts: Vec<(Name, Forecast)>,
}

/// The result of one sink of a job.
pub(super) struct SinkLooked {
    name: Name,
    place: String,
    found: Result<Vec<SnapshotSummary>>,
    infos: Vec<SnapshotInfo>,
}

impl Seaworthy {
    /// The status of the job `name`; with `all_hosts`, also on other machines.
    pub(super) async fn job_status(
        &self,
        name: &Name,
        all_hosts: bool,
        cx: &Context,
    ) -> Result<JobLooked> {
        let config = self.job_config(name)?;
        let first_name = self.first_sink(name)?;
        let first = self.repository(name, &first_name, Purpose::List, cx).await;
        let replicas = self.replicas(name, cx).await?;
        let trust = config.signing.as_ref().map(|s| s.trust.clone()).unwrap_or_default();
        let others = replicas.iter().map(|replica| (replica.name(), Ok(replica.repository())));
        let all = std::iter::once((&first_name, first.as_ref())).chain(others);
        let looks = all.map(|(sink, repository)| self.look(sink, repository, &trust, cx));
        let looked = join_all(looks).await;

        let zone = self.config.time_zone();
        let now = cx.now();
        let last = latest_of(&looked[0], self.host(), cx);
        let seconds = last.map_or(0.0, |last| last.seconds);
        let schedule = config.schedule.as_ref();
        let mut status = JobStatus {
            job: name.clone(),
            host: self.host().to_string(),
            host_name: crate::machine::host_name(),
            ours: true,
            schedule: schedule.map(ToString::to_string),
            due: schedule.and_then(|s| due::expected_since(s, now, seconds, &zone)),
            next: schedule.and_then(|s| s.next_after(now, &zone)),
            sinks: Vec::new(),
        };
        let (lacks, holds) = self.behind(config, &replicas, &looked, cx);
        let mut forecasts = Vec::new();
        for (i, looked) in looked.iter().enumerate() {
            let policy = self.policy(name, &looked.name)?;
            let policy = policy.as_deref();
            let mut sink = sink_status(looked, self.host(), true, cx);
            sink.replica = i > 0;
            sink.lacks = lacks.get(&looked.name).cloned().unwrap_or_default();
            let began = sink.last_good.as_ref().map(|point| point.time);
            sink.overdue = looked.found.is_ok()
                && status.due.is_some_and(|due| began.is_none_or(|began| began < due));
            let held = if i == 0 { &holds } else { &Holds::default() };
            plan(&mut sink, looked, policy, self.host(), held, cx);
            if looked.found.is_ok() {
                let of = forecast(&looked.infos, policy, schedule, self.host(), now, &zone);
                forecasts.extend(of.map(|forecast| (looked.name.clone(), forecast)));
            }
            status.sinks.push(sink);
        }
        let others = match all_hosts {
            true => other_hosts(name, &looked, self.host(), cx),
            false => Vec::new(),
        };
        Ok(JobLooked { status, others, forecasts })
    }

    /// Asks one sink, within the time limit.
    pub(super) async fn look(
        &self,
        sink: &Name,
        repository: std::result::Result<&Repository, &Error>,
        trust: &[String],
        cx: &Context,
    ) -> SinkLooked {
        let name = sink.clone();
        let repository = match repository {
            Ok(repository) => repository,
            Err(error) => {
                let mut same = Error::new(error.kind(), "sink.open", error.chain());
                if let Some(remedy) = error.remedy() {
                    same = same.remedy_is(remedy);
                }
                let (place, infos) = (sink.to_string(), Vec::new());
                return SinkLooked { name, place, found: Err(same), infos };
            }
        };
        let found = self.overview(repository, trust, cx).await;
        let infos = found.iter().flatten().map(|summary| summary.info.clone()).collect();
        SinkLooked { name, place: repository.sink().to_string(), found, infos }
    }

    /// Every snapshot in `repository`. What is read is cached.
    async fn overview(
        &self,
        repository: &Repository,
        trust: &[String],
        cx: &Context,
    ) -> Result<Vec<SnapshotSummary>> {
        let path = remember::place(self.state.path(), repository, trust);
        let mut remembered: SnapshotCache = remember::recall(&path);
        let asked = tokio::time::timeout(SINK_LIMIT, repository.overview(&mut remembered, cx));
        let found = tokio::select! {
            found = asked => found,
            () = cx.cancel().triggered() => return Err(Error::cancelled("status")),
        };
        if remembered.is_changed() {
            // Without write access to the state folder everything is read each time.
            let _ = remember::remember(&path, remembered);
        }
        found.unwrap_or_else(|_| {
            let seconds = SINK_LIMIT.as_secs();
            let message = format!("sink {} did not answer within {seconds} s", repository.sink());
            Err(Error::new(ErrorKind::TimedOut, "status", message))
        })
    }

    /// What each replica does not have yet, and what must stay in the first sink for that.
    fn behind(
        &self,
        config: &seaworthy_backup::config::JobConfig,
        replicas: &[Replica],
        looked: &[SinkLooked],
        cx: &Context,
    ) -> (BTreeMap<Name, Vec<String>>, Holds) {
        let (mut all, mut holds) = (BTreeMap::new(), Holds::default());
        let max_hold = replicas::max_hold(config);
        let first = &looked[0];
        if first.found.is_err() {
            return (all, holds);
        }
        for (replica, held) in replicas.iter().zip(&looked[1..]) {
            if held.found.is_err() {
                holds.add_unreached(replica, &first.infos, max_hold, Some(&self.state), cx);
                continue;
            }
            let lacks = replica.lacks_beside(&first.infos, held.infos.clone(), cx);
            holds.add(replica.name(), &lacks, max_hold, cx);
            all.insert(replica.name().clone(), lacks.iter().map(ToString::to_string).collect());
        }
        (all, holds)
    }
}

fn latest_of<'a>(
    looked: &'a SinkLooked,
    host: &HostId,
    cx: &Context,
) -> Option<&'a SnapshotSummary> {
    let summaries = looked.found.as_ref().ok()?;
    let id = &latest(&looked.infos, host, cx.now())?.id;
    summaries.iter().find(|summary| summary.info.id == *id)
}

/// What `looked` has of the machine `host`; with `ours` also snapshots of unknown machines.
fn sink_status(looked: &SinkLooked, host: &HostId, ours: bool, cx: &Context) -> SinkStatus {
    let now = cx.now();
    let summaries = looked.found.as_ref().map_or(&[][..], Vec::as_slice);
    let is_its = |s: &&SnapshotSummary| match &s.info.host {
        Some(of) => of == host,
        None => ours,
    };
    let its: Vec<_> = summaries.iter().filter(is_its).collect();
    let backups = || its.iter().filter(|s| s.info.kind == SnapshotKind::Backup);
    let last_good = latest_of(looked, host, cx);
    let newest = backups().next().filter(|newest| !newest.info.is_good());
    let newest_bad =
        newest.filter(|newest| last_good.is_none_or(|good| good.info.id < newest.info.id));
    let is_damaged = |s: &&&SnapshotSummary| {
        matches!(s.info.state, SnapshotState::Damaged { .. } | SnapshotState::Untrusted { .. })
    };
    let last = |which: fn(&SnapshotSummary) -> Option<&CheckRecord>| {
        let checks = its.iter().filter_map(|s| Some((which(s)?, s.info.id.as_str())));
        checks.max_by_key(|(check, _)| check.time).map(|(check, id)| CheckStatus {
            id: id.to_owned(),
            time: check.time,
            age: now.since(check.time).as_secs(),
            outcome: match check.outcome {
                CheckOutcome::Ok => "ok",
                CheckOutcome::Failed => "failed",
                _ => "inconclusive",
            }
            .to_owned(),
            finding: check.findings.first().cloned(),
        })
    };
    let mut history: Vec<_> = backups().take(HISTORY).map(|s| point(s)).collect();
    history.reverse();
    SinkStatus {
        sink: looked.name.clone(),
        place: looked.place.clone(),
        replica: false,
        error: looked.found.as_ref().err().map(ErrorDocument::new),
        snapshots: its.len() as u64,
        good: backups().filter(|s| s.info.is_good()).count() as u64,
        damaged: its.iter().filter(is_damaged).count() as u64,
        stored: its.iter().map(|s| s.info.stored).sum(),
        age: last_good.map(|good| now.since(good.info.time()).as_secs()),
        last_good: last_good.map(point),
        overdue: false,
        newest_bad: newest_bad.map(|bad| point(bad)),
        last_drill: last(|s| s.drill.as_ref()),
        last_verify: last(|s| s.verified.as_ref()),
        lacks: Vec::new(),
        prune: Vec::new(),
        prune_frees: 0,
        history,
    }
}

/// What `policy` would remove from `looked` now.
fn plan(
    sink: &mut SinkStatus,
    looked: &SinkLooked,
    policy: Option<&dyn RetentionPolicy>,
    host: &HostId,
    holds: &Holds,
    cx: &Context,
) {
    let plan = decide(policy, &looked.infos, host, cx.now()).hold(holds);
    let removed: Vec<_> = plan.removed().collect();
    // Both are sorted, newest first.
    let mut infos = looked.infos.iter();
    for id in &removed {
        sink.prune_frees += infos.find(|info| info.id == **id).map_or(0, |info| info.stored);
    }
    sink.prune = removed.iter().map(ToString::to_string).collect();
}

/// The job `name` on the machines that are not `host`.
pub(super) fn other_hosts(
    name: &Name,
    looked: &[SinkLooked],
    host: &HostId,
    cx: &Context,
) -> Vec<JobStatus> {
    let mut names: BTreeMap<HostId, Option<String>> = BTreeMap::new();
    for summary in looked.iter().flat_map(|looked| looked.found.iter().flatten()) {
        if let Some(of) = summary.info.host.as_ref().filter(|of| *of != host) {
            // The newest comes first.
            let known = names.entry(of.clone()).or_default();
            *known = known.take().or_else(|| summary.host_name.clone());
        }
    }
    let job = |(host, host_name): (HostId, Option<String>)| {
        // Its other sinks are not known here.
        let sinks = looked.iter().map(|looked| sink_status(looked, &host, false, cx));
        let mut sinks: Vec<_> = sinks.filter(|sink| sink.snapshots > 0).collect();
        sinks.iter_mut().skip(1).for_each(|sink| sink.replica = true);
        JobStatus {
            job: name.clone(),
            host: host.to_string(),
            host_name,
            ours: false,
            schedule: None,
            due: None,
            next: None,
            sinks,
        }
    };
    names.into_iter().map(job).collect()
}

fn point(summary: &SnapshotSummary) -> Point {
    let info = &summary.info;
    let why = match &info.state {
        SnapshotState::Damaged { why }
        | SnapshotState::Untrusted { why }
        | SnapshotState::NewerFormat { why } => Some(why.clone()),
        SnapshotState::Suspect { suspicions } => {
            let words: Vec<_> = suspicions.iter().map(ToString::to_string).collect();
            Some(words.join(", "))
        }
        _ => None,
    };
    Point {
        id: info.id.to_string(),
        time: info.time(),
        state: info.state.name().to_owned(),
        why,
        seconds: summary.seconds,
        plain: info.plain,
        stored: info.stored,
        files: summary.files,
        rows: summary.rows,
        accepted: summary.accepted,
        pinned: info.pinned,
    }
}
