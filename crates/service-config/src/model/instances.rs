//! How many processes a service has.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The most instances of one service.
const MOST: u16 = 256;

/// `"max"`, or a number from 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instances {
    /// This many.
    Number(u16),
    /// One for each processor of the machine.
    Max,
}

impl Instances {
    /// The number on a machine with `processors`.
    pub fn on(self, processors: u16) -> u16 {
        match self {
            Self::Number(number) => number,
            Self::Max => processors.clamp(1, MOST),
        }
    }
}

impl Serialize for Instances {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u16(*number),
            Self::Max => serializer.serialize_str("max"),
        }
    }
}

impl<'de> Deserialize<'de> for Instances {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Instances;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"max\" or a number from 1 to 256")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Instances, E> {
                match text {
                    "max" => Ok(Instances::Max),
                    _ => Err(E::custom("instances must be \"max\" or a number from 1 to 256")),
                }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Instances, E> {
                match u16::try_from(number) {
                    Ok(number @ 1..=MOST) => Ok(Instances::Number(number)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Instances, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Instances {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Instances".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [
            { "const": "max" },
            { "type": "integer", "minimum": 1, "maximum": 256 },
        ] })
    }
}
