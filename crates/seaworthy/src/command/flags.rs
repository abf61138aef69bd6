//! How values are written on a command line.

use std::fmt;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IntoDeserializer, Visitor, value::Error},
    forward_to_deserialize_any,
};

/// One word of those that the enum `T` has in JSON.
pub(super) fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>()
-> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words::<T>())
        .try_map(|word| T::deserialize(IntoDeserializer::<Error>::into_deserializer(word.as_str())))
}

/// `10%` as a fraction of 1.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    match number {
        Some(number) if number > 0.0 && number <= 100.0 => Ok(number / 100.0),
        _ => Err("write more than 0% and at most 100%, such as 10%".into()),
    }
}

/// The words of the enum `T`.
fn words<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut words: &'static [&'static str] = &[];
    // It answers with an error: a value is not wanted.
    let _ = T::deserialize(Words(&mut words));
    words
}

/// Keeps the words that an enum can be, and gives none of them.
struct Words<'w>(&'w mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Words<'_> {
    type Error = Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        Err(serde::de::Error::custom(Unwanted))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom(Unwanted))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Unwanted;

impl fmt::Display for Unwanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only the words are wanted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command::ServiceKind, tls::RevocationReason};

    #[test]
    fn the_words_of_a_flag_are_those_of_json() {
        assert_eq!(words::<ServiceKind>(), ["systemd", "pm2", "cron", "github-actions"]);
        assert!(words::<RevocationReason>().contains(&"key-compromise"));
        assert!(words::<String>().is_empty());
    }

    #[test]
    fn a_percentage_is_a_part_of_the_whole() {
        assert_eq!(percent("10%"), Ok(0.1));
        for wrong in ["10", "0%", "101%", "x%", "NaN%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
