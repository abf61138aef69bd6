//! Tables of named things that keep the order in which they were written.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
};

use crate::Name;

/// Things with names, in the order in which they were added: `[sink.<name>]`, `[backup.<name>]`.
///
/// ```
/// use seaworthy_core::{Name, Named};
/// let mut ports = Named::new();
/// ports.insert(Name::new("web")?, 80);
/// ports.insert(Name::new("api")?, 3000);
/// assert_eq!(ports.get("api"), Some(&3000));
/// assert_eq!(ports.names().map(Name::as_str).collect::<Vec<_>>(), ["web", "api"]);
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T>(Vec<(Name, T)>);

impl<T> Named<T> {
    /// An empty table.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds `thing` at the end, or replaces the one with this name, which is returned.
    pub fn insert(&mut self, name: Name, thing: T) -> Option<T> {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => Some(std::mem::replace(old, thing)),
            None => {
                self.0.push((name, thing));
                None
            }
        }
    }

    /// The thing called `name`.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known.as_str() == name).map(|(_, thing)| thing)
    }

    /// Names and things, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &T)> {
        self.0.iter().map(|(name, thing)| (name, thing))
    }

    /// Names and things, in order.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Name, &mut T)> {
        self.0.iter_mut().map(|(name, thing)| (&*name, thing))
    }

    /// The names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Name> {
        self.0.iter().map(|(name, _)| name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<(Name, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (Name, T)>>(things: I) -> Self {
        let mut all = Self::new();
        for (name, thing) in things {
            all.insert(name, thing);
        }
        all
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Table<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut all = Named::new();
                while let Some((name, thing)) = map.next_entry::<Name, T>()? {
                    if all.get(name.as_str()).is_some() {
                        return Err(A::Error::custom(format_args!("{name} is there twice")));
                    }
                    all.0.push((name, thing));
                }
                Ok(all)
            }
        }

        deserializer.deserialize_map(Table(PhantomData))
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Named<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<Name>();
        let thing = generator.subschema_for::<T>();
        schemars::json_schema!({
            "type": "object",
            "propertyNames": name,
            "additionalProperties": thing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_and_refuses_bad_and_double_names() {
        let text = r#"{"b":1,"a":2}"#;
        let read: Named<u8> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(serde_json::from_str::<Named<u8>>(r#"{"a/b":1}"#).is_err());
        assert!(serde_json::from_str::<Named<u8>>(r#"{"a":1,"a":2}"#).is_err());
    }
}
