//! `proxy switch`: another pool for a site, without losing a request.

use std::time::Duration;

use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result, apply};
use seaworthy_proxy_config::NginxInstaller;
use serde::{Deserialize, Serialize};

use super::Choices;
use crate::command::request;
use crate::{Reply, Seaworthy};

/// The request of `proxy switch`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct ProxySwitchRequest {
    /// The site.
    pub site: Name,
    /// The pool of its upstream to activate.
    #[cfg_attr(feature = "clap", arg(help = "The pool"))]
    pub to: Name,
    /// How long the servers of that pool may take to be well: a minute, unless a Rust program says
    /// something else.
    #[serde(skip, default = "minute")]
    #[cfg_attr(feature = "clap", arg(skip = minute()))]
    pub patience: Duration,
    /// How long the old workers may take to finish what they are at: as long.
    #[serde(skip, default = "minute")]
    #[cfg_attr(feature = "clap", arg(skip = minute()))]
    pub drain: Duration,
}

request!(ProxySwitchRequest, "proxy switch", proxy_switch -> ProxySwitchResult);

impl ProxySwitchRequest {
    /// Switches `site` to the pool `to`; a minute for its servers, and a minute for the old workers.
    pub fn new(site: Name, to: Name) -> Self {
        Self { site, to, patience: minute(), drain: minute() }
    }
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

/// The result of `proxy switch`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProxySwitchResult {
    /// The requested site; others that use the upstream switch with it.
    pub site: Name,
    /// Its upstream.
    pub upstream: Name,
    /// The previous pool.
    pub from: Name,
    /// The active pool.
    pub to: Name,
    /// Whether the previous servers are no longer used. Otherwise a long request or a WebSocket
    /// still uses them.
    pub drained: bool,
}

impl Seaworthy {
    /// Waits until the servers of another pool are healthy, makes nginx use them, and waits until
    /// the previous workers have ended. The choice is stored, until the file names another pool.
    pub async fn proxy_switch(
        &self,
        request: &ProxySwitchRequest,
        cx: &Context,
    ) -> Reply<ProxySwitchResult> {
        self.switch(request, cx).await.map_err(|error| self.config.locate(error)).into()
    }

    async fn switch(
        &self,
        request: &ProxySwitchRequest,
        cx: &Context,
    ) -> Result<ProxySwitchResult> {
        let _lock = self.lock_proxy("proxy switch")?;
        let before = Choices::read(self.state.path())?;
        let (mut web, _) = self.chosen_web(&before, cx)?;
        let actives = web.upstreams.clone();
        let upstream = web.switch(&request.site, &request.to)?;
        let nameless = || {
            let message = format!("[upstream.{upstream}] has no active pool");
            Error::new(ErrorKind::Internal, "proxy.switch", message)
        };
        let from = actives.get(&upstream).and_then(|u| u.active.clone()).ok_or_else(nameless)?;
        let in_file = self.config.upstream.get(upstream.as_str()).and_then(|u| u.active.clone());
        let pool = web.upstreams.get(&upstream).ok_or_else(nameless)?;
        NginxInstaller::wait_until_well(&web, pool, request.patience, cx).await?;

        // The choice is stored first: after a crash the next `apply` completes the switch.
        let mut after = before.clone();
        after.choose(upstream.clone(), in_file.ok_or_else(nameless)?, request.to.clone(), cx.now());
        let prepared = self.prepare_web(web, Vec::new(), cx).await?;
        after.write(self.state.path())?;
        let place = prepared.installer.generations();
        if let Err(error) = apply(&place, prepared.files, &prepared.installer, cx).await {
            before.write(self.state.path())?;
            return Err(error);
        }
        let drained = prepared.installer.wait_until_drained(request.drain, cx).await?;
        if !drained {
            let message =
                format!("requests to pool {from} are still running: keep its servers running");
            cx.emit(Event::warning(message));
        }
        let (site, to) = (request.site.clone(), request.to.clone());
        Ok(ProxySwitchResult { site, upstream, from, to, drained })
    }
}
