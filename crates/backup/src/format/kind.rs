//! What a payload is.

use std::borrow::Cow;

use seaworthy_core::{Name, Result};

/// The kind of a payload, which decides how it is restored: the middle of its object's name
/// (`uploads.tar.zst`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PayloadKind(Cow<'static, str>);

impl PayloadKind {
    /// A PAX tar archive.
    pub const TAR: Self = Self(Cow::Borrowed("tar"));
    /// Plain SQL, as `psql` reads it.
    pub const SQL: Self = Self(Cow::Borrowed("sql"));
    /// An SQLite database.
    pub const SQLITE: Self = Self(Cow::Borrowed("sqlite"));

    /// A custom kind. It must be a [`Name`](seaworthy_core::Name).
    pub fn new(name: &str) -> Result<Self> {
        Ok(Self(Name::new(name)?.to_string().into()))
    }

    /// The kind as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
