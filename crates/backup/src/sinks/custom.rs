//! A sink that a program which embeds Seaworthy brings along.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Environment, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{BackupSink, SinkKind, SinkUse};

/// A sink that a program which embeds Seaworthy brings along: the file says only that there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct CustomSinkConfig {}

#[async_trait]
impl SinkKind for CustomSinkConfig {
    fn resolve(&mut self, _: &Path) {}

    fn is_brought(&self) -> bool {
        true
    }

    async fn open(
        &self,
        _: &SinkUse,
        environment: &Environment,
        _: &Context,
    ) -> Result<Arc<dyn BackupSink>> {
        environment.brought().ok_or_else(|| {
            let name = environment.name();
            let message = format!("no implementation is registered for the custom sink {name:?}");
            Error::new(ErrorKind::Unsupported, "sink.open", message)
                .remedy_is("use this file from the program that embeds Seaworthy and brings it")
        })
    }
}
