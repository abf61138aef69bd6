//! Whether the servers show the certificate that was deployed.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use seaworthy_core::{Context, Error, ErrorKind, Event, Result};

use super::{Deployment, ManagedCertificate, Prove};
use crate::{Fingerprint, Identifier, served};

/// How long servers may take to serve the new certificate after the reload.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Old workers of a server may accept a connection or two after a reload: this many rounds must be
/// right.
const ROUNDS: usize = 3;

/// Checks with a TLS handshake, for each name at each address, that the certificate with this
/// fingerprint is served.
pub(super) async fn prove(
    certificate: &ManagedCertificate,
    wanted: Fingerprint,
    cx: &Context,
) -> Result<()> {
    let names = certificate.names.iter().filter(|name| !name.is_wildcard());
    let mut looks = Vec::new();
    for name in names {
        looks.extend(
            addresses(name, &certificate.deployment).await.into_iter().map(|at| (name, at)),
        );
    }
    let must_answer = matches!(certificate.deployment.prove, Prove::At(_));
    let mut unproved: Vec<SocketAddr> = Vec::new();
    for round in 0..ROUNDS {
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        for (name, address) in &looks {
            if unproved.contains(address) {
                continue;
            }
            match prove_one(name, *address, wanted, cx).await {
                Ok(()) => {}
                // The configuration does not say that something listens there.
                Err(error) if !must_answer && error.kind() == ErrorKind::NotFound => {
                    unproved.push(*address);
                }
                Err(error) => return Err(error),
            }
        }
    }
    if !looks.is_empty() && looks.iter().all(|(_, address)| unproved.contains(address)) {
        let places: Vec<_> = unproved.iter().map(ToString::to_string).collect();
        cx.emit(Event::warning(format!(
            "{}: nothing listens at {}: cannot prove that it is served",
            certificate.name,
            places.join(", ")
        )));
    }
    Ok(())
}

async fn prove_one(
    name: &Identifier,
    address: SocketAddr,
    wanted: Fingerprint,
    cx: &Context,
) -> Result<()> {
    let begun = Instant::now();
    loop {
        let seen = served(address, name, HANDSHAKE).await;
        match &seen {
            Ok(seen) if seen.chain.leaf().fingerprint() == wanted => return Ok(()),
            Err(_) if begun.elapsed() > Duration::from_secs(2) && is_refused(address).await => {
                let message = format!("nothing listens at {address}");
                return Err(Error::new(ErrorKind::NotFound, "certificate.prove", message)
                    .remedy_is(
                        "start the server, or set `prove` to the address where it listens",
                    ));
            }
            _ => {}
        }
        cx.check("certificate.prove")?;
        if begun.elapsed() > PATIENCE {
            return Err(match seen {
                Ok(seen) => {
                    let leaf = seen.chain.leaf();
                    let message = format!(
                        "{address} serves another certificate for {name}: {} until {}",
                        leaf.issuer(),
                        leaf.validity().not_after
                    );
                    Error::new(ErrorKind::Unavailable, "certificate.prove", message).remedy_is(
                        "does the server read live/<name>/fullchain.pem, and does `deploy` reload it?",
                    )
                }
                Err(error) => error,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn is_refused(address: SocketAddr) -> bool {
    let connected = tokio::net::TcpStream::connect(address).await;
    connected.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// The addresses at which to check `name`.
async fn addresses(name: &Identifier, deployment: &Deployment) -> Vec<SocketAddr> {
    match &deployment.prove {
        Prove::At(addresses) => addresses.clone(),
        Prove::Nowhere => Vec::new(),
        Prove::Here if deployment.deploy.is_empty() => Vec::new(),
        Prove::Here => {
            let found: Vec<SocketAddr> = match tokio::net::lookup_host((name.base(), 443)).await {
                Ok(found) => found.filter(|at| is_of_this_machine(at.ip())).collect(),
                Err(_) => Vec::new(),
            };
            // Behind NAT or a CDN the name resolves to another address, but the server listens
            // here.
            if found.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], 443))] } else { found }
        }
    }
}

/// The kernel lets a program bind only addresses of the machine.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}
