//! Output of `doctor`.

use std::io::{self, Write};

use seaworthy::{core::FindingState, doctor::DoctorResult};

use super::{Page, Report, count};
use crate::terminal::one_line;

impl Report for DoctorResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let mut part = "";
        for check in &self.checks {
            if check.part != part {
                part = &check.part;
                writeln!(out, "{part}")?;
            }
            let word = match check.state {
                FindingState::Ok => "ok",
                FindingState::Warning => "warning",
                FindingState::Failed => "FAILED",
                _ => "skipped",
            };
            writeln!(out, "  {word:<8} {}: {}", check.name, one_line(&check.message))?;
            if let Some(remedy) = check.remedy.as_ref().filter(|remedy| !remedy.is_empty()) {
                writeln!(out, "           → {}", one_line(remedy))?;
            }
        }
        let of = |state| self.checks.iter().filter(|check| check.state == state).count();
        let (failed, warnings) = (of(FindingState::Failed), of(FindingState::Warning));
        let (checks, warnings) = (count(self.checks.len(), "check"), count(warnings, "warning"));
        writeln!(out, "{checks}, {failed} failed, {warnings}")
    }
}
