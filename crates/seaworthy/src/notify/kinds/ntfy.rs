//! ntfy: a topic, published to as JSON.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Environment, Error, ErrorKind, Result, Secret, SecretRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{NotifierKind, SharedNotifier, http::Endpoint, optional_secret, text::cut_bytes};
use crate::notify::{Notice, Notifier, Occasion};

/// A topic of ntfy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct NtfyConfig {
    /// The place of the topic's address, such as `https://ntfy.sh/topic`.
    pub url: SecretRef,
    /// Whether the address may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
    /// The place of the access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
}

#[async_trait]
impl NotifierKind for NtfyConfig {
    fn resolve(&mut self, base: &Path) {
        self.url.resolve(base);
        self.token.iter_mut().for_each(|token| token.resolve(base));
    }

    async fn open(&self, environment: &Environment, cx: &Context) -> Result<SharedNotifier> {
        let url = environment.secret(&self.url, cx).await?;
        let token = optional_secret(self.token.as_ref(), environment, cx).await?;
        Ok(Arc::new(Ntfy::new(url, self.allow_http, token)?))
    }
}

/// A longer message would arrive as an attached file.
const MOST: usize = 4096;

/// A topic of ntfy.
#[derive(Debug)]
struct Ntfy {
    server: Endpoint,
    topic: String,
}

impl Ntfy {
    /// The topic whose address is `url`, such as `https://ntfy.sh/topic`.
    fn new(url: Secret, allow_http: bool, token: Option<Secret>) -> Result<Self> {
        let (mut server, topic) = Endpoint::new(url, allow_http)?.without_last_part()?;
        if topic.is_empty() {
            let message = "the secret `url` has no topic";
            return Err(Error::new(ErrorKind::InvalidInput, "notify.open", message)
                .remedy_is("write it like https://ntfy.sh/my-topic"));
        }
        if let Some(token) = token {
            let bearer = Secret::new(format!("Bearer {}", token.expose()));
            server = server.header("authorization", bearer)?;
        }
        Ok(Self { server, topic })
    }
}

#[async_trait]
impl Notifier for Ntfy {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let message = message(&self.topic, notice).to_string();
        let sent = self.server.post(message.into_bytes(), "application/json").await;
        // The topic acts as a password if there is none.
        sent.map_err(|error| {
            let words = error.chain().replace(&self.topic, "***");
            let hidden = Error::new(error.kind(), "notify.send", words);
            let hidden = error.context().fold(hidden, |hidden, (name, value)| {
                hidden.with(name, value.replace(&self.topic, "***"))
            });
            match error.remedy() {
                Some(remedy) => hidden.remedy_is(remedy),
                None => hidden,
            }
        })
    }
}

fn message(topic: &str, notice: &Notice) -> Value {
    let (priority, tag) = match notice.occasion {
        Occasion::Failure => (5, "rotating_light"),
        Occasion::Overdue | Occasion::Suspect | Occasion::Expiring => (4, "warning"),
        Occasion::Recovery => (3, "white_check_mark"),
        Occasion::Success | Occasion::Started => (2, "white_check_mark"),
        Occasion::Test => (3, "anchor"),
    };
    let body = notice.body();
    let body = if body.is_empty() { notice.title.clone() } else { body };
    json!({
        "topic": topic,
        "title": cut_bytes(&notice.title, 250),
        "message": cut_bytes(&body, MOST),
        "priority": priority,
        "tags": [tag, notice.subject.kind.word()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::kinds::sample::{has_shape, long, short};

    #[test]
    fn a_message_has_the_form_of_publishing_as_json() {
        // https://docs.ntfy.sh/publish/#publish-as-json
        let shape = json!({
            "topic": "string",
            "title": "string",
            "message": "string",
            "priority": "integer",
            "tags": ["string"],
        });
        for notice in [short(), long()] {
            has_shape(&message("t", &notice), &shape);
        }
    }

    #[test]
    fn a_message_is_shown_and_not_attached() {
        for notice in [short(), long()] {
            let message = message("t", &notice);
            let len = message["message"].as_str().unwrap().len();
            assert!((1..=MOST).contains(&len));
            assert!((1..=5).contains(&message["priority"].as_u64().unwrap()));
        }
    }

    #[cfg(feature = "notify")]
    #[test]
    fn the_topic_is_the_last_part_of_the_address() {
        for (url, server, topic) in [
            ("https://ntfy.sh/alarms", "https://ntfy.sh/", "alarms"),
            ("https://x.example/ntfy/alarms/", "https://x.example/ntfy/", "alarms"),
        ] {
            let ntfy = Ntfy::new(Secret::new(url), false, None).unwrap();
            assert_eq!((ntfy.server.url().as_str(), &*ntfy.topic), (server, topic));
        }
        assert!(Ntfy::new(Secret::new("https://ntfy.sh/"), false, None).is_err());
    }
}
