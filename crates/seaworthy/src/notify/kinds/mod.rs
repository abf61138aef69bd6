//! The kinds of notifiers: `[notify.<name>]` with a `type`.
//!
//! Each is a file of its own, with what the file says about it, what can be wrong with that, how it
//! is opened, and what it sends. Here is the list of them.

mod command;
mod custom;
mod discord;
mod email;
mod healthchecks;
#[cfg(feature = "notify")]
mod http;
#[cfg(not(feature = "notify"))]
mod no_http;
mod ntfy;
#[cfg(test)]
mod sample;
mod slack;
mod text;
mod webhook;

use std::{fmt::Debug, path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{CommandLine, Context, Environment, Result, Secret, SecretRef, Section, Span};
use serde::{Deserialize, Serialize};

#[cfg(not(feature = "notify"))]
use no_http as http;

use super::Notifier;

pub use self::{
    command::NotifyCommandConfig,
    custom::CustomNotifyConfig,
    discord::DiscordConfig,
    email::{EmailConfig, SmtpTls},
    healthchecks::HealthchecksConfig,
    ntfy::NtfyConfig,
    slack::SlackConfig,
    webhook::WebhookConfig,
};

seaworthy_core::tagged! {
    /// How somebody is told what happened.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[non_exhaustive]
    pub enum NotifierConfig as pub(crate) dyn NotifierKind,
        "a table such as { type = \"slack\", url = { env = … } }"
    {
        /// A channel of Slack.
        "slack" => Slack(SlackConfig),
        /// A channel of Discord.
        "discord" => Discord(DiscordConfig),
        /// Any program that takes JSON by HTTP.
        "webhook" => Webhook(WebhookConfig),
        /// A check of healthchecks.io, or of one's own installation of it.
        "healthchecks" => Healthchecks(HealthchecksConfig) without (on, repeat),
        /// A topic of ntfy.
        "ntfy" => Ntfy(NtfyConfig),
        /// Email.
        "email" => Email(Box<EmailConfig>),
        /// A command.
        "command" => Command(NotifyCommandConfig),
        /// Somebody whom a program that embeds Seaworthy brings along.
        "custom" => Custom(CustomNotifyConfig),
    }
}

seaworthy_core::tagged! {
    /// Somebody who is told what happened: `[notify.<name>]`.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[non_exhaustive]
    pub struct NotifyConfig {
        /// How it is told.
        pub notifier: NotifierConfig,
        /// Of what it is told; of all but `success` where nothing is said.
        pub on: Option<Vec<NotifyOn>>,
        /// After how long it is told again that something is still wrong; `24h` where nothing is
        /// said.
        pub repeat: Option<Span>,
        /// How long telling it may take, with every try; `30s` where nothing is said.
        pub timeout: Option<Span>,
    }
}

/// What one can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NotifyOn {
    /// Something failed.
    Failure,
    /// What had failed works again.
    Recovery,
    /// Something went well.
    Success,
    /// A job did not run when it should have.
    Overdue,
    /// A backup ran, but what it found is doubtful.
    Suspect,
    /// A certificate is soon to end.
    Expiring,
}

/// Of what a notifier tells, where it does not say: of everything that somebody should look at, and
/// that it is over.
const USUAL: [NotifyOn; 5] = [
    NotifyOn::Failure,
    NotifyOn::Recovery,
    NotifyOn::Overdue,
    NotifyOn::Suspect,
    NotifyOn::Expiring,
];

impl NotifyConfig {
    /// Whether it is told of this.
    pub(crate) fn wants(&self, occasion: NotifyOn) -> bool {
        self.on.as_deref().unwrap_or(&USUAL).contains(&occasion)
    }
}

/// For commands that hold a notifier of the host's.
pub(crate) type SharedNotifier = Arc<dyn Notifier>;

/// What each kind of notifier does.
#[async_trait]
pub(crate) trait NotifierKind: Debug + Send + Sync {
    /// Adds what is wrong with its own keys.
    fn check(&self, _section: &mut Section) {}

    /// Makes relative paths relative to `base`.
    fn resolve(&mut self, _base: &Path) {}

    /// The commands that it runs.
    fn commands(&self) -> Vec<&CommandLine> {
        Vec::new()
    }

    /// Whether it watches single jobs: it is told when each run of them begins and how it ended,
    /// whatever it was told before, and of nothing by jobs that do not name it.
    fn is_monitor(&self) -> bool {
        false
    }

    /// What can be told, with its secrets.
    async fn open(&self, environment: &Environment, cx: &Context) -> Result<SharedNotifier>;
}

/// The secret at `place`, if there is one.
async fn optional_secret(
    place: Option<&SecretRef>,
    environment: &Environment,
    cx: &Context,
) -> Result<Option<Secret>> {
    match place {
        Some(place) => environment.secret(place, cx).await.map(Some),
        None => Ok(None),
    }
}
