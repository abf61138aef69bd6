//! DNS-01 through a program that sets TXT records.

use std::time::Duration;

use async_trait::async_trait;
use seaworthy_core::{CommandLine, Context, Result};

use super::Propagation;
use crate::{Challenge, ChallengeKind, ChallengeSolver};

const LIMIT: Duration = Duration::from_secs(300);

/// Runs `<program> present NAME VALUE` and `<program> cleanup NAME VALUE`, where `NAME` ends with a
/// dot: the arguments of lego's hooks.
#[derive(Clone, Debug)]
pub struct DnsHook {
    command: CommandLine,
    propagation: Propagation,
}

impl DnsHook {
    /// Runs `command` with three more words.
    pub fn new(command: CommandLine, propagation: Propagation) -> Self {
        Self { command, propagation }
    }

    /// The command.
    pub fn command(&self) -> &CommandLine {
        &self.command
    }

    async fn run(&self, what: &str, challenge: &Challenge) -> Result<()> {
        let name = self.propagation.place(&challenge.dns_name()).await?;
        let mut words = vec![self.command.program().to_owned()];
        words.extend_from_slice(self.command.arguments());
        words.extend([what.to_owned(), format!("{name}."), challenge.dns_value()]);
        CommandLine::new(words)?.run(&Context::new(), Some(LIMIT)).await?;
        Ok(())
    }
}

#[async_trait]
impl ChallengeSolver for DnsHook {
    fn kind(&self) -> ChallengeKind {
        ChallengeKind::Dns01
    }

    async fn present(&self, challenge: &Challenge) -> Result<()> {
        self.run("present", challenge).await
    }

    async fn ready(&self, challenge: &Challenge, cx: &Context) -> Result<()> {
        let name = self.propagation.place(&challenge.dns_name()).await?;
        self.propagation.wait(&name, &challenge.dns_value(), cx).await
    }

    async fn cleanup(&self, challenge: &Challenge) -> Result<()> {
        self.run("cleanup", challenge).await
    }
}
