//! Findings about jobs. Pure: it only reads the document.

use seaworthy_core::{ByteSize, Timestamp};

use super::{Finding, JobStatus, Point, Severity, SinkStatus, ago};

/// A good backup with less than this percentage of the previous one is a finding.
const SHRUNK_PERCENT: u64 = 80;
/// How long a drill counts, in seconds: 90 days.
const DRILL_AGE: u64 = 90 * 86_400;
/// A machine with an unknown schedule is late after this many times its usual interval.
const HABIT: u64 = 3;

/// Findings about `job` at `now`.
pub(super) fn judge(job: &JobStatus, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, sink) in job.sinks.iter().enumerate() {
        let subject = match &job.host_name {
            _ if job.ours => format!("{} in {}", job.job, sink.sink),
            Some(host) => format!("{} of {host} in {}", job.job, sink.sink),
            None => format!("{} of {} in {}", job.job, job.host, sink.sink),
        };
        let mut judged = Judged { job, sink, subject, findings: &mut findings };
        if let Some(error) = &sink.error {
            let message = format!("the sink cannot be asked: {}", error.message);
            let remedy = error.remedy.clone();
            judged.add(Severity::Error, "sink.unreachable", message, remedy);
            continue;
        }
        let of_first_too = i > 0 && job.sinks[0].error.is_none();
        judged.presence(of_first_too, now);
        judged.newest_bad();
        judged.damaged();
        judged.shrunk();
        judged.behind();
        judged.drill();
    }
    no_drill(job, &mut findings);
    findings
}

struct Judged<'a> {
    job: &'a JobStatus,
    sink: &'a SinkStatus,
    subject: String,
    findings: &'a mut Vec<Finding>,
}

impl Judged<'_> {
    fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        message: impl Into<String>,
        remedy: Option<String>,
    ) {
        let mut finding = Finding::new(severity, rule, &self.subject, message);
        finding.remedy = remedy;
        self.findings.push(finding);
    }

    /// Advice that only helps on that machine.
    fn ours(&self, remedy: String) -> Option<String> {
        self.job.ours.then_some(remedy)
    }

    /// Checks that there is a good backup, and that it is recent enough. A replica whose first sink
    /// has the same problem is not reported again, nor is one that is known to be behind.
    fn presence(&mut self, of_first_too: bool, now: Timestamp) {
        let name = &self.job.job;
        let first = &self.job.sinks[0];
        let Some(age) = self.sink.age else {
            let told = of_first_too && (first.age.is_none() || !self.sink.lacks.is_empty());
            if !told {
                let remedy = if of_first_too {
                    self.ours(format!("`seaworthy sync {name}` copies what there is"))
                } else {
                    self.ours(format!("`seaworthy backup {name}` makes one"))
                };
                let message = "there is no good backup";
                self.add(Severity::Error, "backup.missing", message, remedy);
            }
            return;
        };
        if self.sink.overdue {
            let told = of_first_too && (first.overdue || !self.sink.lacks.is_empty());
            if let (false, Some(due)) = (told, self.job.due) {
                let message = format!(
                    "the last good backup is {} old; a new one was due {} ago",
                    ago(age),
                    ago(now.since(due).as_secs())
                );
                let remedy = self.ours(format!(
                    "`seaworthy backup {name}` makes one and says what is wrong; is the timer on?"
                ));
                self.add(Severity::Error, "backup.overdue", message, remedy);
            }
        } else if !self.job.ours
            && let Some(gap) = usual_gap(&self.sink.history)
            && age > gap.saturating_mul(HABIT).max(7_200)
            && !of_first_too
        {
            let message = format!(
                "the last good backup is {} old; the usual interval is {}",
                ago(age),
                ago(gap)
            );
            self.add(Severity::Error, "backup.overdue", message, None);
        }
    }

    fn newest_bad(&mut self) {
        let (job, sink) = (&self.job.job, &self.sink.sink);
        let Some(bad) = &self.sink.newest_bad else { return };
        let why = bad.why.as_deref().unwrap_or("the reason is unknown");
        let message = format!("the newest backup {} is {}: {why}", bad.id, bad.state);
        let (rule, remedy) = match bad.state.as_str() {
            "suspect" => {
                let remedy = format!("if it is right, `seaworthy backup {job} --accept`");
                ("backup.suspect", self.ours(remedy))
            }
            "untrusted" => ("backup.untrusted", None),
            "newer format" => ("backup.newer_format", None),
            _ => {
                let remedy = format!("`seaworthy verify {job}@{} --sink {sink}` says more", bad.id);
                ("backup.damaged", self.ours(remedy))
            }
        };
        self.add(Severity::Error, rule, message, remedy);
    }

    /// Damaged snapshots older than the newest.
    fn damaged(&mut self) {
        let newest = self.sink.newest_bad.as_ref();
        let is_told = newest.is_some_and(|bad| bad.state == "damaged" || bad.state == "untrusted");
        let others = self.sink.damaged.saturating_sub(u64::from(is_told));
        if others > 0 {
            let message = match others {
                1 => "1 older snapshot is damaged or untrusted".to_owned(),
                n => format!("{n} older snapshots are damaged or untrusted"),
            };
            let remedy = format!("`seaworthy snapshots {}` says which", self.job.job);
            let remedy = self.ours(remedy);
            self.add(Severity::Warning, "backup.damaged_older", message, remedy);
        }
    }

    fn shrunk(&mut self) {
        let mut good = self.sink.history.iter().rev().filter(|point| point.state == "good");
        let (Some(last), Some(before)) = (good.next(), good.next()) else { return };
        let less = |now: u64, then: u64| {
            u128::from(now) * 100 < u128::from(then) * u128::from(SHRUNK_PERCENT)
        };
        if last.accepted || self.sink.replica {
            return;
        }
        let what = match (last.rows, before.rows) {
            (Some(now), Some(then)) if less(now, then) => format!("{now} rows instead of {then}"),
            _ if less(last.plain, before.plain) => {
                format!("{} instead of {}", ByteSize::new(last.plain), ByteSize::new(before.plain))
            }
            _ => return,
        };
        let message = format!("the last backup has {what}");
        let remedy =
            format!("is something missing? `seaworthy show {}` lists its contents", self.job.job);
        let remedy = self.ours(remedy);
        self.add(Severity::Warning, "backup.shrunk", message, remedy);
    }

    fn behind(&mut self) {
        let message = match self.sink.lacks.as_slice() {
            [] => return,
            [one] => format!("it does not have snapshot {one} yet"),
            [newest, ..] => {
                format!(
                    "it does not have {} snapshots yet, {newest} and older",
                    self.sink.lacks.len()
                )
            }
        };
        let remedy = self.ours(format!("`seaworthy sync {}` copies them", self.job.job));
        self.add(Severity::Warning, "replica.behind", message, remedy);
    }

    fn drill(&mut self) {
        let Some(drill) = &self.sink.last_drill else { return };
        let (job, id, sink) = (&self.job.job, &drill.id, &self.sink.sink);
        if drill.outcome == "failed" {
            let finding = drill.finding.as_deref().unwrap_or("it could not be restored");
            let message = format!("the last drill, of snapshot {id}, failed: {finding}");
            let remedy = format!("`seaworthy drill {job}@{id} --sink {sink}` says more");
            let remedy = self.ours(remedy);
            self.add(Severity::Error, "drill.failed", message, remedy);
        }
    }
}

/// Whether any sink of `job` was drilled recently: only a notice, since drills are optional.
fn no_drill(job: &JobStatus, findings: &mut Vec<Finding>) {
    if !job.ours || job.sinks.iter().all(|sink| sink.age.is_none()) {
        return;
    }
    let drills = job.sinks.iter().filter_map(|sink| sink.last_drill.as_ref());
    let message = match drills.map(|drill| drill.age).min() {
        None => "no backup was ever restored in a drill".to_owned(),
        Some(age) if age > DRILL_AGE => format!("the last drill was {} ago", ago(age)),
        Some(_) => return,
    };
    let remedy = format!("`seaworthy drill {}` tries the latest out", job.job);
    let subject = job.job.to_string();
    findings.push(Finding::new(Severity::Notice, "drill.missing", subject, message).remedy(remedy));
}

/// The usual interval between the last backups, in seconds.
fn usual_gap(history: &[Point]) -> Option<u64> {
    let times = history.iter().rev().take(11).map(|point| point.time);
    let times: Vec<_> = times.collect();
    let mut gaps: Vec<_> = times.windows(2).map(|pair| pair[0].since(pair[1]).as_secs()).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied()
}
