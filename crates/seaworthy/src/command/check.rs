//! `config check`: is the file right?

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Config, Reply};

/// What `config check` found: that the file is right, and what it describes.
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
    /// What is right and may come as a surprise all the same.
    pub notes: Vec<String>,
}

impl ConfigCheckResult {
    /// What is said of `config`, which was read from `file`.
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
