//! Output of `drill`.

use std::io::{self, Write};

use seaworthy::{
    backup::format::CheckOutcome,
    command::{DrillResult, Drilled},
};

use super::{Page, Report, count, items, size};
use crate::terminal::one_line;

impl Report for DrillResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        self.drilled.iter().try_for_each(|drilled| drilled.write(out))
    }
}

impl Report for Drilled {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let report = &self.report;
        let (outcome, seconds) = (word(report.outcome), report.seconds);
        writeln!(out, "{}@{} from {}: {outcome}, {seconds:.1} s", self.job, self.id, self.sink)?;
        for source in &report.sources {
            let held = items(&source.kind, source.compared, source.rows);
            let mut done = format!("{held}, {}", size(source.bytes));
            if source.checks > 0 {
                done.push_str(&format!(", {} passed", count(source.checks, "check")));
            }
            writeln!(out, "  {}: {}, {done}", source.source, word(source.outcome))?;
            for finding in &source.findings {
                writeln!(out, "    {}", one_line(finding))?;
            }
            for note in &source.notes {
                writeln!(out, "    note: {}", one_line(note))?;
            }
        }
        Ok(())
    }
}

fn word(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Ok => "ok",
        CheckOutcome::Failed => "FAILED",
        _ => "inconclusive",
    }
}
