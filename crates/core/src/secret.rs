//! Secrets, and where the file says they can be found.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::CommandLine;

/// A secret's bytes. Never printed, never serialised, wiped when dropped.
///
/// ```
/// use seaworthy_core::Secret;
/// let secret = Secret::new("hunter2");
/// assert_eq!(format!("{secret:?}"), "Secret(***)");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps `text` as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself. Hand it only to what needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Where a secret is found: `{ env = "NAME" }`, `{ file = "/run/secrets/x" }` or
/// `{ command = ["pass", "show", "x"] }`. A frontend resolves it; libraries take a [`Secret`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; one trailing newline is not part of the secret.
    File(PathBuf),
    /// The standard output of a command; one trailing newline is not part of the secret.
    Command(CommandLine),
}

impl SecretRef {
    /// The message for a secret that is written in the file itself.
    pub const ADVICE: &'static str = "a secret is never written in the file; name its place: { env = \"NAME\" }, { file = \
        \"/run/secrets/x\" } or { command = [\"pass\", \"show\", \"x\"] }";

    /// Makes the path, if it has one, relative to `base`.
    pub fn resolve(&mut self, base: &Path) {
        if let Self::File(path) = self {
            *path = base.join(&path);
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The same three, by derive: [`SecretRef`] only adds the advice for plain strings.
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Shape {
            Env(String),
            File(PathBuf),
            Command(CommandLine),
        }

        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = SecretRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret's place: { env = … }, { file = … } or { command = […] }")
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretRef, E> {
                Err(E::custom(SecretRef::ADVICE))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<SecretRef, A::Error> {
                let shape = Shape::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(match shape {
                    Shape::Env(name) => SecretRef::Env(name),
                    Shape::File(path) => SecretRef::File(path),
                    Shape::Command(command) => SecretRef::Command(command),
                })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_string_is_refused_without_repeating_it() {
        let error = serde_json::from_str::<SecretRef>("\"hunter2\"").unwrap_err().to_string();
        assert!(error.contains("env"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let good: SecretRef = serde_json::from_str(r#"{"env":"X"}"#).unwrap();
        assert_eq!(good, SecretRef::Env("X".into()));
    }
}
