//! The path of an object in a sink.

use std::{fmt, str::FromStr};

use seaworthy_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize};

/// A path inside a sink: names joined by `/`, each `[A-Za-z0-9][A-Za-z0-9._-]*`. Empty is the
/// sink's root.
///
/// ```
/// use seaworthy_backup::ObjectKey;
/// let folder: ObjectKey = "nightly/20261122T023000Z-a1b2c3".parse()?;
/// let manifest = folder.join("manifest.json")?;
/// assert_eq!(manifest.name(), Some("manifest.json"));
/// assert!(manifest.starts_with(&folder));
/// assert!("nightly/../etc".parse::<ObjectKey>().is_err());
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The sink's root.
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// This key with `name` (one name or several joined by `/`) below it.
    pub fn join(&self, name: &str) -> Result<Self> {
        let below: Self = name.parse()?;
        Ok(match (self.0.is_empty(), below.0.is_empty()) {
            (true, _) => below,
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, below.0)),
        })
    }

    /// The last name; `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.names().next_back()
    }

    /// The names, from the root down.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Whether this key is `prefix` or below it. Whole names count: `ab` is not below `a`.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.strip_prefix(prefix).is_some()
    }

    /// The rest of this key below `prefix`.
    pub fn strip_prefix(&self, prefix: &Self) -> Option<&str> {
        if prefix.0.is_empty() {
            return Some(&self.0);
        }
        let rest = self.0.strip_prefix(&prefix.0)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// The key as text, without a slash at either end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let name = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.len() <= 200
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
        };
        if text.is_empty() || text.split('/').all(name) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::new(
                ErrorKind::InvalidInput,
                "object_key",
                format!("{text:?} is not a valid object key"),
            )
            .remedy_is("use letters, digits, '.', '_', '-', joined by '/'"))
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_whole_names() {
        let a: ObjectKey = "a/b".parse().unwrap();
        assert!(a.starts_with(&"a".parse().unwrap()));
        assert!(a.starts_with(&ObjectKey::root()));
        assert!(!"ab".parse::<ObjectKey>().unwrap().starts_with(&"a".parse().unwrap()));
        assert_eq!(a.strip_prefix(&"a".parse().unwrap()), Some("b"));
    }

    #[test]
    fn refuses_what_could_leave_the_sink() {
        for bad in ["/", "/a", "a/", "a//b", "..", "a/../b", ".a", "a b", "a\\b", "a#1", "ä"] {
            assert!(bad.parse::<ObjectKey>().is_err(), "{bad}");
        }
    }
}
