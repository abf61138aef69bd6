//! Records as a terminal shows them.

use crate::{
    level::Level,
    neutral::neutralise,
    record::{Mark, Record},
};

const RED: &str = "31";
const YELLOW: &str = "33";
const GREEN: &str = "32";
const CYAN: &str = "36";
const DIM: &str = "2";
const RESET: &[u8] = b"\x1b[0m";

/// Writes records as lines of text that are safe to print on a terminal, with our own colours only:
/// levels (ERROR and CRITICAL red, WARNING yellow, INFO green, DEBUG cyan) and statuses (2xx
/// green, 4xx and 5xx red).
#[derive(Clone, Debug)]
pub struct Painter {
    colour: bool,
    /// The prefix of the lines of each source, padded to the widest.
    prefixes: Vec<Vec<u8>>,
}

impl Painter {
    /// A painter of views whose sources have these `names`. A single name is not shown. Colours
    /// need [`View::with_facts`](crate::View::with_facts).
    pub fn new(names: &[String], colour: bool) -> Self {
        let mut prefixes: Vec<Vec<u8>> = Vec::new();
        if names.len() > 1 {
            let short = short_names(names);
            let width = short.iter().map(|name| name.chars().count()).max().unwrap_or(0);
            prefixes.extend(short.iter().map(|name| {
                let mut prefix = Vec::new();
                let mut text = Vec::new();
                neutralise(format!("{name:width$} | ").as_bytes(), &mut text);
                paint(&text, colour.then_some(DIM), &mut prefix);
                prefix
            }));
        }
        Self { colour, prefixes }
    }

    /// Appends `record` and a newline to `out`.
    pub fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        if let Some(prefix) = self.prefixes.get(record.source()) {
            out.extend_from_slice(prefix);
        }
        let line = record.line();
        if !self.colour {
            neutralise(line, out);
            out.push(b'\n');
            return;
        }
        let mut at = 0;
        let mut places = record.places();
        places.sort_by_key(|(range, _)| range.start);
        for (range, mark) in places {
            let Some(colour) = colour_of(mark) else { continue };
            if range.is_empty() || range.start < at || range.end > line.len() {
                continue;
            }
            neutralise(&line[at..range.start], out);
            paint(&line[range.clone()], Some(colour), out);
            at = range.end;
        }
        neutralise(&line[at..], out);
        out.push(b'\n');
    }
}

fn paint(text: &[u8], colour: Option<&str>, out: &mut Vec<u8>) {
    let Some(colour) = colour else { return neutralise(text, out) };
    out.extend_from_slice(b"\x1b[");
    out.extend_from_slice(colour.as_bytes());
    out.push(b'm');
    neutralise(text, out);
    out.extend_from_slice(RESET);
}

fn colour_of(mark: Mark) -> Option<&'static str> {
    match mark {
        Mark::Level(level) => level.map(|level| match level {
            Level::Critical | Level::Error => RED,
            Level::Warning => YELLOW,
            Level::Info => GREEN,
            Level::Debug => CYAN,
        }),
        Mark::Status(Some(200..300)) => Some(GREEN),
        Mark::Status(Some(400..)) => Some(RED),
        Mark::Status(_) => None,
    }
}

/// The last part of each path, and one more where two would be the same.
fn short_names(names: &[String]) -> Vec<String> {
    let last = |name: &String, parts: usize| {
        let all: Vec<_> = name.split('/').filter(|part| !part.is_empty()).collect();
        all[all.len().saturating_sub(parts)..].join("/")
    };
    for parts in 1..4 {
        let short: Vec<_> = names.iter().map(|name| last(name, parts)).collect();
        let mut sorted = short.clone();
        sorted.sort();
        sorted.dedup();
        if sorted.len() == names.len() {
            return short;
        }
    }
    names.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, record::Chunk, scan::Scanner};
    use seaworthy_core::{TimeZone, Timestamp};

    fn painted(line: &str, colour: bool) -> String {
        let zone = TimeZone::utc();
        let mut scanner = Scanner::new(&Filter::new(), &zone, Timestamp::UNIX_EPOCH, false, true);
        let mut chunk = Chunk { bytes: line.as_bytes().to_vec(), found: Vec::new() };
        scanner.scan(&chunk.bytes, &mut chunk.found);
        let mut out = Vec::new();
        Painter::new(&["a".into()], colour).write(&chunk.record(0, 0).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn levels_and_statuses_have_the_promised_colours() {
        for (word, colour) in
            [("ERROR", 31), ("CRITICAL", 31), ("WARNING", 33), ("INFO", 32), ("DEBUG", 36)]
        {
            let line = format!("2026-11-22 10:00:00 {word} \x1b[2Jx");
            let expected = format!("2026-11-22 10:00:00 \x1b[{colour}m{word}\x1b[0m \\x1b[2Jx\n");
            assert_eq!(painted(&line, true), expected);
        }
        for (status, before) in [(200, "\x1b[32m"), (302, ""), (404, "\x1b[31m"), (503, "\x1b[31m")]
        {
            let text =
                painted(&format!("INFO:     1.2.3.4:5 - \"GET / HTTP/1.1\" {status} x"), true);
            let after = if before.is_empty() { "" } else { "\x1b[0m" };
            assert!(text.ends_with(&format!("HTTP/1.1\" {before}{status}{after} x\n")), "{text:?}");
        }
        assert_eq!(painted("2026-11-22 10:00:00 ERROR x", false), "2026-11-22 10:00:00 ERROR x\n");
    }

    #[test]
    fn names_are_as_short_as_they_may_be() {
        let names = ["/var/log/a/access.log", "/var/log/b/access.log"].map(String::from);
        assert_eq!(short_names(&names), ["a/access.log", "b/access.log"]);
        let names = ["/var/log/a.log", "journal"].map(String::from);
        assert_eq!(short_names(&names), ["a.log", "journal"]);
    }
}
