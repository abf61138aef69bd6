//! Helpers for types that are written as strings in the file.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserializer, de};

use crate::Error;

/// Reads a type that is written as a string, through its [`FromStr`].
#[doc(hidden)]
pub fn deserialize_from_str<'de, T, D>(
    deserializer: D,
    expected: &'static str,
) -> Result<T, D::Error>
where
    T: FromStr<Err = Error>,
    D: Deserializer<'de>,
{
    struct Visitor<T>(&'static str, PhantomData<T>);

    impl<T: FromStr<Err = Error>> de::Visitor<'_> for Visitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|error: Error| E::custom(error.in_one_line()))
        }
    }

    deserializer.deserialize_str(Visitor(expected, PhantomData))
}

/// Implements [`schemars::JsonSchema`] for a type that is written as a string.
#[cfg(feature = "schema")]
macro_rules! string_schema {
    ($type:ty, $name:literal, $description:expr $(, $pattern:expr)?) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": $description,
                    $("pattern": $pattern,)?
                })
            }
        }
    };
}
#[cfg(feature = "schema")]
pub(crate) use string_schema;
