//! The systemd journal, read through `journalctl`.

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use seaworthy_core::{Error, ErrorKind, Result, Timestamp};
use serde_json::Value;

use crate::{filter::Filter, format, level::Level};

/// Which part of the journal is read.
///
/// ```
/// use seaworthy_log_view::{Journal, Source};
/// let api = Source::journal(Journal::new().unit("flotteq-api.service"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    program: Option<PathBuf>,
    units: Vec<String>,
    file: Option<PathBuf>,
}

impl Journal {
    /// All of the machine's journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what `unit` writes; several units add up.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.units.push(unit.into());
        self
    }

    /// The journal in this file or folder, instead of the machine's.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Runs this program instead of `journalctl`.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Its name in views of several sources.
    pub(crate) fn name(&self) -> String {
        match (&self.file, self.units.as_slice()) {
            (Some(file), []) => {
                file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into()
            }
            (None, []) => "journal".into(),
            (_, units) => units.join(","),
        }
    }

    /// Starts reading: everything that `filter` may let through, or the last `follow` entries and
    /// all new ones.
    pub(crate) fn start(&self, filter: &Filter, follow: Option<usize>) -> Result<JournalReader> {
        let program = self.program.clone().unwrap_or_else(|| "journalctl".into());
        let mut arguments: Vec<OsString> =
            ["--output=json", "--no-pager", "--quiet"].iter().map(Into::into).collect();
        let mut add = |option: &str, value: &std::ffi::OsStr| {
            let mut argument = OsString::from(option);
            argument.push(value);
            arguments.push(argument);
        };
        if let Some(path) = &self.file {
            add(if path.is_dir() { "--directory=" } else { "--file=" }, path.as_os_str());
        }
        self.units.iter().for_each(|unit| add("--unit=", unit.as_ref()));
        if let Some(since) = filter.since_unix() {
            add("--since=@", since.to_string().as_ref());
        }
        if let Some(until) = filter.until_unix() {
            add("--until=@", until.to_string().as_ref());
        }
        if let Some(last) = follow {
            add("--follow", "".as_ref());
            add("--lines=", last.to_string().as_ref());
        }
        let mut command = Command::new(&program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let fail = |source: io::Error| {
            let missing = source.kind() == io::ErrorKind::NotFound;
            let error =
                Error::io("logs.journal", format!("cannot run {}", program.display()), source);
            if missing { error.remedy_is("name log files, or install systemd") } else { error }
        };
        let mut child = command.spawn().map_err(fail)?;
        let stdout = child.stdout.take().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "logs.journal", "journalctl has no output")
        })?;
        Ok(JournalReader {
            child,
            entries: BufReader::new(stdout),
            line: Vec::new(),
            at: 0,
            entry: Vec::new(),
        })
    }
}

/// Reads the journal as lines of text; ends `journalctl` when dropped.
#[derive(Debug)]
pub(crate) struct JournalReader {
    child: Child,
    entries: BufReader<ChildStdout>,
    entry: Vec<u8>,
    line: Vec<u8>,
    at: usize,
}

impl Read for JournalReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.line.len() {
            self.entry.clear();
            if self.entries.read_until(b'\n', &mut self.entry)? == 0 {
                return self.ended();
            }
            self.line.clear();
            self.at = 0;
            write_entry(&self.entry, &mut self.line);
        }
        let length = out.len().min(self.line.len() - self.at);
        out[..length].copy_from_slice(&self.line[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

impl JournalReader {
    fn ended(&mut self) -> io::Result<usize> {
        let status = self.child.wait()?;
        if status.success() {
            return Ok(0);
        }
        Err(io::Error::other(format!("journalctl ended with {status}")))
    }
}

impl Drop for JournalReader {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An entry as a line of text: timestamp, who wrote it, its level unless the message names one, and
/// the message. Further lines of a message are indented, so that none looks like an entry.
fn write_entry(json: &[u8], out: &mut Vec<u8>) {
    let Ok(Value::Object(entry)) = serde_json::from_slice(json) else { return };
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let micros =
        text("__REALTIME_TIMESTAMP").and_then(|time| time.parse::<i64>().ok()).unwrap_or(0);
    let moment = Timestamp::from_unix(micros.div_euclid(1_000_000)).to_string();
    let moment = moment.trim_end_matches('Z');
    out.extend_from_slice(format!("{moment}.{:06}Z ", micros.rem_euclid(1_000_000)).as_bytes());
    let who = text("SYSLOG_IDENTIFIER").or_else(|| text("_COMM")).unwrap_or("-");
    out.extend(who.bytes().map(|byte| if byte == b'\n' { b' ' } else { byte }));
    if let Some(pid) = text("_PID").or_else(|| text("SYSLOG_PID")) {
        out.extend_from_slice(format!("[{}]", pid.replace('\n', " ")).as_bytes());
    }
    out.extend_from_slice(b": ");
    let message = message(entry.get("MESSAGE"));
    let level = text("PRIORITY").and_then(|number| number.parse().ok()).map(Level::from_priority);
    let head = out.len();
    for (number, line) in message.trim_ascii_end().split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            out.extend_from_slice(b"\n  ");
        }
        out.extend_from_slice(line);
    }
    if let Some(word) = level.and_then(word)
        && !names_a_level(&out[head..])
    {
        out.splice(head..head, word.bytes());
    }
    out.push(b'\n');
}

/// Whether the message itself names a level.
fn names_a_level(message: &[u8]) -> bool {
    let zone = seaworthy_core::TimeZone::utc();
    let mut clock = crate::clock::Clock::new(zone, Timestamp::UNIX_EPOCH);
    let line = message.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let marked = [b"1970-01-01 00:00:00 ".as_slice(), line].concat();
    [line, &marked].iter().any(|line| format::read(line, &mut clock, false).gravity().is_some())
}

fn word(level: Level) -> Option<&'static str> {
    match level {
        Level::Critical => Some("critical: "),
        Level::Error => Some("error: "),
        Level::Warning => Some("warning: "),
        Level::Debug => Some("debug: "),
        Level::Info => None,
    }
}

/// A message is a string, or a list of bytes if it is not UTF-8, or a list of these if it was set
/// several times.
fn message(value: Option<&Value>) -> Vec<u8> {
    match value {
        Some(Value::String(text)) => text.as_bytes().to_vec(),
        Some(Value::Array(list)) => list
            .iter()
            .flat_map(|item| match item.as_u64().map(u8::try_from) {
                Some(Ok(byte)) => vec![byte],
                _ => message(Some(item)),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> String {
        let mut out = Vec::new();
        write_entry(json.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn entries_become_lines_that_say_who_and_how_grave() {
        let base =
            r#""__REALTIME_TIMESTAMP":"1795341900000042","SYSLOG_IDENTIFIER":"api","_PID":"7""#;
        let start = "2026-11-22T10:05:00.000042Z api[7]: ";
        for (rest, text) in [
            (r#""PRIORITY":"3","MESSAGE":"it failed""#, "error: it failed\n"),
            (r#""PRIORITY":"6","MESSAGE":"ERROR:root:it failed""#, "ERROR:root:it failed\n"),
            (
                r#""PRIORITY":"6","MESSAGE":"fine\n2026-01-01 00:00:00 ERROR no entry""#,
                "fine\n  2026-01-01 00:00:00 ERROR no entry\n",
            ),
            (r#""PRIORITY":"6","MESSAGE":[104,255,105]"#, "h\u{fffd}i\n"),
            (r#""MESSAGE":null"#, "\n"),
        ] {
            assert_eq!(line(&format!("{{{base},{rest}}}")), format!("{start}{text}"));
        }
        assert_eq!(line("no json"), "");
    }
}
