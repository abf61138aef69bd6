//! Slack: an incoming webhook, and blocks.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Environment, Result, SecretRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{NotifierKind, SharedNotifier, http::Endpoint, text::cut_utf16};
use crate::notify::{Notice, Notifier, Occasion};

/// A channel of Slack, through an incoming webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct SlackConfig {
    /// The place of the webhook's address: anybody who has it can write to the channel.
    pub url: SecretRef,
    /// Whether the address may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
}

#[async_trait]
impl NotifierKind for SlackConfig {
    fn resolve(&mut self, base: &Path) {
        self.url.resolve(base);
    }

    async fn open(&self, environment: &Environment, cx: &Context) -> Result<SharedNotifier> {
        let url = environment.secret(&self.url, cx).await?;
        Ok(Arc::new(Slack(Endpoint::new(url, self.allow_http)?)))
    }
}

/// A channel of Slack.
#[derive(Debug)]
struct Slack(Endpoint);

#[async_trait]
impl Notifier for Slack {
    async fn send(&self, notice: &Notice) -> Result<()> {
        self.0.post(message(notice).to_string().into_bytes(), "application/json").await
    }
}

/// The message, within Slack's limits: 150 characters for a header, 3000 for a section, 10 fields
/// of 2000. All of it is plain text, which mentions no person or channel.
fn message(notice: &Notice) -> Value {
    let plain = |text: &str, most| json!({ "type": "plain_text", "text": cut_utf16(text, most), "emoji": false });
    let mark = match notice.occasion {
        Occasion::Failure => "🔴",
        Occasion::Overdue | Occasion::Suspect | Occasion::Expiring => "🟠",
        Occasion::Recovery | Occasion::Success => "🟢",
        Occasion::Started | Occasion::Test => "🔵",
    };
    let mut blocks = vec![json!({
        "type": "header", "text": plain(&format!("{mark} {}", notice.title), 150),
    })];
    let mut words = notice.text.clone();
    if let Some(remedy) = &notice.remedy {
        words.push_str(&format!("\nWhat to do: {remedy}"));
    }
    for warning in &notice.warnings {
        words.push_str(&format!("\nwarning: {warning}"));
    }
    if !words.trim().is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(words.trim(), 3000) }));
    }
    let fields: Vec<_> = notice
        .facts
        .iter()
        .take(10)
        .map(|fact| plain(&format!("{}: {}", fact.name, fact.value), 2000))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let mut small = format!("{} · {}", notice.host, notice.time);
    if let Some(since) = notice.since {
        small.push_str(&format!(" · wrong since {since}"));
    }
    blocks.push(json!({ "type": "context", "elements": [plain(&small, 2000)] }));
    // What a phone shows; unlike the blocks, markup in it is interpreted.
    let line = notice.title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": line, "blocks": blocks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::kinds::sample::{has_shape, long, short};

    #[test]
    fn a_message_has_the_form_of_an_incoming_webhook() {
        // https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, and of the blocks
        // https://docs.slack.dev/reference/block-kit/blocks: header, section, context.
        let text = json!({ "type": "=plain_text", "text": "string", "emoji": "boolean" });
        let shape = json!({
            "text": "string",
            "blocks": [
                { "type": "=header", "text": text },
                { "type": "=section", "text": text },
                { "type": "=section", "fields": [text] },
                { "type": "=context", "elements": [text] },
            ],
        });
        for notice in [short(), long()] {
            has_shape(&message(&notice), &shape);
        }
    }

    #[test]
    fn a_message_is_within_what_slack_takes() {
        for notice in [short(), long()] {
            let message = message(&notice);
            let blocks = message["blocks"].as_array().unwrap();
            assert!(blocks.len() <= 50);
            for block in blocks {
                let most = match block["type"].as_str().unwrap() {
                    "header" => 150,
                    "section" | "context" => 3000,
                    other => panic!("{other}"),
                };
                let lists = ["fields", "elements"].iter().flat_map(|k| block[k].as_array());
                let texts: Vec<_> = lists.flatten().collect();
                assert!(texts.len() <= 10);
                assert!(block.get("text").is_some() || !texts.is_empty(), "{block}");
                for text in block.get("text").into_iter().chain(texts) {
                    assert_eq!(text["type"], "plain_text");
                    let len = text["text"].as_str().unwrap().encode_utf16().count();
                    assert!((1..=most).contains(&len), "{len}");
                }
            }
            assert!(!message["text"].as_str().unwrap().contains('<'));
        }
        assert!(message(&short()).to_string().contains("is the disk full?"));
    }
}
