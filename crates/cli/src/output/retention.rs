//! Output of retention: what was kept and removed, and why.

use std::io::{self, Write};

use seaworthy::{backup::PruneReport, command::PruneResult};

use super::{Page, Report, count, size};

impl Report for PruneResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for pruned in &self.pruned {
            writeln!(out, "{} in {}", pruned.job, pruned.sink)?;
            write(&pruned.report, out)?;
        }
        Ok(())
    }
}

/// A line for each decision.
pub(super) fn write(report: &PruneReport, out: &mut Page) -> io::Result<()> {
    for decision in report.plan.decisions() {
        let words = decision.to_string();
        let (verb, why) = words.split_once("  ").unwrap_or((&words, ""));
        writeln!(out, "  {verb:<9} {}  {why}", decision.id)?;
    }
    for id in &report.reaped {
        writeln!(out, "  remains   {id}  of a run that never ended")?;
    }
    if report.uploads > 0 {
        let uploads = count(report.uploads, "upload");
        writeln!(out, "  aborted {uploads} that no run can still be writing")?;
    }
    let gone = report.removed.len() + report.reaped.len();
    if gone > 0 {
        let verb = if report.dry_run { "would free" } else { "freed" };
        writeln!(out, "  {verb} {} of {}", size(report.freed), count(gone, "snapshot"))?;
    }
    Ok(())
}
