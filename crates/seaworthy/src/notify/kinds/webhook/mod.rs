//! Any program that accepts JSON over HTTP: with a template, and signed.

mod template;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_backup::config::EnvironmentValue;
use seaworthy_core::{Context, Environment, Error, ErrorKind, Result, Secret, SecretRef, Section};
use serde::{Deserialize, Serialize};

use super::{NotifierKind, SharedNotifier, http::Endpoint, optional_secret};
use crate::notify::{Notice, Notifier};

/// Any program that accepts JSON over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct WebhookConfig {
    /// The place of its address.
    pub url: SecretRef,
    /// Whether the address may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
    /// The place of the key that signs each message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
    /// More header fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, EnvironmentValue>,
    /// The JSON that is sent, with placeholders such as `{{title}}` in its strings. Default: the
    /// complete notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

#[async_trait]
impl NotifierKind for WebhookConfig {
    fn check(&self, section: &mut Section) {
        if let Some(Err(error)) = self.body.as_deref().map(template::check) {
            section.error(&["body"], &error);
        }
        let is_token = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
        };
        for header in self.headers.keys().filter(|name| !is_token(name)) {
            let message = format!("{header:?} in {section} is not the name of a header field");
            section.fault(&["headers"], message, "use letters, digits, - and _");
        }
    }

    fn resolve(&mut self, base: &Path) {
        let headers = self.headers.values_mut().filter_map(|value| match value {
            EnvironmentValue::Secret(secret) => Some(secret),
            _ => None,
        });
        let all = [&mut self.url].into_iter().chain(&mut self.secret).chain(headers);
        all.for_each(|secret| secret.resolve(base));
    }

    async fn open(&self, environment: &Environment, cx: &Context) -> Result<SharedNotifier> {
        let url = environment.secret(&self.url, cx).await?;
        let mut endpoint = Endpoint::new(url, self.allow_http)?;
        for (name, value) in &self.headers {
            let value = match value {
                EnvironmentValue::Plain(text) => Secret::new(text),
                EnvironmentValue::Secret(place) => environment.secret(place, cx).await?,
                _ => {
                    let message = format!("this version does not know how {name:?} is written");
                    return Err(Error::new(ErrorKind::Unsupported, "notify.open", message));
                }
            };
            endpoint = endpoint.header(name, value)?;
        }
        if let Some(secret) = optional_secret(self.secret.as_ref(), environment, cx).await? {
            endpoint = endpoint.signed(SIGNATURE, secret);
        }
        Ok(Arc::new(Webhook { endpoint, body: self.body.clone() }))
    }
}

/// The header field with the signature of the body: `sha256=` and the HMAC in hexadecimal.
const SIGNATURE: &str = "x-seaworthy-signature-256";

/// An address that accepts JSON.
#[derive(Debug)]
struct Webhook {
    endpoint: Endpoint,
    body: Option<String>,
}

#[async_trait]
impl Notifier for Webhook {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let body = body(self.body.as_deref(), notice)?;
        self.endpoint.post(body, "application/json").await
    }
}

/// What is sent: `template` with its placeholders filled in, else the whole notice.
fn body(template: Option<&str>, notice: &Notice) -> Result<Vec<u8>> {
    let Some(template) = template else {
        return serde_json::to_vec(notice).map_err(|source| {
            Error::new(ErrorKind::Internal, "notify.send", "no JSON").caused_by(source)
        });
    };
    let value = |name: &str| {
        Some(match name {
            "occasion" => notice.occasion.to_string(),
            "kind" => notice.subject.kind.word().to_owned(),
            "name" => notice.subject.name.to_string(),
            "host" => notice.host.clone(),
            "time" => notice.time.to_string(),
            "title" => notice.title.clone(),
            "text" => notice.body(),
            "remedy" => notice.remedy.clone().unwrap_or_default(),
            "since" => notice.since.map(|since| since.to_string()).unwrap_or_default(),
            "run" => notice.run.clone(),
            _ => return None,
        })
    };
    template::render(template, value).map(String::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::kinds::sample::{long, short};

    #[test]
    fn each_placeholder_has_a_value() {
        let fields: Vec<_> = template::PLACEHOLDERS
            .iter()
            .map(|name| format!("\"{name}\": \"{{{{{name}}}}}\""))
            .collect();
        let text = format!("{{{}}}", fields.join(", "));
        template::check(&text).unwrap();
        for notice in [short(), long()] {
            let rendered = body(Some(&text), &notice).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&rendered).unwrap();
            assert_eq!(json["title"], notice.title);
            assert_eq!(json["name"], "nightly");
            let whole = body(None, &notice).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&whole).unwrap();
            assert_eq!((&json["schema"], &json["occasion"]), (&1.into(), &"failure".into()));
        }
    }
}
