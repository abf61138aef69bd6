//! Whether the answer to an HTTP-01 challenge can be seen at every address of a name.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Challenge, ChallengeSolver, Identifier, manage::Finding};

const LIMIT: Duration = Duration::from_secs(8);

/// Publishes a probe where challenge answers go, and requests it as the authority will.
pub(super) async fn probe(
    solver: &dyn ChallengeSolver,
    name: &Identifier,
    addresses: &[IpAddr],
    port: u16,
) -> Vec<Finding> {
    let mut random = [0; 16];
    // Even a predictable token works as a probe.
    getrandom::fill(&mut random).unwrap_or_default();
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let token = format!("seaworthy-probe-{token}");
    let Ok(challenge) = Challenge::new(name.clone(), &token, format!("{token}.probe")) else {
        return Vec::new();
    };
    if let Err(error) = solver.present(&challenge).await {
        let remedy = error.remedy().unwrap_or("fix the problem").to_owned();
        return vec![Finding::certain(name.as_str(), error.chain(), remedy)];
    }
    let asked = addresses.iter().map(|ip| ask(SocketAddr::new(*ip, port), name, &challenge));
    let found = join_all(asked).await;
    if let Err(error) = solver.cleanup(&challenge).await {
        tracing::debug!("the probe for {name} could not be removed: {}", error.chain());
    }
    found.into_iter().flatten().collect()
}

async fn ask(address: SocketAddr, name: &Identifier, challenge: &Challenge) -> Option<Finding> {
    let likely =
        |message: String, remedy: &str| Some(Finding::likely(name.as_str(), message, remedy));
    let work = async {
        let mut stream = TcpStream::connect(address).await?;
        let host = match name.ip() {
            Some(IpAddr::V6(ip)) => format!("[{ip}]"),
            _ => name.base().to_owned(),
        };
        let path = challenge.http_path();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(64 << 10).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = match tokio::time::timeout(LIMIT, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(e)) => {
            return likely(
                format!("does not respond at {address}: {e}"),
                "open the port in the firewall, or correct the record; behind NAT this may be fine",
            );
        }
        Err(_) => {
            return likely(
                format!("does not respond at {address} within {} s", LIMIT.as_secs()),
                "open the port in the firewall, or correct the record; behind NAT this may be fine",
            );
        }
    };
    let status = answer.split(' ').nth(1).unwrap_or_default();
    // Authorities follow redirects; they will see where this one leads.
    if answer.contains(challenge.key_authorization()) || status.starts_with('3') {
        return None;
    }
    likely(
        format!("another server responds at {address} ({status}): it does not have the probe file"),
        "point this record to this machine, or serve the webroot at \
         /.well-known/acme-challenge/ there",
    )
}
