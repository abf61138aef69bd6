//! Whether every host of every site answers, as visitors would see it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use seaworthy_core::{Name, Result};

use super::{NginxInstaller, Served};

/// Who takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many hosts are asked side by side.
const SIDE_BY_SIDE: usize = 256;

/// What one host of a site answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SiteAnswer {
    /// The site.
    pub site: Name,
    /// The host that was asked for.
    pub host: String,
    /// Where the web server was asked.
    pub address: SocketAddr,
    /// Whether it was asked over TLS, and showed the certificate that lies on disk.
    pub tls: bool,
    /// The status code of the answer.
    pub code: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// Why it is not well; `None` for one that is.
    pub why: Option<String>,
}

impl NginxInstaller {
    /// Asks the web server of this machine for `/` of every host of every site, side by side: over
    /// TLS where the site has a certificate, which must be the one that lies on disk.
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

/// The code of an answer, and what is wrong with it.
fn judge(answer: Result<String>, in_maintenance: bool) -> (Option<u16>, Option<String>) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return (None, Some(error.chain())),
    };
    let first = answer.lines().next().unwrap_or_default();
    let code = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let why = match code {
        None if first.is_empty() => Some("it closes the connection without an answer".to_owned()),
        None => Some(format!("that is no answer: {first}")),
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
