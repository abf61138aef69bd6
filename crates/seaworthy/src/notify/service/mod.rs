//! The services that are known: what each wants to be sent.

mod command;
mod discord;
mod email;
mod healthchecks;
mod http;
mod ntfy;
#[cfg(test)]
mod sample;
mod slack;
mod text;
mod webhook;

use std::sync::Arc;

use seaworthy_backup::config::EnvironmentValue;
use seaworthy_core::{Context, Error, ErrorKind, Result, Secret};

use self::{
    command::Program, discord::Discord, email::Email, healthchecks::Healthchecks, http::Endpoint,
    ntfy::Ntfy, slack::Slack, webhook::Webhook,
};
use super::deliver::SharedNotifier;
use crate::{Seaworthy, config::NotifyConfig};

/// What `config` names, with its secrets.
pub(super) async fn open(
    seaworthy: &Seaworthy,
    config: &NotifyConfig,
    cx: &Context,
) -> Result<SharedNotifier> {
    let find = |place| seaworthy.secret(place, cx);
    Ok(match config {
        NotifyConfig::Slack(config) => {
            let url = find(&config.url).await?;
            Arc::new(Slack::new(Endpoint::new(url, config.allow_http)?))
        }
        NotifyConfig::Discord(config) => {
            let url = find(&config.url).await?;
            Arc::new(Discord::new(Endpoint::new(url, config.allow_http)?))
        }
        NotifyConfig::Healthchecks(config) => {
            Arc::new(Healthchecks::new(find(&config.url).await?, config.allow_http))
        }
        NotifyConfig::Ntfy(config) => {
            let (url, token) = (find(&config.url).await?, optional(&config.token, find).await?);
            Arc::new(Ntfy::new(&url, config.allow_http, token)?)
        }
        NotifyConfig::Webhook(config) => {
            let mut endpoint = Endpoint::new(find(&config.url).await?, config.allow_http)?;
            for (name, value) in &config.headers {
                let value = match value {
                    EnvironmentValue::Plain(text) => Secret::new(text),
                    EnvironmentValue::Secret(place) => find(place).await?,
                    _ => return Err(unknown()),
                };
                endpoint = endpoint.header(name, value)?;
            }
            let secret = optional(&config.secret, find).await?;
            Arc::new(Webhook::new(endpoint, secret, config.body.clone()))
        }
        NotifyConfig::Email(config) => {
            let password = optional(&config.password, find).await?;
            Arc::new(Email::new(config, password)?)
        }
        NotifyConfig::Command(config) => Arc::new(Program::new(config.command.clone())),
        NotifyConfig::Custom(_) => return Err(unknown()),
    })
}

async fn optional<'p, F: Future<Output = Result<Secret>>>(
    place: &'p Option<seaworthy_core::SecretRef>,
    find: impl Fn(&'p seaworthy_core::SecretRef) -> F,
) -> Result<Option<Secret>> {
    match place {
        Some(place) => find(place).await.map(Some),
        None => Ok(None),
    }
}

fn unknown() -> Error {
    let message = "this version does not know this notifier";
    Error::new(ErrorKind::Unsupported, "notify.open", message)
}
