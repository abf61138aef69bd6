//! Output of `verify`.

use std::io::{self, Write};

use seaworthy::command::VerifyResult;

use super::{Page, Report, count, rate, size};
use crate::terminal::one_line;

impl Report for VerifyResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for verified in &self.verified {
            let name = format!("{}@{} in {}", verified.job, verified.id, verified.sink);
            if let Some(rebuilt) = &verified.rebuilt {
                let (frames, items) =
                    (count(rebuilt.frames, "frame"), count(rebuilt.items, "item"));
                writeln!(out, "{name}: index rebuilt from {frames}, {items}")?;
            }
            let Some(report) = &verified.report else { continue };
            let read = size(report.bytes);
            let speed = rate(report.bytes, report.seconds);
            let part = if report.complete { "every byte" } else { "a sample" };
            if report.is_good() && report.sealed {
                writeln!(out, "{name}: every stored byte is unchanged: {read}, {speed}")?;
                writeln!(out, "  it is encrypted: with --identity its content is checked, too")?;
                continue;
            }
            if report.is_good() {
                writeln!(out, "{name}: good, {part} read: {read}, {speed}")?;
                continue;
            }
            writeln!(
                out,
                "{name}: DAMAGED, {} in {read}",
                count(report.findings.len(), "finding")
            )?;
            for finding in &report.findings {
                writeln!(out, "  {}", one_line(&finding.to_string()))?;
            }
        }
        Ok(())
    }
}
