//! Results on standard output: for people, or as one JSON document.

mod backup;
mod restore;
mod retention;
mod show;
mod snapshots;
mod sync;
mod verify;

use std::io::{self, BufWriter, Write};

use seaworthy::{
    Document,
    command::{CheckResult, PinResult},
    core::ByteSize,
};
use serde::Serialize;

pub(crate) use show::entry_line;

use crate::terminal::neutral;

/// A result that people can read.
pub(crate) trait Report {
    /// Writes it, line by line.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Prints `result` for people.
pub(crate) fn print(result: &impl Report) -> io::Result<()> {
    let mut text = Vec::new();
    result.write(&mut text)?;
    let mut out = io::stdout().lock();
    out.write_all(neutral(&String::from_utf8_lossy(&text)).as_bytes())?;
    out.flush()
}

/// Prints one JSON document.
pub(crate) fn print_document<T: Serialize>(document: &Document<'_, T>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

impl Report for CheckResult {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (jobs, sinks) = (count(self.jobs, "job"), count(self.sinks, "sink"));
        writeln!(out, "{} is right: {jobs}, {sinks}", self.file.display())
    }
}

impl Report for PinResult {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let sinks: Vec<_> = self.sinks.iter().map(|sink| sink.as_str()).collect();
        let done = match self.state {
            seaworthy::command::Pinned::Pinned => "pinned",
            seaworthy::command::Pinned::Unpinned => "unpinned",
        };
        writeln!(out, "{done} {}@{} in {}", self.job, self.id, sinks.join(", "))
    }
}

/// `1 job`, `2 jobs`.
fn count(n: impl TryInto<u64>, what: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn size(bytes: u64) -> ByteSize {
    ByteSize::new(bytes)
}

/// `12.3 MiB/s`; nothing for no time at all.
fn rate(bytes: u64, seconds: f64) -> String {
    if seconds <= 0.0 {
        return String::new();
    }
    // In MiB whatever it comes to, so that runs compare at a glance.
    format!("{:.1} MiB/s", bytes as f64 / seconds / f64::from(1 << 20))
}
