//! The line of each part of the file, for errors that are found later.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use seaworthy_core::{Error, ErrorKind};
use toml::de::DeTable;

use super::{
    Config, load,
    problem::{self, Problem},
};

/// The text that a configuration was read from.
#[derive(Clone, Default)]
pub(super) struct Source {
    path: PathBuf,
    text: Arc<str>,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.into() }
    }
}

/// Without the text, which does not belong in a log.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// Two configurations are equal if their content is equal, wherever they were read.
impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Config {
    /// `error` with the line of the file that it is about, if its fact `field` names a part of the
    /// file such as `site.api.routes[0].path`. A configuration error is shown with that line; any
    /// other one keeps its message, and gets the place as facts.
    pub fn locate(&self, error: Error) -> Error {
        let Some(field) = error.place().cloned() else { return error };
        let Ok(root) = DeTable::parse(&self.source.text) else { return error };
        let parts = parts_of(field.as_str(), root.get_ref());
        let span = load::place(root.get_ref(), &parts);
        if error.kind() != ErrorKind::Config {
            let (line, column) = problem::line_and_column(&self.source.text, span.start);
            return error
                .with("file", self.source.path.display())
                .with("line", line)
                .with("column", column);
        }
        // The messages of the causes are included, since the new error has none.
        let mut found = Problem::new(span, error.chain());
        found.remedy = error.remedy().map(Into::into);
        let located = problem::into_error(&self.source.path, &self.source.text, vec![found]);
        located.with_facts_of(&error)
    }
}

/// `site.api.routes[0].path` as its parts. Names may contain dots: the longest existing key counts.
pub(super) fn parts_of<'f>(field: &'f str, root: &DeTable<'_>) -> Vec<&'f str> {
    let mut parts = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        if let Some((index, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            parts.push(index);
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        let ends = rest.match_indices(['.', '[']).map(|(end, _)| end).chain([rest.len()]);
        let ends: Vec<_> = ends.filter(|end| *end > 0).collect();
        let there = |end: &&usize| {
            let longer: Vec<_> = parts.iter().copied().chain([&rest[..**end]]).collect();
            load::is_there(root, &longer)
        };
        let end = ends.iter().rev().find(there).or(ends.first()).copied().unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = &rest[end..];
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dots_are_found() {
        let text = "[site.\"a.b\"]\nroutes = [{ path = \"/\" }]\nx = { y = 1 }\n";
        let root = DeTable::parse(text).unwrap();
        for (field, parts) in [
            ("site.a.b.routes[0].path", &["site", "a.b", "routes", "0", "path"][..]),
            ("site.a.b.x.y", &["site", "a.b", "x", "y"]),
            ("site.a.b.missing[3]", &["site", "a.b", "missing", "3"]),
            ("proxy.real_ip.from", &["proxy", "real_ip", "from"]),
        ] {
            assert_eq!(parts_of(field, root.get_ref()), parts, "{field}");
        }
    }
}
