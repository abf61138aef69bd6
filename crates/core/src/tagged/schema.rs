//! The JSON Schema of a table with common keys.

use schemars::Schema;
use serde_json::{Map, Value};

/// `kinds`, a schema with a table for each kind, with the keys of the table `common` added to each
/// of them but those that it lacks.
#[doc(hidden)]
pub fn add_common_keys(
    mut kinds: Schema,
    common: &Schema,
    without: fn(&str) -> &'static [&'static str],
) -> Schema {
    let Some(common) = common.get("properties").and_then(Value::as_object) else { return kinds };
    let tables = kinds.get_mut("oneOf").and_then(Value::as_array_mut);
    for table in tables.into_iter().flatten() {
        let Some(properties) = table.get_mut("properties").and_then(Value::as_object_mut) else {
            continue;
        };
        let lacks = without(type_of(properties));
        let added = common.iter().filter(|(key, _)| !lacks.contains(&key.as_str()));
        properties.extend(added.map(|(key, value)| (key.clone(), value.clone())));
    }
    kinds
}

fn type_of(properties: &Map<String, Value>) -> &str {
    let kind = properties.get("type").and_then(|kind| kind.get("const"));
    kind.and_then(Value::as_str).unwrap_or_default()
}
