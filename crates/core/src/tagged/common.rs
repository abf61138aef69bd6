//! Keys that every kind of a table has, read from among the kind's own.

use std::{fmt, sync::Mutex};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor},
    forward_to_deserialize_any,
};

use super::Tagged;

/// The common keys of a table, while it is read. Implemented by [`tagged!`](crate::tagged).
#[doc(hidden)]
pub trait CommonKeys: Default {
    const KEYS: &'static [&'static str];

    /// Takes the value of `key`, one of [`KEYS`](Self::KEYS).
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        key: &'static str,
        map: &mut A,
    ) -> Result<(), A::Error>;
}

/// Reads a table of this type, and the common keys in it; `None` for an unknown type.
#[doc(hidden)]
pub fn read_with_common<'de, T: Tagged<'de>, C: CommonKeys, D: Deserializer<'de>>(
    kind: &str,
    rest: D,
) -> Option<Result<(T, C), D::Error>> {
    let mut common = C::default();
    let table = Table { inner: rest, own: None, without: T::without(kind), common: &mut common };
    let read = T::read(kind, table)?;
    Some(read.map(|kind| (kind, common)))
}

/// A table without its common keys: as a deserializer, as the visitor behind it, and as what that
/// one is shown.
struct Table<'c, T, C> {
    inner: T,
    /// The kind's own keys, if they are known.
    own: Option<&'static [&'static str]>,
    /// The common keys that the kind lacks.
    without: &'static [&'static str],
    common: &'c mut C,
}

impl<'de, D: Deserializer<'de>, C: CommonKeys> Deserializer<'de> for Table<'_, D, C> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { inner, own, without, common } = self;
        inner.deserialize_map(Table { inner: visitor, own, without, common })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.own = Some(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>, C: CommonKeys> Visitor<'de> for Table<'_, V, C> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let Self { inner, own, without, common } = self;
        inner.visit_map(Table { inner: map, own, without, common })
    }
}

impl<'de, A: MapAccess<'de>, C: CommonKeys> MapAccess<'de> for Table<'_, A, C> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        mut seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        loop {
            let key = KeySeed { seed, own: self.own, without: self.without, common: C::KEYS };
            match self.inner.next_key_seed(key)? {
                None => return Ok(None),
                Some(Key::Own(key)) => return Ok(Some(key)),
                Some(Key::Common(key, unused)) => {
                    self.common.read(key, &mut self.inner)?;
                    seed = unused;
                }
            }
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// Reads a key, so that an error about an unknown one points to it and lists the known ones.
struct KeySeed<K> {
    seed: K,
    own: Option<&'static [&'static str]>,
    without: &'static [&'static str],
    common: &'static [&'static str],
}

enum Key<V, K> {
    Own(V),
    /// A common key, and the seed for the next one.
    Common(&'static str, K),
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for KeySeed<K> {
    type Value = Key<K::Value, K>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(deserializer)?;
        let common = || self.common.iter().copied().filter(|key| !self.without.contains(key));
        if let Some(common) = common().find(|common| *common == key) {
            return Ok(Key::Common(common, self.seed));
        }
        if let Some(own) = self.own.filter(|own| !own.contains(&key.as_str())) {
            let all = own.iter().copied().chain(common()).collect();
            return Err(D::Error::unknown_field(&key, kept(all)));
        }
        self.seed.deserialize(key.into_deserializer()).map(Key::Own)
    }
}

/// `list` for good, as serde wants it. Each list, of which there are as many as kinds of tables, is
/// kept once.
fn kept(list: Vec<&'static str>) -> &'static [&'static str] {
    static LISTS: Mutex<Vec<&'static [&'static str]>> = Mutex::new(Vec::new());
    let mut lists = LISTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(kept) = lists.iter().find(|kept| **kept == list) {
        return kept;
    }
    let list: &'static [&'static str] = list.leak();
    lists.push(list);
    list
}
