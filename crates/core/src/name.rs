//! Names of jobs, sources and other things that end up in paths.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, ErrorKind, Result};

/// The name of a job, a source or a sink: `[A-Za-z0-9][A-Za-z0-9._-]*`, at most 100 characters.
/// Safe as one component of a path.
///
/// ```
/// use seaworthy_core::Name;
/// assert!("nightly".parse::<Name>().is_ok());
/// assert!("../etc".parse::<Name>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 100;

    /// Reads a name.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let bytes = text.as_bytes();
        let whole = bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.len() <= Self::MAX_LEN
            && bytes.iter().all(|c| inner(*c));
        if whole {
            Ok(Self(text))
        } else {
            Err(Error::new(ErrorKind::InvalidInput, "name", format!("{text:?} is not a name"))
                .remedy_is(
                    "begin with a letter or digit and use only letters, digits, '.', '_' and \
                     '-', at most 100 characters",
                ))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        crate::text::deserialize_from_str(deserializer, "a name")
    }
}

#[cfg(feature = "schema")]
crate::text::string_schema!(
    Name,
    "Name",
    "Letters, digits, '.', '_' and '-', beginning with a letter or digit",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_could_leave_a_folder() {
        let long = "a".repeat(101);
        for bad in ["", ".", "..", ".x", "-x", "a/b", "a b", "ä", "a\n", "a\0", &long] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "0", "a.b", "Nightly-2_x"] {
            assert!(Name::new(good).is_ok(), "{good:?}");
        }
    }
}
