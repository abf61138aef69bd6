//! A serde deserializer over parsed TOML that keeps the place of every value.

use std::ops::Range;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor, value::StrDeserializer,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(super) type Value<'de> = Spanned<DeValue<'de>>;

/// Why a part of the file cannot be read, and its place.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) reason: Reason,
    /// The place, in bytes; `None` until the reader adds it.
    pub(super) span: Option<Range<usize>>,
    /// The keys that lead to the place, innermost first.
    pub(super) path: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Reason {
    UnknownKey { key: String, known: &'static [&'static str] },
    UnknownWord { word: String, known: &'static [&'static str] },
    MissingKey { key: &'static str },
    WrongType { found: String, expected: String },
    Other(String),
}

impl ReadError {
    fn new(reason: Reason) -> Self {
        Self { reason, span: None, path: Vec::new() }
    }

    fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    fn below(mut self, key: impl Into<String>) -> Self {
        self.path.push(key.into());
        self
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.reason)
    }
}

impl std::error::Error for ReadError {}

impl serde::de::Error for ReadError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(Reason::Other(message.to_string()))
    }

    /// The value itself is left out: it may be a secret.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Reason::WrongType { found: kind_of(found), expected: in_words(expected) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Signed(number) => number.to_string(),
            Unexpected::Unsigned(number) => number.to_string(),
            found => kind_of(found),
        };
        Self::new(Reason::WrongType { found, expected: in_words(expected) })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Reason::UnknownKey { key: key.to_owned(), known })
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(Reason::UnknownWord { word: word.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Reason::MissingKey { key })
    }
}

fn kind_of(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "something else",
    }
    .to_owned()
}

fn in_words(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "path string" => "a path".to_owned(),
        other => other.to_owned(),
    }
}

/// Reads one value.
pub(super) struct ValueReader<'de>(pub(super) &'de Value<'de>);

impl<'de> ValueReader<'de> {
    fn visit<V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            DeValue::Boolean(boolean) => visitor.visit_bool(*boolean),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => Err(ReadError::new(Reason::Other("the number is too large".into()))),
                }
            }
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(ReadError::new(Reason::Other("the number cannot be read".into()))),
            },
            DeValue::Datetime(_) => {
                Err(serde::de::Error::invalid_type(Unexpected::Other("a date"), &visitor))
            }
            DeValue::Array(list) => visitor.visit_seq(ListReader { list, next: 0 }),
            DeValue::Table(table) => visitor.visit_map(TableReader::new(table)),
        }
    }
}

impl<'de> Deserializer<'de> for ValueReader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.visit(visitor).map_err(|error| error.at(self.0.span()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let span = self.0.span();
        match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_enum(StrDeserializer::<ReadError>::new(text)),
            DeValue::Table(table) => match in_order(table).as_slice() {
                [(key, value)] => visitor.visit_enum(VariantReader { key, value }),
                _ => Err(serde::de::Error::custom("write exactly one key here")),
            },
            _ => return self.deserialize_any(visitor),
        }
        .map_err(|error| error.at(span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The entries of a table in the order of the file, but with `type` (of
/// [`seaworthy_core::tagged!`]) first.
fn in_order<'de>(
    table: &'de DeTable<'de>,
) -> Vec<(&'de Spanned<std::borrow::Cow<'de, str>>, &'de Value<'de>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, value)| {
        let is_type = key.get_ref() == "type" && value.get_ref().is_str();
        (!is_type, key.span().start)
    });
    entries
}

pub(super) struct TableReader<'de> {
    entries: std::vec::IntoIter<(&'de Spanned<std::borrow::Cow<'de, str>>, &'de Value<'de>)>,
    value: Option<(&'de str, &'de Value<'de>)>,
}

impl<'de> TableReader<'de> {
    fn new(table: &'de DeTable<'de>) -> Self {
        Self { entries: in_order(table).into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for TableReader<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some((key.get_ref(), value));
        let read = seed.deserialize(StrDeserializer::<ReadError>::new(key.get_ref()));
        read.map(Some).map_err(|error| error.at(key.span()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        match self.value.take() {
            Some((key, value)) => {
                let read = seed.deserialize(ValueReader(value));
                read.map_err(|error| error.at(value.span()).below(key))
            }
            None => Err(serde::de::Error::custom("a value was requested before its key")),
        }
    }
}

struct ListReader<'de> {
    list: &'de toml::de::DeArray<'de>,
    next: usize,
}

impl<'de> SeqAccess<'de> for ListReader<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some(value) = self.list.get(self.next) else { return Ok(None) };
        self.next += 1;
        let read = seed.deserialize(ValueReader(value));
        read.map(Some).map_err(|error| error.at(value.span()))
    }
}

/// `{ file = "x" }` as the variant `file` of an enum.
struct VariantReader<'de> {
    key: &'de Spanned<std::borrow::Cow<'de, str>>,
    value: &'de Value<'de>,
}

impl<'de> EnumAccess<'de> for VariantReader<'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let key = StrDeserializer::<ReadError>::new(self.key.get_ref());
        let variant = seed.deserialize(key).map_err(|error| error.at(self.key.span()))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for VariantReader<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Err(serde::de::Error::custom("write it as a string"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(ValueReader(self.value))
            .map_err(|error| error.below(&**self.key.get_ref()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        ValueReader(self.value).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        ValueReader(self.value).deserialize_any(visitor)
    }
}
