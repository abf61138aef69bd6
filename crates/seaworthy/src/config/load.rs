//! Reading the file: every problem with its line and column.

use std::path::Path;

use seaworthy_core::{Error, ErrorKind, Name, Named, Origin, Result, SecretRef, Section};
use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Config, check,
    problem::{self, Problem},
    promised,
    source::Source,
    tree::{ReadError, Reason, Value, ValueReader},
};

/// The keys at the top of the file.
const SECTIONS: [&str; 12] = [
    "state",
    "time_zone",
    "sink",
    "backup",
    "notify",
    "ca",
    "tls",
    "certificate",
    "proxy",
    "site",
    "upstream",
    "service",
];

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

impl Config {
    /// Reads the file at `path`; relative paths in it are resolved against its folder.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an invalid file, with line and column; the operating system's
    /// error for one that cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let fail = |e| {
            let message = format!("cannot read {}", path.display());
            Error::io("config.read", message, e).blame_request()
        };
        let size = std::fs::metadata(path).map_err(fail)?.len();
        if size > MAX_FILE {
            let message = format!("{} is too large for a configuration file", path.display());
            return Err(Error::new(ErrorKind::Config, "config.read", message));
        }
        let bytes = std::fs::read(path).map_err(fail)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::from_text(text, path),
            Err(error) => {
                let text = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
                let at = text.len();
                let problem = Problem::new(at..at, "this is not UTF-8").hide_line();
                Err(problem::into_error(path, &text, vec![problem]))
            }
        }
    }

    /// Reads `text` as the content of the file at `path`.
    pub fn from_text(text: &str, path: &Path) -> Result<Self> {
        let fail = |problems| Err(problem::into_error(path, text, problems));
        let root = match DeTable::parse(text) {
            Ok(root) => root,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                return fail(vec![Problem::new(span, error.message())]);
            }
        };
        let mut reader = Reader { root: root.get_ref(), problems: Vec::new() };
        reader.refuse_plain_secrets();
        let mut config = reader.read();
        if reader.problems.is_empty() {
            check::check(&config, &mut reader);
        }
        if !reader.problems.is_empty() {
            return fail(reader.problems);
        }
        let file = std::path::absolute(path)
            .map_err(|e| Error::io("config.read", format!("cannot find {}", path.display()), e))?;
        config.source = Source::new(path, text);
        let resolved = config.resolve(file.parent().unwrap_or(Path::new("/")));
        resolved.map_err(|error| config.locate(error))?;
        let mut reader = Reader { root: root.get_ref(), problems: Vec::new() };
        check::check_web(&config, &mut reader)?;
        if !reader.problems.is_empty() {
            return fail(reader.problems);
        }
        Ok(config)
    }

    /// Resolves relative paths against `base`.
    fn resolve(&mut self, base: &Path) -> Result<()> {
        if let Some(state) = &mut self.state {
            *state = base.join(&state);
        }
        self.sink.iter_mut().for_each(|(_, sink)| sink.as_kind_mut().resolve(base));
        self.backup.iter_mut().for_each(|(_, job)| job.resolve(base));
        self.notify.iter_mut().for_each(|(_, one)| one.notifier.as_kind_mut().resolve(base));
        self.ca.iter_mut().for_each(|(_, ca)| ca.as_kind_mut().resolve(base));
        self.tls.iter_mut().for_each(|tls| tls.resolve(base));
        self.certificate.iter_mut().for_each(|(_, certificate)| certificate.resolve(base));
        self.service.iter_mut().try_for_each(|(_, service)| service.resolve_paths(base))?;
        self.resolve_web(base)
    }
}

/// The parsed file, and what is wrong with it.
pub(super) struct Reader<'t> {
    root: &'t DeTable<'t>,
    pub(super) problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn read(&mut self) -> Config {
        for key in self.root.keys() {
            if !SECTIONS.contains(&key.get_ref().as_ref()) {
                let key_text = key.get_ref().to_string();
                self.problems.push(unknown_key(&[], &key_text, &SECTIONS, key.span()));
            }
        }
        Config {
            state: self.read_value("state"),
            time_zone: self.read_value("time_zone"),
            sink: self.read_named("sink"),
            backup: self.read_named("backup"),
            notify: self.read_named("notify"),
            ca: self.read_named("ca"),
            tls: self.read_value("tls"),
            certificate: self.read_named("certificate"),
            proxy: self.read_value("proxy"),
            site: self.read_named("site"),
            upstream: self.read_named("upstream"),
            service: self.read_named("service"),
            source: Source::default(),
        }
    }

    /// Reads the value of a key at the top of the file.
    fn read_value<T: Deserialize<'t>>(&mut self, key: &str) -> Option<T> {
        let value = self.root.get(key)?;
        self.read_at(&[key], value)
    }

    /// Reads a section of named tables, each separately, so that all errors are reported.
    fn read_named<T: Deserialize<'t>>(&mut self, section: &str) -> Named<T> {
        let mut all = Named::new();
        let Some(value) = self.root.get(section) else { return all };
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("`{section}` must be a table");
            let remedy = format!("write [{section}.NAME]");
            self.problems.push(Problem::new(value.span(), message).remedy_is(remedy));
            return all;
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = Name::new(key.get_ref().as_ref()).map_err(|error| {
                let problem = Problem::new(key.span(), error.to_string());
                self.problems.push(problem.remedy_is(error.remedy().unwrap_or_default()));
            });
            let thing = self.read_at(&[section, key.get_ref()], value);
            if let (Ok(name), Some(thing)) = (name, thing) {
                all.insert(name, thing);
            }
        }
        all
    }

    fn read_at<T: Deserialize<'t>>(&mut self, path: &[&str], value: &'t Value<'t>) -> Option<T> {
        match T::deserialize(ValueReader(value)) {
            Ok(read) => Some(read),
            Err(error) => {
                let span = error.span.clone().unwrap_or_else(|| value.span());
                let below = error.path.iter().rev().map(String::as_str);
                let path: Vec<_> = path.iter().copied().chain(below).collect();
                self.problems.push(explain(&error, &path, span));
                None
            }
        }
    }

    /// The place of the value at `path`; numbers are indexes into lists. For a missing value: the
    /// place of its last existing parent.
    pub(super) fn place(&self, path: &[&str]) -> std::ops::Range<usize> {
        place(self.root, path)
    }

    /// Adds `error`, which is about the part of the file that it is [at](Error::place).
    pub(super) fn add(&mut self, error: &Error) {
        let field = error.place().map_or("", Origin::as_str);
        let place = self.place(&super::source::parts_of(field, self.root));
        let mut problem = Problem::new(place, error.to_string());
        problem.remedy = error.remedy().map(Into::into);
        self.problems.push(problem);
    }

    /// Adds what is wrong with `section`.
    pub(super) fn add_faults(&mut self, section: &Section) {
        for fault in section.faults() {
            let path: Vec<_> = fault.path.iter().map(String::as_str).collect();
            let mut problem = Problem::new(self.place(&path), &fault.message);
            problem.remedy.clone_from(&fault.remedy);
            self.problems.push(problem);
        }
    }

    /// Secrets in parts of the file that this version does not know are refused as well.
    fn refuse_plain_secrets(&mut self) {
        let mut found = Vec::new();
        walk(self.root, &mut Vec::new(), &mut |path, key, value| {
            if promised::holds_a_secret(path, key) && value.get_ref().is_str() {
                found.push(plain_secret(path, key, value.span()));
            }
        });
        self.problems.append(&mut found);
    }
}

/// See [`Reader::place`].
pub(super) fn place(root: &DeTable<'_>, path: &[&str]) -> std::ops::Range<usize> {
    let Some((first, rest)) = path.split_first() else { return 0..0 };
    let Some((key, mut value)) = root.get_key_value(*first) else { return 0..0 };
    let mut key = key.span();
    for part in rest {
        match below(value, part) {
            Some((k, v)) => (key, value) = (k, v),
            None => break,
        }
    }
    // A table is shown by its key, otherwise all of it would be shown.
    if value.get_ref().is_table() { key } else { value.span() }
}

/// Whether there is something at `path`.
pub(super) fn is_there(root: &DeTable<'_>, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    let first = root.get_key_value(*first).map(|(_, value)| value);
    rest.iter().fold(first, |value, part| below(value?, part).map(|(_, v)| v)).is_some()
}

/// The key and the value of `part` in a table or a list.
fn below<'v, 't>(
    value: &'v Value<'t>,
    part: &str,
) -> Option<(std::ops::Range<usize>, &'v Value<'t>)> {
    match value.get_ref() {
        DeValue::Table(table) => table.get_key_value(part).map(|(k, v)| (k.span(), v)),
        DeValue::Array(list) => part
            .parse()
            .ok()
            .and_then(|i: usize| list.get(i))
            .map(|item: &Spanned<DeValue<'_>>| (item.span(), item)),
        _ => None,
    }
}

fn walk<'t>(
    table: &'t DeTable<'t>,
    path: &mut Vec<&'t str>,
    visit: &mut dyn FnMut(&[&str], &str, &Value<'t>),
) {
    for (key, value) in table {
        visit(path, key.get_ref(), value);
        if let DeValue::Table(below) = value.get_ref() {
            path.push(key.get_ref());
            walk(below, path, visit);
            path.pop();
        }
    }
}

fn plain_secret(path: &[&str], key: &str, span: std::ops::Range<usize>) -> Problem {
    let (message, remedy) = SecretRef::ADVICE.split_once("; ").unwrap_or((SecretRef::ADVICE, ""));
    Problem::new(span, format!("`{key}` in {}: {message}", section(path)))
        .remedy_is(remedy)
        .hide_line()
}

/// A [`ReadError`] as a message. `path` leads to the value that it is about.
fn explain(error: &ReadError, path: &[&str], span: std::ops::Range<usize>) -> Problem {
    let (key, table) = path.split_last().unwrap_or((&"", &[]));
    match &error.reason {
        Reason::UnknownKey { key, known } => unknown_key(path, key, known, span),
        Reason::UnknownWord { word, .. } if promised::comes_later(path, word) => {
            let message = format!("{key} {word:?} is not part of this version yet");
            Problem::new(span, message).remedy_is("remove it, or use a version that supports it")
        }
        Reason::UnknownWord { word, known } => {
            let message = format!("unknown {key} {word:?} in {}", section(table));
            with_suggestion(Problem::new(span, message), word, known)
        }
        Reason::MissingKey { key } => {
            Problem::new(span, format!("{} has no `{key}`", section(path)))
                .remedy_is(format!("add {key} = …"))
        }
        Reason::WrongType { found, expected } if table.is_empty() => {
            Problem::new(span, format!("`{key}` must be {expected}, not {found}"))
        }
        Reason::WrongType { found, expected } => {
            let message = format!("`{key}` in {} must be {expected}, not {found}", section(table));
            Problem::new(span, message)
        }
        Reason::Other(message) if message == SecretRef::ADVICE => plain_secret(table, key, span),
        Reason::Other(message) if table.is_empty() => {
            Problem::new(span, format!("`{key}`: {message}"))
        }
        Reason::Other(message) => {
            Problem::new(span, format!("`{key}` in {}: {message}", section(table)))
        }
    }
}

fn unknown_key(
    table: &[&str],
    key: &str,
    known: &[&'static str],
    span: std::ops::Range<usize>,
) -> Problem {
    if promised::comes_later(table, key) {
        return Problem::new(span, format!("`{key}` is not part of this version yet"))
            .remedy_is("remove it, or use a version that supports it");
    }
    let message = if table.is_empty() {
        format!("unknown key {key:?}")
    } else {
        format!("unknown key {key:?} in {}", section(table))
    };
    with_suggestion(Problem::new(span, message), key, known)
}

fn with_suggestion(problem: Problem, given: &str, known: &[&'static str]) -> Problem {
    match problem::suggestion(given, known.iter().copied()) {
        Some(suggestion) => problem.remedy_is(suggestion),
        None => problem,
    }
}

/// `[backup.nightly]`.
pub(super) fn section(path: &[&str]) -> String {
    Section::new(path.iter().copied()).to_string()
}
