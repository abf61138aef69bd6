//! When the authority wants a certificate to be renewed (RFC 9773).

use std::time::{Duration, SystemTime};

use seaworthy_core::{Error, ErrorKind, Result, Timestamp};
use serde::Deserialize;

use super::{authority::Inner, http};
use crate::{Certificate, RenewalHint, decide::later};

/// When to ask again: as the authority says, within these limits.
const SOONEST: Duration = Duration::from_secs(60);
const LATEST: Duration = Duration::from_secs(12 * 3600);
const USUAL: Duration = Duration::from_secs(6 * 3600);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    renewal_info: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenewalInfo {
    suggested_window: Window,
    #[serde(rename = "explanationURL")]
    explanation_url: Option<String>,
}

#[derive(Deserialize)]
struct Window {
    start: Timestamp,
    end: Timestamp,
}

impl Inner {
    pub(super) async fn hint(&self, certificate: &Certificate) -> Result<Option<RenewalHint>> {
        let Some(id) = certificate.renewal_id() else { return Ok(None) };
        let senseless = |what: &str| {
            let message = format!("{}: {what} is invalid", self.options.directory);
            Error::new(ErrorKind::Unavailable, "acme.hint", message)
        };
        // The URL of the hints is requested once, for any number of certificates.
        let place = self.hints.get_or_try_init(async || {
            let (_, _, body) = self.http.get(&self.options.directory).await?;
            let read = serde_json::from_slice::<Directory>(&body);
            read.map(|read| read.renewal_info).map_err(|_| senseless("the directory"))
        });
        let Some(url) = place.await? else { return Ok(None) };
        let (status, headers, body) = self.http.get(&format!("{url}/{id}")).await?;
        if !status.is_success() {
            // It has no information about this certificate.
            return Ok(None);
        }
        let info: RenewalInfo =
            serde_json::from_slice(&body).map_err(|_| senseless("the renewal information"))?;
        let Window { start, end } = info.suggested_window;
        if end <= start {
            return Err(senseless("the window for renewal"));
        }
        let now = SystemTime::now();
        let pause = http::retry_after(&headers)
            .map_or(USUAL, |at| at.duration_since(now).unwrap_or_default());
        let ask_again = later(now.into(), pause.clamp(SOONEST, LATEST));
        let mut hint = RenewalHint::new(start, end, ask_again);
        hint.explanation = info.explanation_url;
        Ok(Some(hint))
    }
}
