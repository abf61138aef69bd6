//! systemd's unit files as a tree. Only the kind of a value decides how it is quoted: nothing else
//! in this crate formats unit text.

use std::{borrow::Cow, collections::BTreeMap};

use seaworthy_core::{Error, ErrorKind, Origin, RenderedFile, Result};

use crate::model::text::no_control;

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Literal text.
    Text(Cow<'static, str>),
    /// The instance's name: `%i`.
    Instance,
}

/// One word: pieces side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Vec<Part>);

impl Word {
    pub(crate) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// `text` with the instance's name for each `placeholder`.
    pub(crate) fn with_instance(text: &str, placeholder: &str) -> Self {
        let mut parts = Vec::new();
        for (i, piece) in text.split(placeholder).enumerate() {
            if i > 0 {
                parts.push(Part::Instance);
            }
            if !piece.is_empty() {
                parts.push(Part::Text(piece.to_owned().into()));
            }
        }
        if parts.is_empty() { Self::text("") } else { Self(parts) }
    }
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// One word that systemd does not unquote.
    Plain(Word),
    /// Words that systemd splits and unquotes.
    Words(Vec<Word>),
    /// A command line: its first word is the program.
    Command(Vec<Word>),
    /// A percentage; systemd reads no specifiers there.
    Percent(u32),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Plain(Word::text(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Plain(Word::text(text))
    }
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    key: &'static str,
    value: Value,
    reason: Option<String>,
    origin: Option<Origin>,
}

impl Entry {
    pub(crate) fn new(key: &'static str, value: impl Into<Value>) -> Self {
        Self { key, value: value.into(), reason: None, origin: None }
    }

    /// The same, with a comment above it.
    pub(crate) fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// The same, with its origin in the model.
    pub(crate) fn of(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }
}

/// A unit file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    sections: Vec<(&'static str, Vec<Entry>)>,
}

impl Unit {
    pub(crate) fn section(mut self, name: &'static str, entries: Vec<Entry>) -> Self {
        self.sections.push((name, entries));
        self
    }

    /// The text of the file. Fails for text that a unit cannot contain, which is a bug in the
    /// checks before.
    pub(crate) fn file(&self, origin: &Origin) -> Result<RenderedFile> {
        let mut text = String::from(HEADER);
        let mut lines = BTreeMap::new();
        for (name, entries) in self.sections.iter().filter(|(_, entries)| !entries.is_empty()) {
            text.push_str(&format!("\n[{name}]\n"));
            for entry in entries {
                let origin = entry.origin.as_ref().unwrap_or(origin);
                if let Some(reason) = &entry.reason {
                    no_control(reason).map_err(|why| refused(reason, why))?;
                    text.push_str(&format!("# {reason}\n"));
                }
                let value = print(&entry.value).map_err(|error| error.at(origin))?;
                lines.insert(text.lines().count() + 1, origin.clone());
                text.push_str(&format!("{}={value}\n", entry.key));
            }
        }
        Ok(RenderedFile::new(text, origin.clone()).with_lines(lines))
    }
}

/// The first line of each file.
pub(crate) const HEADER: &str = "# Written by Seaworthy from seaworthy.toml. Edits are lost.\n";

fn refused(text: &str, why: &str) -> Error {
    let short: String = text.chars().take(80).collect();
    Error::new(ErrorKind::InvalidInput, "service.render", format!("{short:?}: {why}"))
}

fn print(value: &Value) -> Result<String> {
    match value {
        Value::Plain(word) => plain(word),
        Value::Percent(number) => Ok(format!("{number}%")),
        Value::Words(words) => {
            let words: Result<Vec<_>> = words.iter().map(|word| quoted(word, false)).collect();
            Ok(words?.join(" "))
        }
        Value::Command(words) => {
            let program = words.first().map(program).transpose()?;
            let rest = words.iter().skip(1).map(|word| quoted(word, true));
            let words: Result<Vec<_>> = program.into_iter().map(Ok).chain(rest).collect();
            Ok(words?.join(" "))
        }
    }
}

fn each(word: &Word, mut text: impl FnMut(&mut String, &str) -> Result<()>) -> Result<String> {
    let mut out = String::new();
    for part in &word.0 {
        match part {
            Part::Instance => out.push_str("%i"),
            Part::Text(piece) => {
                no_control(piece).map_err(|why| refused(piece, why))?;
                text(&mut out, piece)?;
            }
        }
    }
    Ok(out)
}

/// Text that is read literally, except specifiers.
fn plain(word: &Word) -> Result<String> {
    let out = each(word, |out, piece| {
        out.push_str(&piece.replace('%', "%%"));
        Ok(())
    })?;
    if out.ends_with('\\') || out.trim() != out {
        return Err(refused(&out, "it ends with a backslash, or begins or ends with a blank"));
    }
    Ok(out)
}

/// A word in double quotes. `variables` says whether `$` begins a variable there.
fn quoted(word: &Word, variables: bool) -> Result<String> {
    let out = each(word, |out, piece| {
        for c in piece.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '%' => out.push_str("%%"),
                '$' if variables => out.push_str("$$"),
                c => out.push(c),
            }
        }
        Ok(())
    })?;
    Ok(format!("\"{out}\""))
}

/// The program: variables are not read there, and its first character may not be a prefix.
fn program(word: &Word) -> Result<String> {
    let first = |piece: &str| piece.starts_with(|c: char| c.is_alphanumeric() || "/._".contains(c));
    match word.0.first() {
        Some(Part::Text(piece)) if first(piece) && !piece.contains('$') => quoted(word, false),
        _ => Err(refused(&format!("{word:?}"), "it is not the name of a program")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_quoted_in_its_own_way() {
        let word = |text: &'static str| Word::text(text);
        let command = Value::Command(vec![word("/b in"), word("$a %i \"q\" \\"), word("")]);
        assert_eq!(print(&command).unwrap(), r#""/b in" "$$a %%i \"q\" \\" """#);
        let words = Value::Words(vec![word("A=$b %c")]);
        assert_eq!(print(&words).unwrap(), r#""A=$b %%c""#);
        let instance = Word::with_instance("a{port}{port}b", "{port}");
        assert_eq!(print(&Value::Plain(instance)).unwrap(), "a%i%ib");
    }

    #[test]
    fn nothing_carries_lines_and_no_program_a_prefix() {
        for bad in ["a\nb", "a\rb", "a\0b", "\u{85}"] {
            let word = Word::text(bad);
            assert!(print(&Value::Plain(word.clone())).is_err(), "{bad:?}");
            assert!(print(&Value::Words(vec![word.clone()])).is_err(), "{bad:?}");
            let command = Value::Command(vec![Word::text("/bin/a"), word]);
            assert!(print(&command).is_err(), "{bad:?}");
        }
        for bad in ["-a", "@a", "+a", "!a", ":a", "", "$a", "a$b"] {
            assert!(print(&Value::Command(vec![Word::text(bad)])).is_err(), "{bad:?}");
        }
        assert!(print(&Value::Plain(Word::text("a\\"))).is_err());
    }
}
