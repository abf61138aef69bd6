//! `load-test`, for people.

use std::io::{self, Write};

use seaworthy_load_test::{Figures, Report as LoadReport};
use serde::Serialize;

use super::{Page, Report};
use crate::terminal::one_line;

/// Output of a load test.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct LoadTestReport(pub(crate) LoadReport);

impl Report for LoadTestReport {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let LoadReport { verdict, reasons, total, endpoints, .. } = &self.0;
        let names: Vec<_> = endpoints.iter().map(|one| one_line(&one.name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(8);
        writeln!(
            out,
            "{:width$} requests  good %       /s  avg ms     min     p50     p90     p95     p99   p99.9     max",
            ""
        )?;
        for (name, one) in names.iter().zip(endpoints) {
            row(name, width, &one.figures, false, out)?;
        }
        if endpoints.len() > 1 {
            row("all", width, total, false, out)?;
        }
        row("service", width, total, true, out)?;
        for (kind, count) in &total.errors {
            writeln!(out, "{count} × {kind}")?;
        }
        writeln!(out, "\n{verdict}")?;
        reasons.iter().try_for_each(|reason| writeln!(out, "  {}", one_line(reason)))
    }
}

/// A row of response times, or of service times.
fn row(
    name: &str,
    width: usize,
    figures: &Figures,
    service: bool,
    out: &mut Page,
) -> io::Result<()> {
    let times = if service { &figures.service } else { &figures.response };
    write!(
        out,
        "{name:width$} {:>8} {:>7.2} {:>8.1}",
        figures.requests, figures.success_percent, figures.rate
    )?;
    let all = [
        times.average,
        times.min,
        times.p50,
        times.p90,
        times.p95,
        times.p99,
        times.p999,
        times.max,
    ];
    for time in all {
        let decimals = if time < 10.0 { 2 } else { 1 };
        write!(out, " {time:>7.decimals$}")?;
    }
    writeln!(out)
}
