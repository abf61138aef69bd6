//! Options that are off with `false`, on with `true` if there are defaults, or given in full.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};

/// `false`, or the options; `true` means the default ones, if there are any.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Switch<T> {
    /// Written as `false`.
    Off,
    /// With these options.
    On(T),
}

/// What `true` stands for.
pub trait Switched: Sized {
    /// The options of `true`; `None` if they must be given in full.
    fn on() -> Option<Self>;
}

impl<T> Switch<T> {
    /// The options, unless off.
    pub fn options(&self) -> Option<&T> {
        match self {
            Self::Off => None,
            Self::On(options) => Some(options),
        }
    }
}

impl<'de, T: Deserialize<'de> + Switched> Deserialize<'de> for Switch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Switched> de::Visitor<'de> for Visitor<T> {
            type Value = Switch<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(if T::on().is_some() {
                    "true, false or options"
                } else {
                    "false or options"
                })
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Switch<T>, E> {
                match (on, T::on()) {
                    (false, _) => Ok(Switch::Off),
                    (true, Some(options)) => Ok(Switch::On(options)),
                    (true, None) => Err(E::invalid_value(de::Unexpected::Bool(true), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Switch<T>, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(Switch::On)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Switch<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Switch::On)
            }
        }

        deserializer.deserialize_any(Visitor(PhantomData))
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Switch<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Switch_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "boolean" }, generator.subschema_for::<T>()] })
    }
}
