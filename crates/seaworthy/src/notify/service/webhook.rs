//! Any program that takes JSON by HTTP: templated, and signed.

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use seaworthy_core::{Error, ErrorKind, Result, Secret};
use sha2::Sha256;

use super::http::Endpoint;
use crate::notify::{Notice, Notifier, template};

/// The header field with the signature of the body: `sha256=` and the HMAC in hexadecimal.
const SIGNATURE: &str = "x-seaworthy-signature-256";

/// An address that takes JSON.
#[derive(Debug)]
pub(super) struct Webhook {
    endpoint: Endpoint,
    secret: Option<Secret>,
    body: Option<String>,
}

impl Webhook {
    pub(super) fn new(endpoint: Endpoint, secret: Option<Secret>, body: Option<String>) -> Self {
        Self { endpoint, secret, body }
    }

    fn body(&self, notice: &Notice) -> Result<Vec<u8>> {
        let Some(template) = &self.body else {
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
}

#[async_trait]
impl Notifier for Webhook {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let body = self.body(notice)?;
        let signature = self.secret.as_ref().map(|secret| sign(secret, &body));
        let more: Vec<_> = signature.iter().map(|value| (SIGNATURE, value.as_str())).collect();
        self.endpoint.post(body, "application/json", &more).await
    }
}

fn sign(secret: &Secret, body: &[u8]) -> String {
    let mut out = "sha256=".to_owned();
    // A key of any length will do.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) {
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            out.push_str(&format!("{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::service::sample::{long, short};

    #[test]
    fn the_signature_is_what_others_compute() {
        // RFC 4231, test case 2.
        let signature = sign(&Secret::new("Jefe"), b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature, format!("sha256={expected}"));
    }

    #[test]
    fn each_placeholder_has_a_value() {
        let url = || Endpoint::new(Secret::new("https://a.example/"), false).unwrap();
        let fields: Vec<_> = template::PLACEHOLDERS
            .iter()
            .map(|name| format!("\"{name}\": \"{{{{{name}}}}}\""))
            .collect();
        let body = format!("{{{}}}", fields.join(", "));
        template::check(&body).unwrap();
        for notice in [short(), long()] {
            let rendered = Webhook::new(url(), None, Some(body.clone())).body(&notice).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&rendered).unwrap();
            assert_eq!(json["title"], notice.title);
            assert_eq!(json["name"], "nightly");
            let whole = Webhook::new(url(), None, None).body(&notice).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&whole).unwrap();
            assert_eq!((&json["schema"], &json["occasion"]), (&1.into(), &"failure".into()));
        }
    }
}
