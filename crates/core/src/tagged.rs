//! Tables whose key `type` says which of several kinds they are.

mod common;
#[cfg(feature = "schema")]
mod schema;

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};

pub use common::{CommonKeys, read_with_common};
#[cfg(feature = "schema")]
pub use schema::add_common_keys;

/// Something that is written as a table with a `type`. Implemented by
/// [`tagged!`](crate::tagged).
#[doc(hidden)]
pub trait Tagged<'de>: Sized {
    const EXPECTING: &'static str;
    const TYPES: &'static [&'static str];

    /// The common keys that a table of this type does not have.
    fn without(_kind: &str) -> &'static [&'static str] {
        &[]
    }

    /// Reads the other keys of the table; `None` for an unknown type.
    fn read<D: Deserializer<'de>>(kind: &str, rest: D) -> Option<Result<Self, D::Error>>;
}

/// Declares tables that are written with a `type`: a registry with one line for each kind.
///
/// # The registry
///
/// An enum with a line for each kind: the value of `type`, the variant, and the struct that holds
/// the other keys (or a `Box` of it). The enum gets [`Deserialize`], and `#[serde(tag = "type")]`
/// for a derived [`Serialize`](serde::Serialize) and a derived JSON Schema. The text after its name
/// says what was expected, for the error about anything other than a table.
///
/// `as pub(crate) dyn Kind` names what every kind does: a trait that each of the structs implements.
/// The enum then has `as_kind(&self) -> &dyn Kind` and `as_kind_mut(&mut self) -> &mut dyn Kind`,
/// with the visibility that is written there, so that nobody else has to match on the kinds, and
/// the trait's methods are listed nowhere but in the trait.
///
/// ```
/// use seaworthy_core::tagged;
/// use serde::{Deserialize, Serialize};
///
/// /// What every shape does.
/// trait ShapeKind {
///     fn area(&self) -> u32;
///     fn grow(&mut self);
/// }
///
/// tagged! {
///     /// A shape: `{ type = "square", side = 2 }`.
///     #[derive(Debug, PartialEq, Serialize)]
///     # #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
///     #[non_exhaustive]
///     pub enum ShapeConfig as dyn ShapeKind, "a table such as { type = \"square\", side = 2 }" {
///         /// All sides are the same.
///         "square" => Square(SquareConfig),
///         /// One point.
///         "dot" => Dot(Box<DotConfig>) without (colour),
///     }
/// }
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// # #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
/// #[serde(deny_unknown_fields)]
/// pub struct SquareConfig {
///     pub side: u32,
/// }
///
/// impl ShapeKind for SquareConfig {
///     fn area(&self) -> u32 {
///         self.side * self.side
///     }
///
///     fn grow(&mut self) {
///         self.side += 1;
///     }
/// }
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// # #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
/// #[serde(deny_unknown_fields)]
/// pub struct DotConfig {}
///
/// impl ShapeKind for DotConfig {
///     fn area(&self) -> u32 {
///         0
///     }
///
///     fn grow(&mut self) {}
/// }
///
/// let mut shape: ShapeConfig = serde_json::from_str(r#"{"type": "square", "side": 2}"#)?;
/// shape.as_kind_mut().grow();
/// assert_eq!(shape.as_kind().area(), 9);
/// # {
/// #   // A macro's items are private to this function, and so is the trait.
/// // Keys that every shape has: see below.
/// tagged! {
///     /// A shape, and what every shape has.
///     #[derive(Debug, PartialEq, Serialize)]
///     #[non_exhaustive]
///     pub struct DrawnShape {
///         /// Which shape it is.
///         pub shape: ShapeConfig,
///         /// Its colour. Default: black.
///         pub colour: Option<String>,
///     }
/// }
///
/// let text = r#"{"type":"square","side":2,"colour":"red"}"#;
/// let drawn: DrawnShape = serde_json::from_str(text)?;
/// assert_eq!(drawn.colour.as_deref(), Some("red"));
/// assert_eq!(serde_json::to_string(&drawn)?, text);
/// // A dot is declared `without (colour)`.
/// let error = serde_json::from_str::<DrawnShape>(r#"{"type":"dot","colour":"red"}"#).unwrap_err();
/// assert!(error.to_string().starts_with("unknown field `colour`"));
/// # }
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Common keys
///
/// Keys that every kind has belong to a struct around the registry, as `DrawnShape` above: its
/// first field is the registry, and each of the others is a key of the table, an `Option` that is
/// `None` where the key is missing. In the file they are among the kind's own keys. A kind that
/// does not have some of them lists these in its line: `without (colour)`. A JSON Schema is made if
/// the crate has a feature `schema`; the registry must then derive it, too.
///
/// # Why not serde's own
///
/// `#[serde(tag = "type")]` and `#[serde(flatten)]` buffer the table first, which loses where in
/// the file each value was. This reads without a buffer if `type` comes first, which the loader of
/// `seaworthy.toml` ensures.
#[macro_export]
macro_rules! tagged {
    (
        $(#[$about:meta])*
        $vis:vis enum $enum:ident $(as $as:vis dyn $kind:path)?, $expecting:literal {
            $(
                $(#[$meta:meta])*
                $tag:literal => $variant:ident($struct:ty) $(without ($($without:ident),+))?
            ),+ $(,)?
        }
    ) => {
        $(#[$about])*
        #[serde(tag = "type")]
        $vis enum $enum {
            $(
                $(#[$meta])*
                #[serde(rename = $tag)]
                $variant($struct),
            )+
        }

        impl<'de> $crate::__private::Tagged<'de> for $enum {
            const EXPECTING: &'static str = $expecting;
            const TYPES: &'static [&'static str] = &[$($tag),+];

            fn without(kind: &str) -> &'static [&'static str] {
                match kind {
                    $($tag => &[$($(stringify!($without)),+)?],)+
                    _ => &[],
                }
            }

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

        $crate::__deserialize_tagged!($enum);

        $crate::__as_kind!($enum [$($variant)+] $($as dyn $kind)?);
    };

    (
        $(#[$about:meta])*
        $vis:vis struct $struct:ident {
            $(#[$kind_meta:meta])*
            $kind_vis:vis $kind:ident: $enum:ty,
            $(
                $(#[$meta:meta])*
                $field_vis:vis $field:ident: Option<$type:ty>
            ),+ $(,)?
        }
    ) => {
        $(#[$about])*
        $vis struct $struct {
            $(#[$kind_meta])*
            #[serde(flatten)]
            $kind_vis $kind: $enum,
            $(
                $(#[$meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                $field_vis $field: Option<$type>,
            )+
        }

        impl<'de> $crate::__private::Tagged<'de> for $struct {
            const EXPECTING: &'static str =
                <$enum as $crate::__private::Tagged<'de>>::EXPECTING;
            const TYPES: &'static [&'static str] =
                <$enum as $crate::__private::Tagged<'de>>::TYPES;

            fn read<D: $crate::__private::Deserializer<'de>>(
                kind: &str,
                rest: D,
            ) -> Option<std::result::Result<Self, D::Error>> {
                #[derive(Default)]
                struct Common {
                    $($field: Option<$type>,)+
                }

                impl $crate::__private::CommonKeys for Common {
                    const KEYS: &'static [&'static str] = &[$(stringify!($field)),+];

                    fn read<'de, A: $crate::__private::MapAccess<'de>>(
                        &mut self,
                        key: &'static str,
                        map: &mut A,
                    ) -> std::result::Result<(), A::Error> {
                        use $crate::__private::DeserializeError;
                        match key {
                            $(
                                stringify!($field) if self.$field.is_some() => {
                                    return Err(A::Error::duplicate_field(key));
                                }
                                stringify!($field) => self.$field = map.next_value()?,
                            )+
                            _ => {}
                        }
                        Ok(())
                    }
                }

                let read = $crate::__private::read_with_common::<$enum, Common, D>(kind, rest)?;
                Some(read.map(|($kind, common)| Self {
                    $kind,
                    $($field: common.$field,)+
                }))
            }
        }

        $crate::__deserialize_tagged!($struct);

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $struct {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($struct).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($struct)).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                #[derive(schemars::JsonSchema)]
                #[allow(dead_code, reason = "it stands for its schema")]
                struct Common {
                    $(
                        $(#[$meta])*
                        #[serde(default, skip_serializing_if = "Option::is_none")]
                        $field: Option<$type>,
                    )+
                }

                let kinds = <$enum as schemars::JsonSchema>::json_schema(generator);
                let common = <Common as schemars::JsonSchema>::json_schema(generator);
                $crate::__private::add_common_keys(
                    kinds,
                    &common,
                    <$enum as $crate::__private::Tagged<'_>>::without,
                )
            }
        }
    };

    // The older form, without the registry.
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

        $crate::__deserialize_tagged!($enum);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __deserialize_tagged {
    ($tagged:ident) => {
        impl<'de> $crate::__private::Deserialize<'de> for $tagged {
            fn deserialize<D: $crate::__private::Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                $crate::__private::deserialize_tagged(deserializer)
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __as_kind {
    ($enum:ident [$($variant:ident)+]) => {};

    ($enum:ident [$($variant:ident)+] $as:vis dyn $kind:path) => {
        impl $enum {
            /// The kind as a trait object.
            #[allow(dead_code, reason = "some registries are only ever read, or only changed")]
            $as fn as_kind(&self) -> &(dyn $kind + 'static) {
                // Resolved on the struct itself, also through a box.
                trait AsKind {
                    fn as_kind(&self) -> &(dyn $kind + 'static);
                }
                impl<T: $kind + 'static> AsKind for T {
                    fn as_kind(&self) -> &(dyn $kind + 'static) {
                        self
                    }
                }
                match self {
                    $(Self::$variant(config) => config.as_kind(),)+
                }
            }

            /// The same, to change it.
            #[allow(dead_code, reason = "some registries are only ever read, or only changed")]
            $as fn as_kind_mut(&mut self) -> &mut (dyn $kind + 'static) {
                trait AsKindMut {
                    fn as_kind_mut(&mut self) -> &mut (dyn $kind + 'static);
                }
                impl<T: $kind + 'static> AsKindMut for T {
                    fn as_kind_mut(&mut self) -> &mut (dyn $kind + 'static) {
                        self
                    }
                }
                match self {
                    $(Self::$variant(config) => config.as_kind_mut(),)+
                }
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

/// Reads the value of `type`, so that an error about an unknown one points to it.
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
mod tests;
