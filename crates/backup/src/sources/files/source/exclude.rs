//! Exclusions: patterns as in a `.gitignore`.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use seaworthy_core::{Error, ErrorKind, Result};

/// Compiled patterns.
#[derive(Clone, Debug)]
pub(super) struct Excludes(Gitignore);

impl Excludes {
    pub(super) fn none() -> Self {
        Self(Gitignore::empty())
    }

    pub(super) fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut builder = GitignoreBuilder::new("");
        let wrong = |pattern: &str, source: ignore::Error| {
            let message = format!("{pattern:?} is not a valid pattern of files to exclude");
            Error::new(ErrorKind::InvalidInput, "files.exclude", message)
                .caused_by(source)
                .remedy_is("write it as in a .gitignore, such as \"*.tmp\" or \"cache/\"")
        };
        for pattern in patterns {
            let pattern = pattern.as_ref();
            builder.add_line(None, pattern).map_err(|e| wrong(pattern, e))?;
        }
        builder.build().map(Self).map_err(|e| wrong("", e))
    }

    /// Whether `path`, relative to the configured one, is excluded. Its parent folders were checked
    /// before.
    pub(super) fn matches(&self, path: &Path, is_folder: bool) -> bool {
        !self.0.is_empty() && self.0.matched(path, is_folder).is_ignore()
    }

    /// Whether `path` or a folder above it is excluded.
    pub(super) fn covers(&self, path: &Path, is_folder: bool) -> bool {
        let mut prefix = std::path::PathBuf::new();
        let mut names = path.components().peekable();
        while let Some(name) = names.next() {
            prefix.push(name);
            if self.matches(&prefix, is_folder || names.peek().is_some()) {
                return true;
            }
        }
        false
    }
}
