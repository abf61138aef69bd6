//! healthchecks.io: a ping when a run begins, and one that says how it ended.

use async_trait::async_trait;
use seaworthy_core::{Result, Secret};

use super::{http::Endpoint, text::cut_bytes};
use crate::notify::{Notice, Notifier, Occasion};

/// How much of a message is kept by the service, in bytes.
const MOST: usize = 100_000;

/// What stands in an address for the job.
const JOB: &str = "{job}";

/// A check, or one for each job.
#[derive(Debug)]
pub(super) struct Healthchecks {
    url: Secret,
    allow_http: bool,
}

impl Healthchecks {
    pub(super) fn new(url: Secret, allow_http: bool) -> Self {
        Self { url, allow_http }
    }

    /// Where this is told.
    fn endpoint(&self, notice: &Notice) -> Result<Endpoint> {
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
        Endpoint::new(Secret::new(url), self.allow_http)
    }
}

#[async_trait]
impl Notifier for Healthchecks {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let log = format!("{}\n{}", notice.title, notice.body());
        let log = cut_bytes(log.trim_end(), MOST);
        self.endpoint(notice)?.post(log.into_bytes(), "text/plain; charset=utf-8", &[]).await
    }
}

/// A slug holds small letters, digits, hyphens and underscores.
fn slug(name: &str) -> String {
    let one =
        |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::service::sample::short;

    #[test]
    fn each_occasion_has_its_endpoint() {
        let url = |url: &str, occasion| {
            let mut notice = short();
            notice.occasion = occasion;
            notice.run = "r".into();
            notice.subject.name = seaworthy_core::Name::new("Nightly.db").unwrap();
            Healthchecks::new(Secret::new(url), false).endpoint(&notice).unwrap().url().to_string()
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
