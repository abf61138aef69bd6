//! The end of a run: notifies about what did not happen, since nothing else notices that.
//!
//! The sinks of a job are asked when its schedule says that there should be a new backup, once for
//! each backup, and then once an hour while it is late. The results are stored in the state folder,
//! separate from the run's own memory: the check is made even if another run is active, since that
//! one may be hanging.

use std::{collections::BTreeMap, path::Path, time::Duration};

use futures_util::future::join_all;
use seaworthy_backup::config::JobConfig;
use seaworthy_core::{
    Context, Error, ErrorKind, Event, FileLock, Name, Result, Timestamp, durable,
};
use serde::{Deserialize, Serialize};

use super::{RunResult, TaskKind};
use crate::{
    Outcome, Seaworthy,
    notify::{Delivery, Occasion, SubjectKind},
    status::{Lateness, expected_since},
};

/// Its file in the state folder.
const FILE: &str = "run/overdue.json";
/// The time before the sinks of a late job are asked again, in seconds.
const ASK_AGAIN: u64 = 3600;
/// How long checking one job may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A job with an overdue backup.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Overdue {
    /// The job.
    pub name: Name,
    /// The time at which a good backup should have begun.
    pub due: Option<Timestamp>,
    /// What is missing, one line for each sink.
    pub findings: Vec<String>,
    /// The notifications that were sent.
    pub notified: Vec<Delivery>,
}

/// The previous results, by job.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Found {
    #[serde(default)]
    jobs: BTreeMap<Name, Before>,
}

/// The result for one job.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Before {
    /// The scheduled time up to which its backups were checked.
    due: Option<Timestamp>,
    /// When that was.
    at: Option<Timestamp>,
    /// How long its last good backup took, in seconds.
    seconds: f64,
    /// Whether it was late.
    overdue: bool,
    /// Whether a sink could not be asked.
    unknown: bool,
}

impl Before {
    /// Whether the sinks are asked now: `due` is the last scheduled time, and `done` whether
    /// something was done for the job in this run.
    fn is_to_ask(&self, due: Timestamp, now: Timestamp, done: bool) -> bool {
        if self.due.is_none_or(|before| before < due || now < before) {
            return true;
        }
        let waited = |at: Timestamp| now < at || now.since(at).as_secs() >= ASK_AGAIN;
        (self.overdue || self.unknown) && (done || self.at.is_none_or(waited))
    }
}

impl Seaworthy {
    /// Checks for late backups and notifies about them, after the run `result`. This never fails a
    /// run: errors become warnings.
    pub(super) async fn watch(&self, result: &mut RunResult, cx: &Context) {
        if cx.cancel().is_triggered() || !self.has_schedules() {
            return;
        }
        if let Err(error) = self.try_watch(result, cx).await {
            let why = error.chain();
            cx.emit(Event::warning(format!("cannot check whether backups are overdue: {why}")));
        }
    }

    fn has_schedules(&self) -> bool {
        self.config.backup.iter().any(|(_, job)| job.schedule.is_some())
    }

    async fn try_watch(&self, result: &mut RunResult, cx: &Context) -> Result<()> {
        let state = self.state.path();
        durable::create_private_folder(&state.join("run"))?;
        let _lock =
            match FileLock::acquire(&state.join("run/overdue.lock"), "checking for late backups") {
                // The holder of the lock notifies.
                Err(error) if error.kind() == ErrorKind::Locked => return Ok(()),
                lock => lock?,
            };
        let mut found = read(&state.join(FILE));
        let was = found.jobs.clone();
        found.jobs.retain(|name, _| self.config.backup.get(name.as_str()).is_some());
        let asked = self.config.backup.iter().filter_map(|(name, config)| {
            let before = was.get(name).copied().unwrap_or_default();
            self.is_to_ask(name, config, before, result, cx).then_some((name, before))
        });
        let looks = asked.map(|(name, before)| async move {
            let look = tokio::time::timeout(LIMIT, self.lateness(name, cx)).await;
            let too_long = || Error::new(ErrorKind::TimedOut, "run.watch", "it took too long");
            (name, before, look.unwrap_or_else(|_| Err(too_long())))
        });
        for (name, before, look) in join_all(looks).await {
            cx.check("run.watch")?;
            let (after, overdue) = self.tell_if_late(name, before, look, result, cx).await;
            found.jobs.insert(name.clone(), after);
            result.overdue.extend(overdue);
        }
        keep(&state.join(FILE), &found)
    }

    fn is_to_ask(
        &self,
        name: &Name,
        config: &JobConfig,
        before: Before,
        result: &RunResult,
        cx: &Context,
    ) -> bool {
        let Some(schedule) = &config.schedule else { return false };
        let zone = self.config.time_zone();
        let due = expected_since(schedule, cx.now(), before.seconds, &zone);
        let done = result.tasks.iter().any(|task| {
            task.name == *name && matches!(task.kind, TaskKind::Backup | TaskKind::Copies)
        });
        due.is_some_and(|due| before.is_to_ask(due, cx.now(), done))
    }

    /// Notifies about what `look` found for the job `name`, and returns what to store.
    async fn tell_if_late(
        &self,
        name: &Name,
        before: Before,
        look: Result<Lateness>,
        result: &RunResult,
        cx: &Context,
    ) -> (Before, Option<Overdue>) {
        let now = cx.now();
        let mut look = match look {
            Ok(look) => look,
            Err(error) => {
                let why = error.chain();
                cx.emit(Event::warning(format!(
                    "cannot check whether job {name} is overdue: {why}"
                )));
                let after = Before { at: Some(now), due: before.due, unknown: true, ..before };
                return (after, None);
            }
        };
        if result.other.is_some() {
            // The first one may be in progress, and its duration is unknown.
            look.overdue.retain(|finding| finding.rule != "backup.missing");
        }
        let overdue = !look.overdue.is_empty() || (before.overdue && look.unknown);
        let after = Before {
            due: look.due.max(before.due.filter(|due| *due <= now)),
            at: Some(now),
            seconds: look.seconds,
            overdue,
            unknown: look.unknown,
        };
        if look.overdue.is_empty() {
            let told = result.tasks.iter().any(|task| {
                task.name == *name
                    && task.kind == TaskKind::Backup
                    && task.outcome == Some(Outcome::Done)
            });
            if before.overdue && look.is_well() && !look.doubtful && !told {
                let notice = self.notice(SubjectKind::Backup, name, Occasion::Recovery, cx);
                self.notify(&notice.line("its backups are on time again"), cx).await;
            }
            return (after, None);
        }
        let lines = look.overdue.iter().map(|one| format!("{}: {}", one.subject, one.message));
        let findings: Vec<String> = lines.collect();
        let mut notice = self.notice(SubjectKind::Backup, name, Occasion::Overdue, cx);
        notice.remedy = look.overdue.iter().find_map(|finding| finding.remedy.clone());
        for line in &findings {
            notice = notice.line(line);
            if !before.overdue {
                cx.emit(Event::warning(format!("{line} (overdue)")));
            }
        }
        let notified = self.notify(&notice, cx).await;
        (after, Some(Overdue { name: name.clone(), due: look.due, findings, notified }))
    }
}

/// The previous results; empty if they cannot be read: then the sinks are asked again.
fn read(path: &Path) -> Found {
    let bytes = std::fs::read(path).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn keep(path: &Path, found: &Found) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(found).unwrap_or_default();
    durable::write_file(path, &bytes, 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_are_asked_once_for_each_backup_and_hourly_while_it_is_late() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (night, next) = (at("2026-11-22T02:30:00Z"), at("2026-11-23T02:30:00Z"));
        let looked = at("2026-11-22T03:00:00Z");
        let well = Before { due: Some(night), at: Some(looked), ..Before::default() };
        assert!(Before::default().is_to_ask(night, looked, false), "nothing is known");
        assert!(!well.is_to_ask(night, at("2026-11-22T23:00:00Z"), true));
        assert!(well.is_to_ask(next, at("2026-11-23T03:00:00Z"), false));
        for late in [Before { overdue: true, ..well }, Before { unknown: true, ..well }] {
            assert!(!late.is_to_ask(night, at("2026-11-22T03:55:00Z"), false));
            assert!(late.is_to_ask(night, at("2026-11-22T04:00:00Z"), false));
            assert!(late.is_to_ask(night, at("2026-11-22T03:05:00Z"), true), "a run was made");
        }
        // The clock was set back.
        assert!(well.is_to_ask(at("2026-11-20T02:30:00Z"), at("2026-11-20T03:00:00Z"), false));
    }
}
