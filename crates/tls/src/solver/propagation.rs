//! Whether a TXT record is visible everywhere.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use seaworthy_core::{Context, Error, ErrorKind, Result};

use crate::Resolver;

/// How to check that a TXT record has propagated, before the authority checks.
#[derive(Clone, Debug)]
pub struct Propagation {
    resolver: Resolver,
    servers: Vec<SocketAddr>,
    limit: Duration,
}

impl Propagation {
    /// Asks `resolver` which servers have the zone, and waits up to five minutes until each of them
    /// has the record.
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver, servers: Vec::new(), limit: Duration::from_secs(300) }
    }

    /// Asks these servers instead.
    #[must_use]
    pub fn servers(mut self, servers: Vec<SocketAddr>) -> Self {
        self.servers = servers;
        self
    }

    /// Waits this long.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The name of the record for `name`: at the end of its CNAMEs.
    pub(super) async fn place(&self, name: &str) -> Result<String> {
        self.resolver.follow(name).await
    }

    /// Waits until every server returns `value` for `name`.
    pub(super) async fn wait(&self, name: &str, value: &str, cx: &Context) -> Result<()> {
        let until = Instant::now() + self.limit;
        let mut pause = Duration::from_millis(100);
        loop {
            let Some(lacking) = self.lacking(name, value).await? else { return Ok(()) };
            if Instant::now() + pause > until {
                let seconds = self.limit.as_secs();
                let message =
                    format!("{lacking} does not return the TXT record {name} after {seconds} s");
                return Err(Error::new(ErrorKind::TimedOut, "challenge.ready", message)
                    .remedy_is("check whether the record is created in the right zone"));
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cx.cancel().triggered() => return Err(Error::cancelled("challenge.ready")),
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// A server that does not return it yet.
    async fn lacking(&self, name: &str, value: &str) -> Result<Option<String>> {
        let mut servers = self.servers.clone();
        if servers.is_empty() {
            let found = self.resolver.authorities(name).await.unwrap_or_default();
            servers.extend(found.into_iter().map(|ip| SocketAddr::new(ip, 53)));
        }
        let shows = |records: Vec<String>| records.iter().any(|record| record == value);
        if servers.is_empty() {
            let seen = self.resolver.txt(name).await.is_ok_and(shows);
            return Ok((!seen).then(|| "DNS".to_owned()));
        }
        let mut lacking = None;
        let mut answered = 0;
        for server in &servers {
            match Resolver::of(&[*server])?.txt(name).await {
                Ok(records) => {
                    answered += 1;
                    if !shows(records) {
                        lacking = Some(server.to_string());
                    }
                }
                // One server that is down must not block if all the others have the record.
                Err(_) => tracing::debug!("{server} does not answer"),
            }
        }
        Ok(if answered == 0 { Some("each name server".to_owned()) } else { lacking })
    }
}
