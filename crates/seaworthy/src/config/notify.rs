//! `[notify.<name>]`: who is told what happened, and of what.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use seaworthy_backup::config::EnvironmentValue;
use seaworthy_core::{CommandLine, SecretRef, Span};
use serde::{Deserialize, Serialize};

/// Of what a notifier tells, where it does not say: of everything that somebody should look at, and
/// that it is over.
const USUAL: [NotifyOn; 5] = [
    NotifyOn::Failure,
    NotifyOn::Recovery,
    NotifyOn::Overdue,
    NotifyOn::Suspect,
    NotifyOn::Expiring,
];

/// Somebody who is told what happened: `[notify.<name>]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum NotifyConfig {
    /// A channel of Slack.
    Slack(SlackConfig),
    /// A channel of Discord.
    Discord(DiscordConfig),
    /// Any program that takes JSON by HTTP.
    Webhook(WebhookConfig),
    /// A check of healthchecks.io, or of one's own installation of it.
    Healthchecks(HealthchecksConfig),
    /// A topic of ntfy.
    Ntfy(NtfyConfig),
    /// Email.
    Email(Box<EmailConfig>),
    /// A command.
    Command(NotifyCommandConfig),
    /// Somebody whom a program that embeds Seaworthy brings along.
    Custom(CustomNotifyConfig),
}

seaworthy_core::tagged!(NotifyConfig, "a table such as { type = \"slack\", url = { env = … } }", {
    "slack" => Slack(SlackConfig),
    "discord" => Discord(DiscordConfig),
    "webhook" => Webhook(WebhookConfig),
    "healthchecks" => Healthchecks(HealthchecksConfig),
    "ntfy" => Ntfy(NtfyConfig),
    "email" => Email(Box<EmailConfig>),
    "command" => Command(NotifyCommandConfig),
    "custom" => Custom(CustomNotifyConfig),
});

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

/// A notifier: its own keys, and those that all have.
macro_rules! notifier {
    ($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields, expecting = "a table")]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$meta])* pub $field: $type,)*
            /// Of what it is told; of all but `success` where nothing is said.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub on: Option<Vec<NotifyOn>>,
            /// After how long it is told again that something is still wrong; `24h` where nothing
            /// is said.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub repeat: Option<Span>,
            /// How long telling it may take, with every try; `30s` where nothing is said.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub timeout: Option<Span>,
        }
    };
}

notifier! {
    /// A channel of Slack, through an incoming webhook.
    SlackConfig {
        /// Where the webhook's address is found: whoever has it can write to the channel.
        pub url: SecretRef,
        /// Whether the address may begin with `http://`.
        #[serde(default)]
        pub allow_http: bool,
    }
}

notifier! {
    /// A channel of Discord, through a webhook.
    DiscordConfig {
        /// Where the webhook's address is found: whoever has it can write to the channel.
        pub url: SecretRef,
        /// Whether the address may begin with `http://`.
        #[serde(default)]
        pub allow_http: bool,
    }
}

notifier! {
    /// Any program that takes JSON by HTTP.
    WebhookConfig {
        /// Where its address is found.
        pub url: SecretRef,
        /// Whether the address may begin with `http://`.
        #[serde(default)]
        pub allow_http: bool,
        /// Where the key is found that each message is signed with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub secret: Option<SecretRef>,
        /// More header fields.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub headers: BTreeMap<String, EnvironmentValue>,
        /// The JSON that is sent, with placeholders such as `{{title}}` in its strings; the whole
        /// notice where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub body: Option<String>,
    }
}

notifier! {
    /// A topic of ntfy.
    NtfyConfig {
        /// Where the topic's address is found, such as `https://ntfy.sh/topic`.
        pub url: SecretRef,
        /// Whether the address may begin with `http://`.
        #[serde(default)]
        pub allow_http: bool,
        /// Where the access token is found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token: Option<SecretRef>,
    }
}

notifier! {
    /// Email, through a server that takes it by SMTP.
    EmailConfig {
        /// The server.
        pub server: String,
        /// Its port; that of `tls` where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub port: Option<u16>,
        /// How the connection is secured.
        #[serde(default)]
        pub tls: SmtpTls,
        /// A file with authorities, in PEM, that are trusted besides the machine's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub roots: Option<PathBuf>,
        /// Who logs in; nobody where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub username: Option<String>,
        /// Where the password is found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub password: Option<SecretRef>,
        /// Whom the message comes from.
        pub from: String,
        /// Whom it goes to.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        pub to: Vec<String>,
    }
}

notifier! {
    /// A command, which gets the notice as JSON on its standard input.
    NotifyCommandConfig {
        /// The command.
        pub command: CommandLine,
    }
}

notifier! {
    /// Somebody whom a program that embeds Seaworthy brings along: the file says only that there is
    /// one.
    CustomNotifyConfig {}
}

/// A check of healthchecks.io. It is told when a backup begins, and how it ended; of other things
/// only that they failed. Only jobs that name it tell it anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct HealthchecksConfig {
    /// Where the check's address is found: `https://hc-ping.com/UUID`, or
    /// `https://hc-ping.com/KEY/{job}` for a check per job.
    pub url: SecretRef,
    /// Whether the address may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
    /// How long telling it may take, with every try; `30s` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// How a connection to a mail server is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SmtpTls {
    /// It begins in the open and is secured before anything is told; port 587.
    #[default]
    Starttls,
    /// It is secure from the beginning; port 465.
    Implicit,
    /// Not at all; port 25. Without a password only.
    None,
}

impl NotifyConfig {
    /// Whether it is told of this.
    pub(crate) fn wants(&self, occasion: NotifyOn) -> bool {
        self.on().unwrap_or(&USUAL).contains(&occasion)
    }

    /// What it says under `on`.
    pub(crate) fn on(&self) -> Option<&[NotifyOn]> {
        match self {
            Self::Slack(config) => config.on.as_deref(),
            Self::Discord(config) => config.on.as_deref(),
            Self::Webhook(config) => config.on.as_deref(),
            Self::Ntfy(config) => config.on.as_deref(),
            Self::Email(config) => config.on.as_deref(),
            Self::Command(config) => config.on.as_deref(),
            Self::Custom(config) => config.on.as_deref(),
            Self::Healthchecks(_) => None,
        }
    }

    /// After how long it is told again, and how long telling may take.
    pub(crate) fn times(&self) -> (Option<Span>, Option<Span>) {
        match self {
            Self::Slack(config) => (config.repeat, config.timeout),
            Self::Discord(config) => (config.repeat, config.timeout),
            Self::Webhook(config) => (config.repeat, config.timeout),
            Self::Ntfy(config) => (config.repeat, config.timeout),
            Self::Email(config) => (config.repeat, config.timeout),
            Self::Command(config) => (config.repeat, config.timeout),
            Self::Custom(config) => (config.repeat, config.timeout),
            Self::Healthchecks(config) => (None, config.timeout),
        }
    }

    /// Makes relative paths relative to `base`.
    pub(super) fn resolve(&mut self, base: &Path) {
        let secrets: Vec<&mut SecretRef> = match self {
            Self::Slack(config) => vec![&mut config.url],
            Self::Discord(config) => vec![&mut config.url],
            Self::Healthchecks(config) => vec![&mut config.url],
            Self::Ntfy(config) => [&mut config.url].into_iter().chain(&mut config.token).collect(),
            Self::Webhook(config) => {
                let headers = config.headers.values_mut().filter_map(|value| match value {
                    EnvironmentValue::Secret(secret) => Some(secret),
                    _ => None,
                });
                [&mut config.url].into_iter().chain(&mut config.secret).chain(headers).collect()
            }
            Self::Email(config) => {
                config.roots.iter_mut().for_each(|path| *path = base.join(&path));
                config.password.iter_mut().collect()
            }
            Self::Command(_) | Self::Custom(_) => Vec::new(),
        };
        for secret in secrets {
            if let SecretRef::File(path) = secret {
                *path = base.join(&path);
            }
        }
    }
}
