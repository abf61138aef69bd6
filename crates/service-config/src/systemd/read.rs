//! Parses unit files that we wrote, to see what changed.

use std::collections::BTreeMap;

/// The settings of a unit file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadUnit {
    /// Each setting's values, in order, by its section and key, such as `("Unit", "Wants")`.
    pub settings: BTreeMap<(String, String), Vec<String>>,
}

impl ReadUnit {
    /// The values of a setting.
    pub fn get(&self, section: &str, key: &str) -> &[String] {
        let values = self.settings.get(&(section.to_owned(), key.to_owned()));
        values.map_or(&[], Vec::as_slice)
    }

    /// Whether it is enabled by links.
    pub fn installs(&self) -> bool {
        self.settings.keys().any(|(section, _)| section == "Install")
    }
}

/// Parses a unit file of ours: one setting per line, without continuation lines.
pub fn read_unit(text: &str) -> ReadUnit {
    let mut read = ReadUnit::default();
    let mut section = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let values = read.settings.entry((section.clone(), key.to_owned())).or_default();
            values.push(value.to_owned());
        }
    }
    read
}
