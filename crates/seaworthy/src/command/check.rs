//! `config check`: is the file valid?

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Config, Reply};

/// The result of `config check`: the file is valid, and what it contains.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ConfigCheckResult {
    /// The file.
    pub file: PathBuf,
    /// How many jobs it has.
    pub jobs: usize,
    /// How many sinks it has.
    pub sinks: usize,
    /// How many sites it has.
    pub sites: usize,
    /// Notes on settings that are valid but may be surprising.
    pub notes: Vec<String>,
}

impl ConfigCheckResult {
    /// The summary of `config`, which was read from `file`.
    pub fn new(file: &Path, config: &Config) -> Self {
        let (jobs, sinks) = (config.backup.len(), config.sink.len());
        let notes = config.sections().flat_map(|section| section.notes().to_vec()).collect();
        Self { file: file.to_owned(), jobs, sinks, sites: config.site.len(), notes }
    }
}

/// Checks the file at `path`.
pub fn check_file(path: &Path) -> Reply<ConfigCheckResult> {
    Config::load(path).map(|config| ConfigCheckResult::new(path, &config)).into()
}
