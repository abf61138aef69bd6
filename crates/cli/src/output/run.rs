//! Output of `run`.

use std::io::{self, Write};

use seaworthy::{
    DueReason,
    command::{RunResult, Task, TaskReport},
    tls::Action,
};

use super::{Page, Report, cert, retention, sync};
use crate::terminal::one_line;

impl Report for RunResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        if let Some(other) = &self.other {
            writeln!(out, "nothing done: {}", one_line(other))?;
            return write_overdue(self, out);
        }
        for task in &self.tasks {
            write_task(task, self.dry_run, out)?;
        }
        if self.tasks.is_empty() {
            writeln!(out, "nothing is due")?;
        }
        write_overdue(self, out)?;
        match &self.next {
            Some(next) => {
                writeln!(out, "next: {} {} at {}", next.kind.name(), next.name, out.time(next.at))
            }
            None => Ok(()),
        }
    }

    fn is_nothing(&self) -> bool {
        self.tasks.is_empty()
    }
}

fn write_overdue(result: &RunResult, out: &mut Page) -> io::Result<()> {
    let findings = result.overdue.iter().flat_map(|overdue| &overdue.findings);
    findings.into_iter().try_for_each(|finding| writeln!(out, "OVERDUE {}", one_line(finding)))
}

fn write_task(task: &Task, dry_run: bool, out: &mut Page) -> io::Result<()> {
    let sink = task.sink.as_ref().map_or(String::new(), |sink| format!(" in {sink}"));
    let what = format!("{} {}{sink}", task.kind.name(), task.name);
    let why = why(task.reason, out);
    if let Some(skipped) = &task.skipped {
        return writeln!(out, "{what}: skipped, {}", one_line(skipped));
    }
    match (&task.error, &task.report) {
        (None, _) if dry_run => writeln!(out, "{what}: due, {why}")?,
        (None, _) => writeln!(out, "{what}: {why}")?,
        // The error contains more.
        (Some(_), Some(TaskReport::Certificate(_))) => {}
        (Some(error), Some(TaskReport::Backup(_)) | None) => {
            return writeln!(out, "{what}: FAILED, {}", one_line(&error.message));
        }
        (Some(error), _) => writeln!(out, "{what}: FAILED, {}", one_line(&error.message))?,
    }
    match &task.report {
        None => Ok(()),
        Some(TaskReport::Certificate(run)) => cert::write_run(run, false, out),
        Some(TaskReport::Backup(job)) => job.write(out),
        Some(TaskReport::Copies(synced)) => {
            synced.iter().try_for_each(|synced| sync::write(&synced.report, out))
        }
        Some(TaskReport::Prune(pruned)) => {
            pruned.iter().try_for_each(|pruned| retention::write(&pruned.report, out))
        }
        Some(TaskReport::Drill(drilled)) => {
            drilled.iter().try_for_each(|drilled| drilled.write(out))
        }
        Some(_) => Ok(()),
    }
}

fn why(reason: DueReason, page: &Page) -> String {
    match reason {
        DueReason::Never => "never done before".to_owned(),
        DueReason::Scheduled { at } => format!("since {}", page.time(at)),
        DueReason::CutOff { began } => {
            format!("the one that began {} was interrupted", page.time(began))
        }
        DueReason::Failed => "it failed before".to_owned(),
        DueReason::Daily => "checked daily".to_owned(),
        DueReason::NewBackup => "there is a new backup".to_owned(),
        DueReason::Certificate { action: Action::Renew { reason } } => {
            let reason = serde_json::to_value(reason).ok();
            reason.as_ref().and_then(|r| r.as_str()).unwrap_or("to be renewed").to_owned()
        }
        DueReason::Certificate { action: Action::Deploy } => "not deployed yet".to_owned(),
        _ => "due".to_owned(),
    }
}
