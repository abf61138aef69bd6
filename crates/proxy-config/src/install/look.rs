//! Checks whether every host of every site responds, as visitors would see it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use seaworthy_core::{Name, Result};

use super::{NginxInstaller, Served};

/// A host that takes longer counts as not responding.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many hosts are checked in parallel.
const SIDE_BY_SIDE: usize = 256;

/// The response of one host of a site.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SiteAnswer {
    /// The site.
    pub site: Name,
    /// The requested host.
    pub host: String,
    /// The address at which the web server was asked.
    pub address: SocketAddr,
    /// Whether it was asked over TLS, and presented the certificate on disk.
    pub tls: bool,
    /// The status code of the response.
    pub code: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// Why it is not healthy; `None` if it is.
    pub why: Option<String>,
}

impl NginxInstaller {
    /// Requests `/` of every host of every site from the web server of this machine, in parallel:
    /// over TLS if the site has a certificate, which must be the one on disk.
    pub async fn look(&self) -> Vec<SiteAnswer> {
        let looks: Vec<_> = self.hosts.iter().map(|served| self.look_at(served)).collect();
        stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await
    }

    async fn look_at(&self, served: &Served) -> SiteAnswer {
        let begun = Instant::now();
        if !self.generations().link().exists() {
            let why = "its configuration is not installed".to_owned();
            return self.answer(served, begun, (None, Some(why)));
        }
        #[cfg(feature = "tls")]
        let answer = match &served.chain {
            Some(chain) => self.shake_hands(served, chain, PATIENCE).await,
            None => self.ask(&served.host, PATIENCE).await,
        };
        #[cfg(not(feature = "tls"))]
        let answer = self.ask(&served.host, PATIENCE).await;
        self.answer(served, begun, judge(answer, served.in_maintenance))
    }

    fn answer(
        &self,
        served: &Served,
        begun: Instant,
        (code, why): (Option<u16>, Option<String>),
    ) -> SiteAnswer {
        #[cfg(feature = "tls")]
        let (address, tls) = match &served.chain {
            Some(_) => (self.ask_tls, true),
            None => (self.ask, false),
        };
        #[cfg(not(feature = "tls"))]
        let (address, tls) = (self.ask, false);
        SiteAnswer {
            site: served.site.clone(),
            host: served.host.clone(),
            address,
            tls,
            code,
            took: begun.elapsed(),
            why,
        }
    }
}

/// The status code of a response, and what is wrong with it.
fn judge(answer: Result<String>, in_maintenance: bool) -> (Option<u16>, Option<String>) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return (None, Some(error.chain())),
    };
    let first = answer.lines().next().unwrap_or_default();
    let code = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let why = match code {
        None if first.is_empty() => Some("it closes the connection without a response".to_owned()),
        None => Some(format!("it sent something that is not an HTTP response: {first}")),
        Some(421) => Some("another site answers for it".to_owned()),
        Some(503) if in_maintenance => None,
        Some(500..) => Some(format!("it answers {}", first.trim_start_matches("HTTP/1.1 "))),
        Some(_) => None,
    };
    (code, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_well_unless_it_fails_or_another_answers() {
        let judged = |answer: &str, maintenance| judge(Ok(answer.to_owned()), maintenance);
        for (answer, code) in
            [("HTTP/1.1 200 OK\r\n\r\n", 200), ("HTTP/1.1 301 x\r\n", 301), ("HTTP/1.1 403 x", 403)]
        {
            assert_eq!(judged(answer, false), (Some(code), None));
        }
        let (code, why) = judged("HTTP/1.1 502 Bad Gateway\r\nX: y\r\n", false);
        assert_eq!((code, why.as_deref()), (Some(502), Some("it answers 502 Bad Gateway")));
        assert!(judged("HTTP/1.1 421 x", false).1.is_some());
        assert!(judged("HTTP/1.1 503 x", false).1.is_some());
        assert!(judged("HTTP/1.1 503 x", true).1.is_none());
        assert!(judged("", false).1.is_some());
        assert!(judged("SSH-2.0", false).1.is_some());
    }
}
