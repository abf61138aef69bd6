//! Results on standard output: for people, or as one JSON document.

mod apply;
mod backup;
mod cert;
mod doctor;
mod drill;
mod init;
mod keygen;
mod load_test;
mod proxy;
mod restore;
mod retention;
mod run;
mod service;
mod show;
mod snapshots;
mod status;
mod sync;
mod verify;

use std::io::{self, BufWriter, Write};

use seaworthy::{
    Document,
    backup::sources::payload_handler,
    command::{ConfigCheckResult, PinResult},
    core::{ByteSize, TimeZone, Timestamp},
};
use serde::Serialize;

pub(crate) use load_test::LoadTestReport;
pub(crate) use show::entry_line;

use crate::terminal::neutral;

/// Text for people, and the time zone of the times in it.
pub(crate) struct Page {
    text: Vec<u8>,
    zone: TimeZone,
}

impl Page {
    fn new(zone: &TimeZone) -> Self {
        Self { text: Vec::new(), zone: zone.clone() }
    }

    /// `at` as people read it: `2026-11-22 03:30:00`, in the time zone of the file.
    fn time(&self, at: Timestamp) -> String {
        at.in_zone(&self.zone)
    }
}

impl Write for Page {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A result that can be printed for people.
pub(crate) trait Report {
    /// Writes it, line by line.
    fn write(&self, out: &mut Page) -> io::Result<()>;

    /// Likely mistakes, in addition to the result.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether there was nothing to do, which `--quiet` does not mention: cron sends every line by
    /// mail.
    fn is_nothing(&self) -> bool {
        false
    }
}

/// What could not begin has no result.
impl Report for () {
    fn write(&self, _: &mut Page) -> io::Result<()> {
        Ok(())
    }
}

/// Prints `result` for people, with times in `zone`.
pub(crate) fn print(result: &impl Report, zone: &TimeZone) -> io::Result<()> {
    let mut page = Page::new(zone);
    result.write(&mut page)?;
    let mut out = io::stdout().lock();
    out.write_all(neutral(&String::from_utf8_lossy(&page.text)).as_bytes())?;
    out.flush()
}

/// Prints `text` as it is: programs read it.
pub(crate) fn print_text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints one JSON document.
pub(crate) fn print_document<T: Serialize>(document: &Document<'_, T>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

impl Report for ConfigCheckResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let (jobs, sinks) = (count(self.jobs, "job"), count(self.sinks, "sink"));
        let sites = match self.sites {
            0 => String::new(),
            sites => format!(", {}", count(sites, "site")),
        };
        writeln!(out, "{} is valid: {jobs}, {sinks}{sites}", self.file.display())?;
        self.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))
    }
}

impl Report for PinResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
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

/// `3 files`, `1 database`, `12 tables, 3400 rows`: the contents of a payload of this kind.
fn items(kind: &str, n: u64, rows: Option<u64>) -> String {
    let items = count(n, payload_handler(kind).counted(rows));
    rows.map_or(items.clone(), |rows| format!("{items}, {}", count(rows, "row")))
}

fn size(bytes: u64) -> ByteSize {
    ByteSize::new(bytes)
}

/// `12.3 MiB/s`; empty for a duration of zero.
fn rate(bytes: u64, seconds: f64) -> String {
    if seconds <= 0.0 {
        return String::new();
    }
    // Always in MiB, so that runs are easy to compare.
    format!("{:.1} MiB/s", bytes as f64 / seconds / f64::from(1 << 20))
}
