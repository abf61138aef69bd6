//! A command that gets the notice as JSON on its standard input.

use std::sync::Arc;

use async_trait::async_trait;
use seaworthy_core::{CommandLine, Context, Environment, Result};
use serde::{Deserialize, Serialize};

use super::{NotifierKind, SharedNotifier};
use crate::notify::{Notice, Notifier};

/// A command, which gets the notice as JSON on its standard input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct NotifyCommandConfig {
    /// The command.
    pub command: CommandLine,
}

#[async_trait]
impl NotifierKind for NotifyCommandConfig {
    fn commands(&self) -> Vec<&CommandLine> {
        vec![&self.command]
    }

    async fn open(&self, _: &Environment, _: &Context) -> Result<SharedNotifier> {
        Ok(Arc::new(Program(self.command.clone())))
    }
}

/// A command.
#[derive(Debug)]
struct Program(CommandLine);

#[async_trait]
impl Notifier for Program {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let mut json = serde_json::to_vec(notice).unwrap_or_default();
        json.push(b'\n');
        // An interrupted operation is still reported; the time limit is the notifier's own.
        self.0.run_with_input(json, &Context::new(), None).await.map(drop)
    }
}
