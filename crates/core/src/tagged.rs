//! Tables whose key `type` says which of several kinds they are.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Something that is written as a table with a `type`. Implemented by
/// [`tagged!`](crate::tagged).
#[doc(hidden)]
pub trait Tagged<'de>: Sized {
    const EXPECTING: &'static str;
    const TYPES: &'static [&'static str];

    /// Reads the other keys of the table; `None` for an unknown type.
    fn read<D: Deserializer<'de>>(kind: &str, rest: D) -> Option<Result<Self, D::Error>>;
}

/// Implements `Deserialize` for an enum of structs that is written as a table with a `type`.
///
/// Serde's own `#[serde(tag = "type")]` gathers the table first, which loses where in the file
/// each value stood. This reads straight on where `type` comes first, as the loader of
/// `seaworthy.toml` sees to.
#[macro_export]
macro_rules! tagged {
    ($enum:ident, $expecting:literal, { $($tag:literal => $variant:ident($struct:ty)),+ $(,)? }) => {
        impl<'de> $crate::__private::Tagged<'de> for $enum {
            const EXPECTING: &'static str = $expecting;
            const TYPES: &'static [&'static str] = &[$($tag),+];

            fn read<D: $crate::__private::Deserializer<'de>>(
                kind: &str,
                rest: D,
            ) -> Option<std::result::Result<Self, D::Error>> {
                use $crate::__private::Deserialize;
                match kind {
                    $($tag => Some(<$struct>::deserialize(rest).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }

        impl<'de> $crate::__private::Deserialize<'de> for $enum {
            fn deserialize<D: $crate::__private::Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                $crate::__private::deserialize_tagged(deserializer)
            }
        }
    };
}

#[doc(hidden)]
pub fn deserialize_tagged<'de, T: Tagged<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(Table(PhantomData))
}

struct Table<T>(PhantomData<T>);

impl<'de, T: Tagged<'de>> Visitor<'de> for Table<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTING)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut before = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key != "type" {
                before.insert(key, map.next_value()?);
                continue;
            }
            let kind = map.next_value_seed(Kind(T::TYPES))?;
            let read = if before.is_empty() {
                T::read(&kind, MapAccessDeserializer::new(map))
            } else {
                while let Some((key, value)) = map.next_entry()? {
                    before.insert(key, value);
                }
                T::read(&kind, serde_json::Value::Object(before))
                    .map(|read| read.map_err(A::Error::custom))
            };
            return read.unwrap_or_else(|| Err(A::Error::unknown_variant(&kind, T::TYPES)));
        }
        Err(A::Error::missing_field("type"))
    }
}

/// Reads the value of `type`, so that an unknown one is blamed on its own place.
struct Kind(&'static [&'static str]);

impl<'de> serde::de::DeserializeSeed<'de> for Kind {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let kind = String::deserialize(deserializer)?;
        if self.0.contains(&kind.as_str()) {
            Ok(kind)
        } else {
            Err(D::Error::unknown_variant(&kind, self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Square {
        side: u8,
    }

    #[derive(Debug, PartialEq)]
    enum Shape {
        Square(Square),
    }

    crate::tagged!(Shape, "a shape", { "square" => Square(Square) });

    #[test]
    fn reads_the_type_wherever_it_stands() {
        for text in [r#"{"type":"square","side":2}"#, r#"{"side":2,"type":"square"}"#] {
            let shape: Shape = serde_json::from_str(text).unwrap();
            assert_eq!(shape, Shape::Square(Square { side: 2 }));
        }
    }

    #[test]
    fn refuses_unknown_types_and_keys_and_tables_without_a_type() {
        for (text, why) in [
            (r#"{"type":"circle"}"#, "unknown variant `circle`"),
            (r#"{"type":"square","side":2,"x":1}"#, "unknown field `x`"),
            (r#"{"x":1,"type":"square","side":2}"#, "unknown field `x`"),
            (r#"{"side":2}"#, "missing field `type`"),
            ("3", "expected a shape"),
        ] {
            let error = serde_json::from_str::<Shape>(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
