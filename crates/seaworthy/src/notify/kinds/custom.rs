//! A notifier from a program that embeds Seaworthy.

use async_trait::async_trait;
use seaworthy_core::{Context, Environment, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{NotifierKind, SharedNotifier};
use crate::notify::Notifier;

/// A notifier from a program that embeds Seaworthy: the file only declares it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct CustomNotifyConfig {}

#[async_trait]
impl NotifierKind for CustomNotifyConfig {
    async fn open(&self, environment: &Environment, _: &Context) -> Result<SharedNotifier> {
        environment.brought::<dyn Notifier>().ok_or_else(|| {
            let message = format!(
                "no implementation is registered for the custom notifier {:?}",
                environment.name()
            );
            Error::new(ErrorKind::Unsupported, "notify.open", message)
                .remedy_is("use this file with the program that embeds Seaworthy and registers it")
        })
    }
}
