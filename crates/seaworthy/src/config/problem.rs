//! Problems of the file with their place and remedy, formatted for people.

use std::{ops::Range, path::Path};

use seaworthy_core::{Error, ErrorKind};

/// The longest part of a line that is shown, in characters.
const SHOWN: usize = 100;

/// Keys whose values are secrets, or may contain one.
const SECRET_WORDS: [&str; 6] = ["key", "secret", "pass", "token", "url", "credential"];

/// One thing that is wrong with the file.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) remedy: Option<String>,
    /// The place, in bytes.
    pub(super) span: Range<usize>,
    /// Whether the line may be shown.
    pub(super) show_line: bool,
}

impl Problem {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None, span, show_line: true }
    }

    pub(super) fn remedy_is(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// For a problem with a secret: its line is never shown.
    pub(super) fn hide_line(mut self) -> Self {
        self.show_line = false;
        self
    }
}

/// The name in `known` that is most similar to `given`, if any.
pub(super) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_lowercase();
    let likeness = |name: &&str| strsim::damerau_levenshtein(&given, &name.to_lowercase());
    let best = known.into_iter().min_by_key(likeness)?;
    (likeness(&best) <= 1.max(given.chars().count().max(best.len()) / 3)).then_some(best)
}

/// `did you mean "a"?`, else `use one of "a", "b"`.
pub(crate) fn suggestion<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let known: Vec<_> = known.into_iter().collect();
    if let Some(name) = nearest(given, known.iter().copied()) {
        return Some(format!("did you mean {name:?}?"));
    }
    let all: Vec<_> = known.iter().map(|name| format!("{name:?}")).collect();
    match all.as_slice() {
        [] => None,
        [only] => Some(format!("only {only} is allowed here")),
        all => Some(format!("the known ones are {}", all.join(", "))),
    }
}

/// All problems of the file at `path` with this `text`, as one error, in order of place.
pub(super) fn into_error(path: &Path, text: &str, mut problems: Vec<Problem>) -> Error {
    problems.sort_by_key(|problem| problem.span.start);
    // A secret in plain text is found by its key, and by its reader if that is known.
    problems.dedup_by(|a, b| a.span == b.span && a.message == b.message);
    let alone = problems.len() == 1;
    let mut message = String::new();
    for (i, problem) in problems.iter().enumerate() {
        let place = Place::of(text, problem.span.start);
        if i > 0 {
            message.push('\n');
        }
        message.push_str(&format!(
            "{}:{}:{}: {}",
            path.display(),
            place.line,
            place.column,
            problem.message
        ));
        if problem.show_line {
            message.push_str(&excerpt(text, &place, &problem.span));
        }
        if let (false, Some(remedy)) = (alone, &problem.remedy) {
            message.push_str(&format!("\n  help: {remedy}"));
        }
    }
    let mut error =
        Error::new(ErrorKind::Config, "config.read", message).with("file", path.display());
    if let Some(first) = problems.first() {
        let place = Place::of(text, first.span.start);
        error = error.with("line", place.line).with("column", place.column);
    }
    match problems.into_iter().next().and_then(|problem| problem.remedy) {
        Some(remedy) if alone => error.remedy_is(remedy),
        _ => error,
    }
}

/// The line and the column of the byte `at`, from 1.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let place = Place::of(text, at);
    (place.line, place.column)
}

/// A line and a column, from 1, in characters.
struct Place {
    line: usize,
    column: usize,
    /// Where the line begins and ends, in bytes.
    bytes: Range<usize>,
}

impl Place {
    fn of(text: &str, at: usize) -> Self {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[start..at].chars().count() + 1,
            bytes: start..end,
        }
    }
}

/// The line with a mark below the place; `None` if the line might show a secret.
fn excerpt(text: &str, place: &Place, span: &Range<usize>) -> String {
    let line = text[place.bytes.clone()].trim_end_matches('\r');
    if line.trim().is_empty() || may_show_a_secret(text, place) {
        return String::new();
    }
    let before = place.column - 1;
    let skipped = before.saturating_sub(SHOWN / 2);
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(SHOWN)
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    let marked = text.get(span.start..span.end.min(place.bytes.end)).map_or(1, |marked| {
        marked.trim_end().chars().count().min(SHOWN.saturating_sub(before - skipped)).max(1)
    });
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    format!(
        "\n {gutter} |\n {number} | {shown}\n {gutter} | {}{}",
        " ".repeat(before - skipped),
        "^".repeat(marked)
    )
}

/// A line is not shown if it may contain a secret: next to a key that may have one, and inside a
/// multi-line text, whose key is on another line.
fn may_show_a_secret(text: &str, place: &Place) -> bool {
    let line = text[place.bytes.clone()].to_lowercase();
    let has_value = line.contains(['"', '\'']);
    let inside = ["\"\"\"", "'''"]
        .iter()
        .any(|quotes| text[..place.bytes.end].matches(quotes).count() % 2 == 1);
    inside || (has_value && SECRET_WORDS.iter().any(|word| line.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["compression", "keep", "keep_on", "sinks"];
        assert_eq!(nearest("comression", known), Some("compression"));
        assert_eq!(nearest("Sink", known), Some("sinks"));
        assert_eq!(nearest("kepe", known), Some("keep"));
        assert_eq!(nearest("xyz", known), None);
    }

    #[test]
    fn places_count_characters_and_survive_any_offset() {
        let text = "a = 1\nä = \"ü\" # x\n";
        let place = Place::of(text, text.find('#').unwrap());
        assert_eq!((place.line, place.column), (2, 9));
        for at in 0..text.len() + 5 {
            let place = Place::of(text, at);
            let _ = excerpt(text, &place, &(at..at + 3));
        }
    }
}
