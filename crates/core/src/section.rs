//! A section of the file while it is checked, and what is wrong with it.

use std::fmt;

use crate::Error;

/// Something in the file that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where: keys and numbers of list items, from the top of the file.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// A section of the file while it is checked: what is wrong with it, and what is right but may come
/// as a surprise. It is written as in the file.
///
/// ```
/// use seaworthy_core::Section;
/// let mut section = Section::new(["sink", "offsite"]);
/// let message = format!("`bucket` in {section} is empty");
/// section.fault(&["bucket"], message, "write the bucket's name");
/// let fault = section.faults()[0].clone();
/// assert_eq!(fault.message, "`bucket` in [sink.offsite] is empty");
/// assert_eq!(fault.path, ["sink", "offsite", "bucket"]);
/// ```
#[derive(Clone, Debug)]
pub struct Section {
    path: Vec<String>,
    faults: Vec<Fault>,
    notes: Vec<String>,
}

impl Section {
    /// The section at `path`.
    pub fn new<T: Into<String>>(path: impl IntoIterator<Item = T>) -> Self {
        let path = path.into_iter().map(Into::into).collect();
        Self { path, faults: Vec::new(), notes: Vec::new() }
    }

    /// Something is wrong with what stands at `below` in it.
    pub fn fault(&mut self, below: &[&str], message: impl Into<String>, remedy: impl Into<String>) {
        self.add(below, message.into(), Some(remedy.into()));
    }

    /// `error` says what is wrong with what stands at `below` in it.
    pub fn error(&mut self, below: &[&str], error: &Error) {
        self.add(below, error.to_string(), error.remedy().map(str::to_owned));
    }

    /// A note on a setting that is valid but may be surprising.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// What it is called: the last part of its path.
    pub fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// How the section at `below` in it is written.
    pub fn below(&self, below: &[&str]) -> String {
        let whole = self.path.iter().cloned().chain(below.iter().map(|key| (*key).to_owned()));
        Self::new(whole).to_string()
    }

    /// What is wrong with it.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Notes on settings that are valid but may be surprising.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn add(&mut self, below: &[&str], message: String, remedy: Option<String>) {
        let below = below.iter().map(|key| (*key).to_owned());
        let path = self.path.iter().cloned().chain(below).collect();
        self.faults.push(Fault { path, message, remedy });
    }
}

/// `[backup.nightly]`.
impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare = |key: &str| {
            !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
        };
        f.write_str("[")?;
        for (i, key) in self.path.iter().enumerate() {
            let dot = if i > 0 { "." } else { "" };
            if is_bare(key) { write!(f, "{dot}{key}")? } else { write!(f, "{dot}{key:?}")? }
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_written_as_in_the_file() {
        let section = Section::new(["sink", "a.b"]);
        assert_eq!(section.to_string(), "[sink.\"a.b\"]");
        assert_eq!(section.below(&["prune"]), "[sink.\"a.b\".prune]");
    }
}
