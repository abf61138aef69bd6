//! `config check`: is the file right?

use std::path::{Path, PathBuf};

use seaworthy_backup::config::SinkConfig;
use seaworthy_core::{ByteSize, Name};
use serde::Serialize;

use crate::{Config, Reply, bucket};

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
        let notes = config.sink.iter().filter_map(|(name, sink)| largest_object(name, sink));
        let notes = notes.collect();
        Self { file: file.to_owned(), jobs, sinks, sites: config.site.len(), notes }
    }
}

/// How large an object can be in a bucket whose parts are all of one size: a backup that outgrows
/// it fails when all of it is nearly sent.
fn largest_object(name: &Name, sink: &SinkConfig) -> Option<String> {
    let options = bucket::without_secrets(sink).filter(|options| !options.parts_grow())?;
    let largest = ByteSize::new(options.largest_object());
    Some(format!(
        "[sink.{name}] uploads in equal parts, at most 10,000: the largest object is {largest}, and \
         each source becomes one object; a larger `part_size` raises it, for two parts more memory"
    ))
}

/// Checks the file at `path`.
pub fn check_file(path: &Path) -> Reply<ConfigCheckResult> {
    Config::load(path).map(|config| ConfigCheckResult::new(path, &config)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(more: &str) -> Vec<String> {
        let text = format!("[sink.x]\ntype = \"s3\"\nbucket = \"b\"\n{more}\n");
        let path = Path::new("/etc/seaworthy.toml");
        ConfigCheckResult::new(path, &Config::from_text(&text, path).unwrap()).notes
    }

    #[test]
    fn how_large_an_object_can_be_is_said_where_its_parts_do_not_grow() {
        assert!(notes("").is_empty());
        assert!(notes("part_size = \"64MiB\"")[0].contains("625 GiB"));
        let r2 = notes("endpoint = \"https://a.r2.cloudflarestorage.com\"");
        assert!(r2[0].contains("312 GiB"), "{r2:?}");
    }
}
