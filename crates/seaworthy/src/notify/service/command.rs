//! A command that gets the notice as JSON on its standard input.

use async_trait::async_trait;
use seaworthy_core::{CommandLine, Context, Result};

use crate::notify::{Notice, Notifier};

/// A command.
#[derive(Debug)]
pub(super) struct Program(CommandLine);

impl Program {
    pub(super) fn new(command: CommandLine) -> Self {
        Self(command)
    }
}

#[async_trait]
impl Notifier for Program {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let mut json = serde_json::to_vec(notice).unwrap_or_default();
        json.push(b'\n');
        // An interrupted command is told of all the same; its time limit is the notifier's own.
        self.0.run_with_input(json, &Context::new(), None).await.map(drop)
    }
}
