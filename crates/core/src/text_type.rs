//! Types that are written as one string in the file: each kind refuses what could mean something
//! else in the place where it is used.

/// Implements `Deserialize`, and with the feature `schema` of the calling crate `JsonSchema`, for a
/// type that is written as a string and read through its `FromStr`.
///
/// Its arguments: the type, its name in the schema, and what the string is (for errors).
#[macro_export]
macro_rules! written_as_string {
    ($name:ident, $schema:expr, $what:literal) => {
        impl<'de> $crate::__private::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__private::Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                $crate::__private::deserialize_from_str(deserializer, $what)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $what })
            }
        }
    };
}

/// Defines a type that holds text and is checked when it is made.
///
/// Its arguments: the type's documentation and name, its name in the schema, what the text is, the
/// operation that errors name, and the check: a function from `&str` to `Ok(())` or why not.
///
/// ```
/// fn colour(text: &str) -> Result<(), &'static str> {
///     if ["red", "green"].contains(&text) { Ok(()) } else { Err("use red or green") }
/// }
/// seaworthy_core::text_type!(
///     /// A colour of a lamp.
///     Colour, "Colour", "a colour such as red", "lamp", colour
/// );
/// assert_eq!("red".parse::<Colour>()?.as_str(), "red");
/// let error = Colour::new("blue").unwrap_err();
/// assert_eq!(error.to_string(), "\"blue\" is not a colour such as red: use red or green");
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[macro_export]
macro_rules! text_type {
    (
        $(#[$doc:meta])* $name:ident, $schema:expr, $what:literal, $operation:literal, $check:path
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Reads ", $what, ".")]
            #[allow(rustdoc::bare_urls, reason = "the form is shown as it is typed")]
            pub fn new(text: impl Into<String>) -> $crate::Result<Self> {
                let text = text.into();
                match $check(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(why) => Err($crate::Error::invalid_text($operation, &text, $what, why)),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> $crate::Result<Self> {
                Self::new(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl $crate::__private::Serialize for $name {
            fn serialize<S: $crate::__private::Serializer>(
                &self,
                serializer: S,
            ) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        $crate::written_as_string!($name, $schema, $what);
    };
}
