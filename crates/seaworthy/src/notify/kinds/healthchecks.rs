//! healthchecks.io: a ping when a run begins, and one with its result at the end.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{Context, Environment, Result, Secret, SecretRef};
use serde::{Deserialize, Serialize};

use super::{NotifierKind, SharedNotifier, http::Endpoint, text::cut_bytes};
use crate::notify::{Notice, Notifier, Occasion};

/// How much of a message the service keeps, in bytes.
const MOST: usize = 100_000;

/// The placeholder of the job in an address.
const JOB: &str = "{job}";

/// A check of healthchecks.io. It is pinged when a backup begins, and when it ends; for other
/// things only on failure. Only jobs that list it use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct HealthchecksConfig {
    /// The place of the check's address: `https://hc-ping.com/UUID`, or
    /// `https://hc-ping.com/KEY/{job}` for a check per job.
    pub url: SecretRef,
    /// Whether the address may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
}

#[async_trait]
impl NotifierKind for HealthchecksConfig {
    fn resolve(&mut self, base: &Path) {
        self.url.resolve(base);
    }

    fn is_monitor(&self) -> bool {
        true
    }

    async fn open(&self, environment: &Environment, cx: &Context) -> Result<SharedNotifier> {
        let url = environment.secret(&self.url, cx).await?;
        Ok(Arc::new(Healthchecks { url, allow_http: self.allow_http }))
    }
}

/// A check, or one for each job.
#[derive(Debug)]
struct Healthchecks {
    url: Secret,
    allow_http: bool,
}

impl Healthchecks {
    /// The address for this ping.
    fn address(&self, notice: &Notice) -> String {
        let end = match notice.occasion {
            Occasion::Started => "/start",
            Occasion::Success | Occasion::Recovery => "",
            Occasion::Test => "/log",
            _ => "/fail",
        };
        let by_slug = self.url.expose().contains(JOB);
        let url = self.url.expose().trim().replace(JOB, &slug(notice.subject.name.as_str()));
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let mut url = format!("{}{end}?rid={}", path.trim_end_matches('/'), notice.run);
        if by_slug {
            url.push_str("&create=1");
        }
        if !query.is_empty() {
            url.push_str(&format!("&{query}"));
        }
        url
    }
}

#[async_trait]
impl Notifier for Healthchecks {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let log = format!("{}\n{}", notice.title, notice.body());
        let log = cut_bytes(log.trim_end(), MOST);
        let endpoint = Endpoint::new(Secret::new(self.address(notice)), self.allow_http)?;
        endpoint.post(log.into_bytes(), "text/plain; charset=utf-8").await
    }
}

/// A slug has lower-case letters, digits, hyphens and underscores.
fn slug(name: &str) -> String {
    let one =
        |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::kinds::sample::short;

    #[test]
    fn each_occasion_has_its_endpoint() {
        let url = |url: &str, occasion| {
            let mut notice = short();
            notice.occasion = occasion;
            notice.run = "r".into();
            notice.subject.name = seaworthy_core::Name::new("Nightly.db").unwrap();
            Healthchecks { url: Secret::new(url), allow_http: false }.address(&notice)
        };
        let uuid = "https://hc-ping.com/b0b";
        assert_eq!(url(uuid, Occasion::Started), "https://hc-ping.com/b0b/start?rid=r");
        assert_eq!(url(uuid, Occasion::Success), "https://hc-ping.com/b0b?rid=r");
        assert_eq!(url(uuid, Occasion::Suspect), "https://hc-ping.com/b0b/fail?rid=r");
        assert_eq!(url(uuid, Occasion::Test), "https://hc-ping.com/b0b/log?rid=r");
        assert_eq!(
            url("https://hc-ping.com/KEY/{job}", Occasion::Failure),
            "https://hc-ping.com/KEY/nightly-db/fail?rid=r&create=1"
        );
    }
}
