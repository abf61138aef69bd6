//! Output on standard error: errors, warnings, and whether it is a terminal.

use std::{
    borrow::Cow,
    error::Error as _,
    io::{IsTerminal, Write},
};

use seaworthy::core::Error;

use crate::global::{Global, When};

/// How to print for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    colour: bool,
    pub(crate) progress: bool,
    pub(crate) quiet: bool,
    pub(crate) json: bool,
}

impl Terminal {
    pub(crate) fn new(global: &Global) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = match global.color {
            When::Always => true,
            When::Never => false,
            When::Auto => is_terminal && !set("NO_COLOR") && !dumb,
        };
        let events_here = global.events.as_deref().is_some_and(crate::events::is_stderr);
        let progress = is_terminal && !global.no_progress && !global.quiet && !dumb && !events_here;
        log_to_stderr(global, colour);
        Self { colour, progress, quiet: global.quiet || events_here, json: global.json }
    }

    /// `error: …`, its causes, and what can be done.
    pub(crate) fn error(&self, error: &Error) {
        let mut text = format!("{} {error}", self.label("error:", "1;31"));
        let mut cause = error.source();
        while let Some(next) = cause {
            let words = next.to_string();
            if !text.ends_with(&words) {
                text.push_str(&format!("\n  because: {words}"));
            }
            cause = next.source();
        }
        for (name, value) in error.context().filter(|(name, _)| *name == "already placed") {
            text.push_str(&format!("\n  {name}: {value}"));
        }
        if let Some(remedy) = error.remedy_spelled(flag) {
            text.push_str(&format!("\n{} {remedy}", self.label("help:", "1;36")));
        }
        self.line(&text);
    }

    /// `warning: …`.
    pub(crate) fn warning(&self, message: &str) {
        self.line(&format!("{} {message}", self.label("warning:", "1;33")));
    }

    /// A line on standard error. It is not an error if nobody reads it.
    pub(crate) fn line(&self, text: &str) {
        let text = if self.colour { neutral_but_colour(text) } else { neutral(text) };
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    fn label(&self, label: &str, colour: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{label}\x1b[0m") } else { label.to_owned() }
    }
}

/// The flag that sets the field `name` of a request.
fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// `text` without control characters that affect a terminal: file names may come from others.
pub(crate) fn neutral(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if obeyed(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// The same for one word in a table: a newline would end its row.
pub(crate) fn one_line(text: &str) -> String {
    neutral(text).replace('\n', "\\n")
}

/// The same for text with the colours of [`Terminal::label`] at its beginning or on its last line.
fn neutral_but_colour(text: &str) -> Cow<'_, str> {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        safe.push_str(&neutral(&rest[..start]));
        let code = &rest[start + 2..];
        let end =
            code.find('m').filter(|end| ["1;31", "1;33", "1;36", "0"].contains(&&code[..*end]));
        match end {
            Some(end) => {
                safe.push_str(&rest[start..start + end + 3]);
                rest = &code[end + 1..];
            }
            None => {
                safe.push_str("\\u{1b}[");
                rest = code;
            }
        }
    }
    safe.push_str(&neutral(rest));
    Cow::Owned(safe)
}

/// Shows log messages of the crates: warnings, or more with `-v`.
fn log_to_stderr(global: &Global, colour: bool) {
    use tracing_subscriber::filter::EnvFilter;
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::new(level);
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .without_time()
        .try_init();
    // Only a second call in one process could fail, and there is none.
    drop(logging);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(neutral("plain ü\nline"), "plain ü\nline");
        assert_eq!(neutral("a\x1b[2Jb\r\u{7}\u{202e}"), "a\\u{1b}[2Jb\\r\\u{7}\\u{202e}");
        assert_eq!(one_line("a\nb"), "a\\nb");
        assert_eq!(
            neutral_but_colour("\x1b[1;31merror:\x1b[0m x\x1b[2Jy"),
            "\x1b[1;31merror:\x1b[0m x\\u{1b}[2Jy"
        );
    }
}
