//! Switching a site from one pool to another, such as blue to green, without losing a request.

use std::time::{Duration, Instant};

use seaworthy_core::{Context, Error, ErrorKind, Name, Origin, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use super::NginxInstaller;
use crate::model::{Address, Server, Upstream, UrlPath, Web};

const PAUSE: Duration = Duration::from_millis(100);
/// A server that does not respond within this time is not healthy.
const PATIENCE: Duration = Duration::from_secs(5);

impl Web {
    /// Selects the pool `to` for the upstream of `site`, and returns the upstream's name.
    /// Only the model changes: wait with [`NginxInstaller::wait_until_well`], then apply it.
    pub fn switch(&mut self, site: &Name, to: &Name) -> Result<Name> {
        let Some(found) = self.sites.get(site) else {
            let known = self.sites.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("there is no [site.{site}]");
            return Err(Error::new(ErrorKind::InvalidInput, "proxy.switch", message)
                .remedy_is(format!("the sites are {known}")));
        };
        let routes = found.routes.iter().filter_map(|route| route.proxy.as_ref());
        let mut names: Vec<_> = routes
            .flat_map(|proxy| &proxy.to)
            .filter_map(|server| match server {
                Server::Upstream(name) if !self.upstreams.get(name)?.pools.is_empty() => Some(name),
                _ => None,
            })
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        let origin = Origin::new("site").field(site);
        let name = match names.as_slice() {
            [name] => name.clone(),
            [] => {
                let message = format!("{origin} has no upstream with pools");
                return Err(Error::new(ErrorKind::InvalidInput, "proxy.switch", message)
                    .at(origin)
                    .remedy_is("write `pools` and `active` in its [upstream.…]"));
            }
            _ => {
                let message = format!("{origin} has more than one upstream with pools");
                return Err(Error::new(ErrorKind::Ambiguous, "proxy.switch", message).at(origin));
            }
        };
        if let Some(upstream) = self.upstreams.get_mut(&name) {
            if !upstream.pools.contains_key(to) {
                let known = upstream.pools.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
                let message = format!("[upstream.{name}] has no pool {to}");
                return Err(Error::new(ErrorKind::InvalidInput, "proxy.switch", message)
                    .remedy_is(format!("the pools are {known}")));
            }
            upstream.active = Some(to.clone());
        }
        Ok(name)
    }
}

impl NginxInstaller {
    /// Waits until every active server of `upstream` responds to its `health` path with 200, at
    /// most `limit`. Without `health` it is enough that they accept connections.
    pub async fn wait_until_well(
        web: &Web,
        upstream: &Upstream,
        limit: Duration,
        cx: &Context,
    ) -> Result<()> {
        let mut addresses = Vec::new();
        for server in upstream.in_use() {
            match server {
                Server::Address(options) => addresses.push(&options.address),
                Server::Service(name) => {
                    addresses.extend(web.services.get(name).into_iter().flatten())
                }
                Server::Upstream(_) => {}
            }
        }
        let begun = Instant::now();
        for address in addresses {
            while let Err(why) = is_well(address, upstream.health.as_ref()).await {
                cx.check("proxy.switch")?;
                if begun.elapsed() > limit {
                    let message = format!("{address} is not healthy: {why}");
                    return Err(Error::new(ErrorKind::Unavailable, "proxy.switch", message)
                        .remedy_is("nothing was switched; check the service that listens there"));
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Waits until the workers of earlier configurations have ended, at most `limit`: then nothing
    /// uses the previous servers. `false` if some are still serving connections, such as
    /// WebSockets.
    pub async fn wait_until_drained(&self, limit: Duration, cx: &Context) -> Result<bool> {
        let begun = Instant::now();
        while self.old_workers_answer() {
            cx.check("proxy.switch")?;
            if begun.elapsed() > limit {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(true)
    }
}

async fn is_well(address: &Address, health: Option<&UrlPath>) -> Result<(), String> {
    let work = async {
        match address {
            Address::Ip(ip) => ask(TcpStream::connect(ip).await?, health).await,
            Address::Name(host, port) => {
                ask(TcpStream::connect((host.as_str(), *port)).await?, health).await
            }
            Address::Unix(path) => ask(UnixStream::connect(path).await?, health).await,
        }
    };
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(answer))) => Err(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

/// `None` if the response is 200, else its first line.
async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    health: Option<&UrlPath>,
) -> std::io::Result<Option<String>> {
    let Some(path) = health else { return Ok(None) };
    // A path may contain characters that end a request line.
    let path: String = path.as_str().bytes().fold(String::new(), |mut out, c| {
        match c {
            b'/' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(c)),
            c if c.is_ascii_alphanumeric() => out.push(char::from(c)),
            c => out.push_str(&format!("%{c:02X}")),
        }
        out
    });
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 64];
    let mut length = 0;
    while length < head.len() && !head[..length].contains(&b'\n') {
        match stream.read(&mut head[length..]).await? {
            0 => break,
            n => length += n,
        }
    }
    let line = String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or("").to_owned();
    Ok((line.split(' ').nth(1) != Some("200")).then_some(line))
}
