//! The JSON Schema of the file, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Config;

/// The JSON Schema (draft 2020-12) of the whole file.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<Config>().to_value()
}
