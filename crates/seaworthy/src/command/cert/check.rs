//! `cert check`: are the certificates on disk good, and are they what visitors see?

use std::{net::SocketAddr, os::unix::fs::PermissionsExt, str::FromStr, time::Duration};

use futures_util::future::join_all;
use seaworthy_core::{Context, Error, ErrorKind, Name, Result, Timestamp};
use seaworthy_tls::{
    Action, Fingerprint, Identifier, PrivateKey, config::ProveConfig, manage::check_pair, served,
    trusted,
};
use serde::{Deserialize, Serialize};

use crate::{Outcome, Reply, Seaworthy, command::request};

const HANDSHAKE: Duration = Duration::from_secs(10);
const DAY: u64 = 86_400;

/// What `cert check` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertCheckRequest {
    /// Certificates of the file, or any server as host:port.
    #[cfg_attr(feature = "clap", arg(value_name = "NAME|HOST:PORT"))]
    pub targets: Vec<Target>,
}

request!(CertCheckRequest, "cert check", cert_check -> CheckResult);

/// What to check: a certificate of the file, or any server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A certificate of the file.
    Certificate(Name),
    /// Any server, `host:port`.
    Server {
        /// The requested host name.
        host: Identifier,
        /// Its port.
        port: u16,
    },
}

seaworthy_core::written_as_string!(
    Target,
    "CertCheckTarget",
    "a certificate of the file, or a server such as www.example.com:443"
);

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Name::new(text).map(Self::Certificate);
        };
        let port = port.parse().map_err(|_| {
            let message = format!("{text:?} does not end with a port");
            Error::new(ErrorKind::InvalidInput, "certificate.check", message)
                .remedy_is("write host:port, such as www.example.com:443")
        })?;
        let host = host.trim_start_matches('[').trim_end_matches(']').parse()?;
        Ok(Self::Server { host, port })
    }
}

/// The result of `cert check`.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// Each certificate on disk, and each server that was checked.
    pub checked: Vec<Checked>,
}

/// One certificate that was checked.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// The certificate's name, or the requested host name.
    pub target: String,
    /// The server's address; `None` for a certificate on disk.
    pub address: Option<SocketAddr>,
    /// The purpose of the key pair.
    pub names: Vec<Identifier>,
    /// The end of its validity.
    pub not_after: Option<Timestamp>,
    /// How many full days that is from now.
    pub days_left: Option<u64>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The SHA-256 of it.
    pub fingerprint: Option<Fingerprint>,
    /// The findings.
    pub findings: Vec<String>,
}

impl Seaworthy {
    /// Checks certificates on disk and as served, and other servers. Without a target: all
    /// certificates of the file.
    pub async fn cert_check(&self, request: &CertCheckRequest, cx: &Context) -> Reply<CheckResult> {
        let targets = request.targets.as_slice();
        let mut checked = Vec::new();
        let all: Vec<Target>;
        let targets = if targets.is_empty() {
            all = self.config.certificate.names().cloned().map(Target::Certificate).collect();
            &all
        } else {
            targets
        };
        for target in targets {
            let looked = match target {
                Target::Certificate(name) => self.check_certificate(name, cx).await,
                Target::Server { host, port } => {
                    Ok(check_server(host, *port, None, true, cx).await)
                }
            };
            match looked {
                Ok(looked) => checked.extend(looked),
                Err(error) => return error.into(),
            }
        }
        let good = checked.iter().all(|checked| checked.findings.is_empty());
        let outcome = if good { Outcome::Done } else { Outcome::Findings };
        Reply::new(CheckResult { checked }, outcome)
    }

    pub(crate) async fn check_certificate(
        &self,
        name: &Name,
        cx: &Context,
    ) -> Result<Vec<Checked>> {
        self.certificate_names(std::slice::from_ref(name))?;
        let Some(config) = self.config.certificate.get(name.as_str()) else {
            return Ok(Vec::new());
        };
        let manager = self.certificate_manager();
        let mut on_disk = Checked::new(name.to_string(), None);
        let Some(version) = manager.store().current(name)? else {
            on_disk.names.clone_from(&config.names);
            let advice = match manager.store().is_placeholder(name) {
                true => "only a placeholder is there; `seaworthy cert issue` gets a real one",
                false => "there is none; `seaworthy cert issue` gets one",
            };
            on_disk.findings.push(advice.to_owned());
            return Ok(vec![on_disk]);
        };
        on_disk.shows(version.chain.leaf(), cx.now());
        let key = PrivateKey::from_pem(version.key()?.expose());
        let pair = key.and_then(|key| check_pair(&version.chain, &key, &config.names, cx.now()));
        if let Err(error) = pair {
            on_disk.findings.push(error.chain());
        }
        let file = version.folder().join("privkey.pem");
        if file.metadata().is_ok_and(|m| m.permissions().mode() & 0o077 != 0) {
            on_disk
                .findings
                .push(format!("other users can read {}: run chmod 600", file.display()));
        }
        let state = self.cert_state(&manager, name, cx)?;
        match state.action {
            Some(Action::Renew { .. } | Action::Wait { .. }) if state.failures > 0 => {
                let why = state.last_error.unwrap_or_default();
                on_disk
                    .findings
                    .push(format!("the renewal failed {} times: {why}", state.failures));
            }
            _ if !state.deployed => {
                let why = state.last_error.unwrap_or_default();
                on_disk.findings.push(format!("a newer one is issued, but not deployed: {why}"));
            }
            _ => {}
        }
        let wanted = version.chain.leaf().fingerprint();
        let mut all = vec![on_disk];
        let served_by_us = !config.deploy.is_empty() || config.prove.is_some();
        if served_by_us && config.prove != Some(ProveConfig::Whether(false)) {
            let hosts = config.names.iter().filter(|name| !name.is_wildcard());
            let looks = hosts.map(|host| async move {
                match &config.prove {
                    Some(ProveConfig::At(servers)) => {
                        let addresses = servers.iter().map(|server| server.or_port(443));
                        check_addresses(host, addresses, Some(wanted), false, cx).await
                    }
                    _ => check_server(host, 443, Some(wanted), false, cx).await,
                }
            });
            all.extend(join_all(looks).await.into_iter().flatten());
        }
        Ok(all)
    }
}

impl Checked {
    fn new(target: String, address: Option<SocketAddr>) -> Self {
        Self {
            target,
            address,
            names: Vec::new(),
            not_after: None,
            days_left: None,
            issuer: None,
            fingerprint: None,
            findings: Vec::new(),
        }
    }

    fn shows(&mut self, leaf: &seaworthy_tls::Certificate, now: Timestamp) {
        let validity = leaf.validity();
        self.names = leaf.names().to_vec();
        self.not_after = Some(validity.not_after);
        self.days_left = Some(validity.not_after.since(now).as_secs() / DAY);
        self.issuer = Some(leaf.issuer().to_owned());
        self.fingerprint = Some(leaf.fingerprint());
        if now > validity.not_after {
            self.findings.push(format!("it expired {}", validity.not_after));
        } else if now < validity.not_before {
            self.findings.push(format!("it is valid only from {}", validity.not_before));
        } else {
            // With timely renewals this never happens.
            let left = validity.not_after.since(now).as_secs();
            let life = validity.lifetime().as_secs();
            if left < life / 6 {
                self.findings
                    .push(format!("it expires {}, and is not renewed", validity.not_after));
            }
        }
    }
}

/// Every address of `host`.
async fn check_server(
    host: &Identifier,
    port: u16,
    wanted: Option<Fingerprint>,
    trust: bool,
    cx: &Context,
) -> Vec<Checked> {
    let looked_up = async {
        match host.ip() {
            Some(ip) => Ok(vec![SocketAddr::new(ip, port)]),
            None => Ok(tokio::net::lookup_host((host.base(), port)).await?.collect()),
        }
    };
    let found: std::io::Result<Vec<_>> = match tokio::time::timeout(HANDSHAKE, looked_up).await {
        Ok(found) => found,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    };
    match found {
        Ok(found) => check_addresses(host, found.into_iter(), wanted, trust, cx).await,
        Err(e) => {
            let mut checked = Checked::new(format!("{host}:{port}"), None);
            checked.findings.push(format!("it is not in DNS: {e}"));
            vec![checked]
        }
    }
}

/// Each of `addresses`, in parallel.
async fn check_addresses(
    host: &Identifier,
    addresses: impl Iterator<Item = SocketAddr>,
    wanted: Option<Fingerprint>,
    trust: bool,
    cx: &Context,
) -> Vec<Checked> {
    join_all(addresses.map(|address| check_address(host, address, wanted, trust, cx))).await
}

async fn check_address(
    host: &Identifier,
    address: SocketAddr,
    wanted: Option<Fingerprint>,
    trust: bool,
    cx: &Context,
) -> Checked {
    let mut checked = Checked::new(format!("{host}:{}", address.port()), Some(address));
    let seen = tokio::select! {
        seen = served(address, host, HANDSHAKE) => seen,
        () = cx.cancel().triggered() => Err(Error::cancelled("certificate.check")),
    };
    match seen {
        Err(error) => checked.findings.push(error.chain()),
        Ok(seen) => {
            let leaf = seen.chain.leaf();
            checked.shows(leaf, cx.now());
            if !leaf.covers(host) {
                checked.findings.push(format!("it does not cover {host}"));
            }
            if wanted.is_some_and(|wanted| wanted != leaf.fingerprint()) {
                let advice =
                    "the served certificate differs from the one on disk: reload the server";
                checked.findings.push(advice.to_owned());
            }
            if trust && let Err(error) = trusted(&seen.chain, host) {
                checked.findings.push(error.chain());
            }
        }
    }
    checked
}
