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
        /// Any program that accepts JSON over HTTP.
        "webhook" => Webhook(WebhookConfig),
        /// A check of healthchecks.io, or of a self-hosted one.
        "healthchecks" => Healthchecks(HealthchecksConfig) without (on, repeat),
        /// A topic of ntfy.
        "ntfy" => Ntfy(NtfyConfig),
        /// Email.
        "email" => Email(Box<EmailConfig>),
        /// A command.
        "command" => Command(NotifyCommandConfig),
        /// A notifier from a program that embeds Seaworthy.
        "custom" => Custom(CustomNotifyConfig),
    }
}

seaworthy_core::tagged! {
    /// A notifier: `[notify.<name>]`.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[non_exhaustive]
    pub struct NotifyConfig {
        /// How it is told.
        pub notifier: NotifierConfig,
        /// On which occasions it is notified. Default: all except `success`.
        pub on: Option<Vec<NotifyOn>>,
        /// After how long a notification is repeated while something is still wrong. Default:
        /// `24h`.
        pub repeat: Option<Span>,
        /// How long sending may take, with all attempts. Default: `30s`.
        pub timeout: Option<Span>,
    }
}

/// The occasions of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NotifyOn {
    /// Something failed.
    Failure,
    /// Something that had failed works again.
    Recovery,
    /// Something succeeded.
    Success,
    /// A job did not run when it should have.
    Overdue,
    /// A backup ran, but its result is suspect.
    Suspect,
    /// A certificate expires soon.
    Expiring,
}

/// The default of `on`: everything that needs attention, and its recovery.
const USUAL: [NotifyOn; 5] = [
    NotifyOn::Failure,
    NotifyOn::Recovery,
    NotifyOn::Overdue,
    NotifyOn::Suspect,
    NotifyOn::Expiring,
];

impl NotifyConfig {
    /// Whether it is notified on this occasion.
    pub(crate) fn wants(&self, occasion: NotifyOn) -> bool {
        self.on.as_deref().unwrap_or(&USUAL).contains(&occasion)
    }
}

/// For commands that hold a notifier of the embedding program.
pub(crate) type SharedNotifier = Arc<dyn Notifier>;

/// What each kind of notifier does.
#[async_trait]
pub(crate) trait NotifierKind: Debug + Send + Sync {
    /// Adds what is wrong with its own keys.
    fn check(&self, _section: &mut Section) {}

    /// Resolves relative paths against `base`.
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
