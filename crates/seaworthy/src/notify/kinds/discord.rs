//! Discord: a webhook, and an embed.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Environment, Result, SecretRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{NotifierKind, SharedNotifier, http::Endpoint, text::cut_utf16};
use crate::notify::{Fact, Notice, Notifier, Occasion};

/// A channel of Discord, through a webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct DiscordConfig {
    /// The place of the webhook's address: anybody who has it can write to the channel.
    pub url: SecretRef,
    /// Whether the address may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
}

#[async_trait]
impl NotifierKind for DiscordConfig {
    fn resolve(&mut self, base: &Path) {
        self.url.resolve(base);
    }

    async fn open(&self, environment: &Environment, cx: &Context) -> Result<SharedNotifier> {
        let url = environment.secret(&self.url, cx).await?;
        Ok(Arc::new(Discord(Endpoint::new(url, self.allow_http)?)))
    }
}

/// The total limit of an embed, in characters.
const MOST: usize = 6000;

/// A channel of Discord.
#[derive(Debug)]
struct Discord(Endpoint);

#[async_trait]
impl Notifier for Discord {
    async fn send(&self, notice: &Notice) -> Result<()> {
        self.0.post(message(notice).to_string().into_bytes(), "application/json").await
    }
}

/// The message, within Discord's limits: 256 characters for the title, 4096 for the description, 25
/// fields of 256 and 1024, and 6000 in total. It mentions nobody.
fn message(notice: &Notice) -> Value {
    let colour = match notice.occasion {
        Occasion::Failure => 0xd9_3025,
        Occasion::Overdue | Occasion::Suspect | Occasion::Expiring => 0xf2_9900,
        Occasion::Recovery | Occasion::Success => 0x18_8038,
        Occasion::Started | Occasion::Test => 0x1a_73e8,
    };
    let len = |text: &str| text.encode_utf16().count();
    let title = cut_utf16(&plain(&notice.title), 256);
    let footer = cut_utf16(&notice.host, 200);
    let mut left = MOST - len(&title) - len(&footer);
    let mut words = notice.text.clone();
    if let Some(remedy) = &notice.remedy {
        words.push_str(&format!("\nWhat to do: {remedy}"));
    }
    if let Some(since) = notice.since {
        words.push_str(&format!("\nWrong since {since}"));
    }
    for warning in &notice.warnings {
        words.push_str(&format!("\nwarning: {warning}"));
    }
    let words = cut_utf16(plain(words.trim()).trim(), 4096.min(left));
    left -= len(&words);
    let mut fields = Vec::new();
    for Fact { name, value } in notice.facts.iter().take(25) {
        let (name, value) = (cut_utf16(&plain(name), 256), cut_utf16(&plain(value), 1024));
        let Some(rest) = left.checked_sub(len(&name) + len(&value)) else { break };
        left = rest;
        if !name.is_empty() && !value.is_empty() {
            fields.push(json!({ "name": name, "value": value, "inline": true }));
        }
    }
    json!({
        "username": "Seaworthy",
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "title": title,
            "description": words,
            "color": colour,
            "timestamp": notice.time,
            "fields": fields,
            "footer": { "text": footer },
        }],
    })
}

/// `text` with Discord's markup characters escaped.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\*_~`|>#[]()<-".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::kinds::sample::{has_shape, long, short};

    #[test]
    fn a_message_has_the_form_of_execute_webhook() {
        // https://discord.com/developers/docs/resources/webhook#execute-webhook, and of the embed
        // https://discord.com/developers/docs/resources/message#embed-object.
        let shape = json!({
            "username": "string",
            "allowed_mentions": { "parse": ["string"] },
            "embeds": [{
                "title": "string",
                "description": "string",
                "color": "integer",
                "timestamp": "time",
                "fields": [{ "name": "string", "value": "string", "inline": "boolean" }],
                "footer": { "text": "string" },
            }],
        });
        for notice in [short(), long()] {
            has_shape(&message(&notice), &shape);
        }
    }

    #[test]
    fn a_message_is_within_what_discord_takes() {
        for notice in [short(), long()] {
            let message = message(&notice);
            let embed = &message["embeds"][0];
            let len = |text: &Value| text.as_str().unwrap().encode_utf16().count();
            let fields = embed["fields"].as_array().unwrap();
            assert!(len(&embed["title"]) <= 256 && len(&embed["description"]) <= 4096);
            assert!(fields.len() <= 25);
            let mut all = len(&embed["title"]) + len(&embed["description"]);
            all += len(&embed["footer"]["text"]);
            for field in fields {
                let (name, value) = (len(&field["name"]), len(&field["value"]));
                assert!((1..=256).contains(&name) && (1..=1024).contains(&value));
                all += name + value;
            }
            assert!(all <= MOST, "{all}");
            assert_eq!(message["allowed_mentions"]["parse"], json!([]));
            assert!(embed["timestamp"].as_str().unwrap().ends_with('Z'));
        }
        let short = message(&short());
        assert!(short.to_string().contains("\\\\*x\\\\*"), "{short}");
    }
}
