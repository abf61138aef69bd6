//! Lines that are JSON objects.

use super::{Facts, place, status};
use crate::{
    clock::{Clock, Nanos},
    level::Level,
};

/// Calls `visit` with each key at the top of the object `line` and its value as written: strings
/// without their quotes, escapes as they stand. `None` if the line is not a complete object.
pub(crate) fn members<'l>(line: &'l [u8], mut visit: impl FnMut(&'l [u8], &'l [u8])) -> Option<()> {
    let mut at = 1;
    loop {
        at = skip_space(line, at);
        match line.get(at)? {
            b'}' => return Some(()),
            b',' => at = skip_space(line, at + 1),
            _ => {}
        }
        let (key, after) = string(line, at)?;
        at = skip_space(line, after);
        if *line.get(at)? != b':' {
            return None;
        }
        at = skip_space(line, at + 1);
        let value;
        (value, at) = match line.get(at)? {
            b'"' => string(line, at)?,
            b'{' | b'[' => {
                let end = nested(line, at)?;
                (&line[at..end], end)
            }
            _ => {
                let rest = &line[at..];
                let end = rest.iter().position(|c| matches!(c, b',' | b'}' | b' '))?;
                (&rest[..end], at + end)
            }
        };
        visit(key, value);
    }
}

/// What a JSON line says about itself; `None` if it is not JSON.
pub(super) fn facts(line: &[u8], clock: &mut Clock, timed: bool) -> Option<Facts> {
    let mut facts = Facts::default();
    members(line, |key, value| match key {
        b"time" | b"timestamp" | b"@timestamp" | b"ts" | b"time_iso8601" | b"datetime"
        | b"asctime" | b"msec" | b"date" => {
            facts.dated = true;
            if timed && facts.time.is_none() {
                facts.time = moment(value, clock);
            }
        }
        b"level" | b"severity" | b"levelname" | b"lvl" | b"log.level" | b"loglevel" => {
            let number = || Level::from_pino(std::str::from_utf8(value).ok()?.parse().ok()?);
            if let Some(level) = Level::from_word(value).or_else(number) {
                facts.level = Some(level);
                facts.level_at = place(line, value);
            }
        }
        b"status" | b"status_code" | b"statusCode" | b"http.status_code" => {
            if let Some(status) = status(value) {
                facts.status = Some(status);
                facts.status_at = place(line, value);
            }
        }
        _ => {}
    })?;
    // Every object is a record of its own.
    facts.dated = true;
    Some(facts)
}

fn moment(value: &[u8], clock: &mut Clock) -> Option<Nanos> {
    match clock.iso(value) {
        Some((time, _)) => Some(time),
        None => Clock::number(value).or_else(|| clock.common(value)),
    }
}

fn skip_space(line: &[u8], mut at: usize) -> usize {
    while line.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}

/// The string that begins at `at`, and where it ends.
fn string(line: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if *line.get(at)? != b'"' {
        return None;
    }
    let start = at + 1;
    let mut at = start;
    loop {
        at += memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        if line[at] == b'"' {
            return Some((&line[start..at], at + 1));
        }
        at += 2;
    }
}

/// Where the object or list that begins at `at` ends.
fn nested(line: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0;
    loop {
        match line.get(at)? {
            b'"' => {
                at = string(line, at)?.1;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}
