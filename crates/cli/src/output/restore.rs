//! Output of `restore`.

use std::io::{self, Write};

use seaworthy::{backup::sources::payload_handler, command::RestoreResult, core::Name};

use super::{Page, Report, count, size};
use crate::terminal::one_line;

impl Report for RestoreResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let done = if self.restored.is_empty() { "did not restore" } else { "restored" };
        let sinks: Vec<_> =
            [&self.sink].into_iter().chain(&self.also_from).map(Name::as_str).collect();
        writeln!(out, "{done} {}@{} from {}", self.job, self.id, sinks.join(" and "))?;
        for restored in &self.restored {
            let report = &restored.report;
            let noun = payload_handler(&restored.kind).noun();
            let (files, bytes) = (count(report.files, noun), size(report.bytes));
            let fetched = size(report.fetched);
            writeln!(out, "  {}: {files}, {bytes}, {fetched} read", restored.source)?;
            for place in &report.placed {
                writeln!(out, "    now in      {}", one_line(&place.display().to_string()))?;
            }
            for place in &report.moved_aside {
                writeln!(out, "    old data in {}", one_line(&place.display().to_string()))?;
            }
            for warning in &report.warnings {
                writeln!(out, "    warning: {}", one_line(warning))?;
            }
        }
        if self.missing > 0 {
            let files = count(self.missing, "file");
            writeln!(out, "  missing: {files} that could not be read when it was made")?;
        }
        for id in &self.safety {
            writeln!(out, "  safety snapshot of the old data: {}@{id}", self.job)?;
        }
        Ok(())
    }
}
