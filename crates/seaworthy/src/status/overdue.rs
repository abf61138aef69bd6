//! Overdue backups of a job: the part of `status` that is sent as a notification.

use seaworthy_core::{Context, Name, Result, Timestamp};

use super::{Finding, judge};
use crate::Seaworthy;

/// The status of a job compared with its schedule, according to its sinks.
#[derive(Debug)]
pub(crate) struct Lateness {
    /// The time since which a good backup should have begun.
    pub(crate) due: Option<Timestamp>,
    /// How long the last good backup took, in seconds.
    pub(crate) seconds: f64,
    /// Overdue backups, a finding for each sink.
    pub(crate) overdue: Vec<Finding>,
    /// Whether a sink could not be asked.
    pub(crate) unknown: bool,
    /// Whether a newest backup is not good, even if it is not late.
    pub(crate) doubtful: bool,
}

impl Lateness {
    /// Whether it is certain that nothing is late.
    pub(crate) fn is_well(&self) -> bool {
        self.overdue.is_empty() && !self.unknown
    }
}

impl Seaworthy {
    /// Asks the sinks of the job `name` whether its backups are late.
    pub(crate) async fn lateness(&self, name: &Name, cx: &Context) -> Result<Lateness> {
        let job = self.job_status(name, false, cx).await?.status;
        let late = |finding: &Finding| {
            matches!(finding.rule.as_str(), "backup.overdue" | "backup.missing")
        };
        let mut overdue = judge::judge(&job, cx.now());
        overdue.retain(|finding| job.due.is_some() && late(finding));
        let last = job.sinks.first().and_then(|sink| sink.last_good.as_ref());
        Ok(Lateness {
            due: job.due,
            seconds: last.map_or(0.0, |last| last.seconds),
            overdue,
            unknown: job.sinks.iter().any(|sink| sink.error.is_some()),
            doubtful: job.sinks.iter().any(|sink| sink.newest_bad.is_some()),
        })
    }
}
