//! Output of `backup`.

use std::io::{self, Write};

use seaworthy::{
    backup::BackupReport,
    command::{BackupResult, DryRun, JobResult},
};

use super::{Page, Report, items, rate, retention, size, sync};
use crate::terminal::one_line;

impl Report for BackupResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for job in &self.jobs {
            job.write(out)?;
        }
        Ok(())
    }
}

impl Report for JobResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        match (&self.report, &self.dry_run, &self.error) {
            (Some(report), _, _) => write_report(report, out),
            (_, Some(dry_run), _) => write_dry_run(self, dry_run, out),
            (_, _, Some(_)) => writeln!(out, "{}: failed", self.job),
            _ => Ok(()),
        }
    }
}

fn write_report(report: &BackupReport, out: &mut Page) -> io::Result<()> {
    let BackupReport { job, id, plain, stored, seconds, .. } = report;
    writeln!(out, "{job}@{id}")?;
    let speed = rate(*plain, *seconds);
    writeln!(out, "  data      {} → {} stored, {speed}", size(*plain), size(*stored))?;
    writeln!(out, "  stored in {}/{}", report.sink, report.folder)?;
    for source in &report.sources {
        let summary = &source.summary;
        let held = items(&source.kind, summary.files, summary.rows);
        let mut notes = vec![held, size(summary.bytes).to_string()];
        for (n, what) in [
            (summary.unreadable, "unreadable"),
            (summary.vanished, "vanished"),
            (summary.changed, "changed while it was read"),
        ] {
            if n > 0 {
                notes.push(format!("{n} {what}"));
            }
        }
        writeln!(out, "  source    {}: {}", source.name, notes.join(", "))?;
    }
    for loss in &report.losses {
        let path = one_line(&loss.path.as_path().display().to_string());
        let what = serde_json::to_value(loss.loss).ok();
        let what = what.as_ref().and_then(|what| what.as_str()).unwrap_or("lost");
        writeln!(out, "  {what:<9} /{path}: {}", loss.why)?;
    }
    for suspicion in &report.suspicions {
        writeln!(out, "  suspect   {}", suspicion)?;
    }
    if !report.suspicions.is_empty() {
        let said = if report.accepted {
            "accepted anyway"
        } else {
            "not good, and nothing was removed; accept it with `seaworthy backup --accept`"
        };
        writeln!(out, "            {said}")?;
    }
    match &report.verified {
        None => writeln!(out, "  verified  sizes only")?,
        Some(verified) => {
            let speed = rate(verified.bytes, verified.seconds);
            if verified.is_good() {
                let read = size(verified.bytes);
                writeln!(out, "  verified  every byte: {read} read back, {speed}")?;
            }
            for finding in &verified.findings {
                writeln!(out, "  DAMAGED   {}", one_line(&finding.to_string()))?;
            }
        }
    }
    for replica in &report.replicas {
        sync::write(replica, out)?;
    }
    if let Some(error) = &report.prune_error {
        writeln!(out, "  FAILED    retention: {}", one_line(error))?;
    }
    match &report.prune {
        None => writeln!(out, "  retention not applied"),
        Some(prune) => retention::write(prune, out),
    }
}

fn write_dry_run(job: &JobResult, dry_run: &DryRun, out: &mut Page) -> io::Result<()> {
    writeln!(out, "{}: would be stored in {}", job.job, dry_run.sink)?;
    for (source, places) in &dry_run.sources {
        for place in places {
            writeln!(out, "  source    {source}: {}", one_line(&place.display().to_string()))?;
        }
    }
    retention::write(&dry_run.prune, out)
}
