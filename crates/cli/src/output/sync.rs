//! Output about replicas.

use std::io::{self, Write};

use seaworthy::{backup::ReplicaReport, command::SyncResult};

use super::{Page, Report, count, rate, retention, size};
use crate::terminal::one_line;

impl Report for SyncResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        if self.synced.is_empty() {
            return writeln!(out, "no job has a second sink");
        }
        for synced in &self.synced {
            writeln!(out, "{} to {} ({})", synced.job, synced.report.sink, synced.report.place)?;
            write(&synced.report, out)?;
            if let Some(prune) = &synced.report.prune {
                retention::write(prune, out)?;
            }
        }
        Ok(())
    }
}

/// A line for each copy, and what is missing.
pub(super) fn write(report: &ReplicaReport, out: &mut Page) -> io::Result<()> {
    let sink = &report.sink;
    for copy in &report.copied {
        let resumed = match copy.resumed {
            0 => String::new(),
            bytes => format!(", {} were already there", size(bytes)),
        };
        let speed = rate(copy.sent, copy.seconds);
        writeln!(out, "  copied    {} to {sink}: {}, {speed}{resumed}", copy.id, size(copy.sent))?;
    }
    match (&report.error, &report.lacks) {
        (None, _) if report.copied.is_empty() => writeln!(out, "  replica   {sink} is up to date"),
        (None, _) => Ok(()),
        (Some(error), None) => writeln!(out, "  BEHIND    {sink}: {}", one_line(error)),
        (Some(error), Some(lacks)) => {
            let lacks = count(lacks.len() as u64, "snapshot");
            writeln!(out, "  BEHIND    {sink} does not have {lacks}: {}", one_line(error))
        }
    }
}
