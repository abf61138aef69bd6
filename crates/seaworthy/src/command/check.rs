//! `config check`: is the file right?

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Config, Reply};

/// What `config check` found: that the file is right, and what it describes.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// The file.
    pub file: PathBuf,
    /// How many jobs it has.
    pub jobs: usize,
    /// How many sinks it has.
    pub sinks: usize,
}

impl CheckResult {
    /// What is said of `config`, which was read from `file`.
    pub fn new(file: &Path, config: &Config) -> Self {
        Self { file: file.to_owned(), jobs: config.backup.len(), sinks: config.sink.len() }
    }
}

/// Checks the file at `path`.
pub fn check_file(path: &Path) -> Reply<CheckResult> {
    Config::load(path).map(|config| CheckResult::new(path, &config)).into()
}
