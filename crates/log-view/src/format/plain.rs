//! Lines for people: combined, nginx's errors, Python, Node, syslog.

use super::{Facts, place, status};
use crate::{
    clock::{Clock, iso_length, looks_common},
    level::Level,
};

/// How far after the timestamp a level is searched for, in bytes.
const LEVEL_WITHIN: usize = 96;

/// What a line of the common or combined format says; `None` for another format.
pub(super) fn combined(line: &[u8], clock: &mut Clock, timed: bool) -> Option<Facts> {
    // A user's name comes from the client and may contain brackets, but the timestamp comes last.
    let before_request = &line[..memchr::memchr(b'"', line)?];
    let at = memchr::memrchr(b'[', before_request)?;
    let moment = &line[at..];
    if !looks_common(moment) {
        return None;
    }
    let code = after_request(&line[before_request.len() + 1..])?;
    let time = if timed { clock.common(&moment[1..]) } else { None };
    let (status_at, status) = (place(line, code), status(code));
    Some(Facts { time, dated: true, status, status_at, ..Facts::default() })
}

/// The three bytes after the quote that ends the request, in which quotes are escaped.
fn after_request(request: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &request[at.min(request.len())..])?;
        if request[at] == b'"' {
            return request.get(at + 2..at + 5);
        }
        at += 2;
    }
}

/// What any other line says.
pub(super) fn facts(line: &[u8], clock: &mut Clock, timed: bool) -> Facts {
    let mut facts = Facts::default();
    let mut rest = behind_prefix(line);
    let moment = rest.strip_prefix(b"[").unwrap_or(rest);
    let moment = ["time=\"", "time=", "ts="]
        .iter()
        .find_map(|key| moment.strip_prefix(key.as_bytes()))
        .unwrap_or(moment);
    let moment = behind_name(moment).unwrap_or(moment);
    if moment.first().is_some_and(u8::is_ascii_digit) {
        if timed {
            if let Some((time, length)) = clock.iso(moment) {
                (facts.time, facts.dated, rest) = (Some(time), true, &moment[length..]);
            }
        } else if let Some(length) = iso_length(moment) {
            (facts.dated, rest) = (true, &moment[length..]);
        }
    } else if let Some((time, length)) = clock.syslog(moment) {
        (facts.time, facts.dated, rest) = (Some(time), true, &moment[length..]);
    }
    let level = if facts.dated { level_within(rest) } else { level_first(rest) };
    if let Some((level, word)) = level {
        facts.level = Some(level);
        facts.level_at = place(line, word);
    }
    if let Some(code) = quoted_request(rest).or_else(|| bare_request(rest)) {
        facts.status = status(code);
        facts.status_at = place(line, code);
        // uvicorn logs every response as INFO, also one that failed.
        facts.level = facts.level.max(facts.status.map(Level::from_status));
    }
    if !facts.dated && facts.level.is_none() && is_thrown(line) {
        facts.level = Some(Level::Error);
        facts.opens_trace = true;
    }
    facts
}

/// The text after the prefix `0|api  | ` of PM2.
fn behind_prefix(line: &[u8]) -> &[u8] {
    let digits = line.iter().take_while(|c| c.is_ascii_digit()).count();
    if digits == 0 || line.get(digits) != Some(&b'|') {
        return line;
    }
    let name = &line[digits + 1..];
    match memchr::memchr(b'|', name) {
        Some(end) if end <= 40 => name[end + 1..].trim_ascii_start(),
        _ => line,
    }
}

/// A date after the name of the program that wrote it, as dpkg's `update-alternatives 2026-11-22 …`
/// and apt's `Start-Date: 2026-11-22 …`.
fn behind_name(line: &[u8]) -> Option<&[u8]> {
    let length =
        line.iter().take(32).take_while(|c| c.is_ascii_alphabetic() || **c == b'-').count();
    let behind = &line[length..];
    let moment = behind.strip_prefix(b":").unwrap_or(behind).strip_prefix(b" ")?;
    (length > 0 && iso_length(moment).is_some()).then_some(moment)
}

/// The first word that is certainly a level: in capitals, in brackets, before a colon, or after
/// `level=`.
fn level_within(text: &[u8]) -> Option<(Level, &[u8])> {
    let text = &text[..text.len().min(LEVEL_WITHIN)];
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|c| c.is_ascii_alphabetic()).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let word = &text[at..at + length];
        if (3..=9).contains(&length)
            && is_marked(text, at, word)
            && let Some(level) = Level::from_word(word)
        {
            return Some((level, word));
        }
        at += length;
    }
    None
}

fn is_marked(text: &[u8], at: usize, word: &[u8]) -> bool {
    let before = at.checked_sub(1).map(|at| text[at]);
    let after = text.get(at + word.len()).copied();
    let apart =
        |c: Option<u8>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || b"_-/.".contains(&c));
    if !apart(before) || !apart(after) {
        return false;
    }
    word.iter().all(u8::is_ascii_uppercase)
        || (before == Some(b'[') && after == Some(b']'))
        || after == Some(b':')
        || text[..at].ends_with(b"level=")
}

/// A level at the very beginning of a line without a timestamp.
fn level_first(text: &[u8]) -> Option<(Level, &[u8])> {
    let text = text.strip_prefix(b"level=").unwrap_or(text);
    if let Some(level) = npm_level(text) {
        return Some(level);
    }
    let inside = text.strip_prefix(b"[").unwrap_or(text);
    let length = inside.iter().take_while(|c| c.is_ascii_alphabetic()).count();
    let (word, after) = inside.split_at(length);
    let bracketed = inside.len() < text.len();
    let marked = match after.first() {
        Some(b']') => bracketed,
        Some(b':') => true,
        Some(b' ') => word.iter().all(u8::is_ascii_uppercase),
        _ => false,
    };
    // A bare `Error:` is what Node prints for an uncaught error: a stack trace may follow.
    let thrown = word == b"Error" && !bracketed;
    let level = Level::from_word(word).filter(|_| marked && !thrown)?;
    Some((level, word))
}

/// The level after the number that npm writes before each line of its logs.
fn npm_level(text: &[u8]) -> Option<(Level, &[u8])> {
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let words = text[digits..].strip_prefix(b" ").filter(|_| digits > 0)?;
    let word = &words[..memchr::memchr(b' ', words)?];
    let known = ["silly", "verbose", "http", "info", "warn", "error"];
    let is_known = known.iter().any(|known| known.as_bytes() == word);
    is_known.then(|| Level::from_word(word)).flatten().map(|level| (level, word))
}

/// The status after `"GET / HTTP/1.1" `.
fn quoted_request(text: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(text, b" HTTP/")?;
    let rest = text.get(at + 6..(at + 20).min(text.len()))?;
    let end = memchr::memchr(b'"', rest)?;
    let code = rest.get(end + 2..end + 5)?;
    status(code).map(|_| code)
}

/// The status after `GET /path `, as morgan writes it.
fn bare_request(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let methods = ["GET ", "POST ", "PUT ", "PATCH ", "DELETE ", "HEAD ", "OPTIONS "];
    let path = methods.iter().find_map(|method| text.strip_prefix(method.as_bytes()))?;
    let code = path.get(memchr::memchr(b' ', path)? + 1..)?.get(..3)?;
    (path.first() == Some(&b'/')).then_some(())?;
    status(code).map(|_| code)
}

/// Whether the line is what Python and Node print for an uncaught error.
fn is_thrown(line: &[u8]) -> bool {
    if line.starts_with(b"Traceback (most recent call last)") || line.starts_with(b"Uncaught ") {
        return true;
    }
    let name = line.iter().take_while(|c| c.is_ascii_alphanumeric() || b"_.".contains(c)).count();
    let (name, after) = line.split_at(name);
    let is_error = name.ends_with(b"Error") || name.ends_with(b"Exception");
    is_error && (after.starts_with(b":") || after.starts_with(b" [") || after.is_empty())
}
