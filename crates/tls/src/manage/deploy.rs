//! Deploying as a transaction: check, swap, tell, prove; else back.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use seaworthy_core::{Cancel, Context, Error, ErrorKind, Event, Result};

use super::{Deployment, ManagedCertificate, Manager, Prove, check_pair, report::Report};
use crate::{Fingerprint, History, Identifier, PrivateKey, Version, served};

/// How long one command may take.
pub(super) const LIMIT: Duration = Duration::from_secs(120);
/// How long servers may take to show the new certificate after they were told.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Old workers of a server may take a connection or two after a reload: so many rounds must be right.
const ROUNDS: usize = 3;
/// How many versions are kept beside the live one.
const KEEP: usize = 3;

impl Manager {
    /// Makes `version` live, and proves that it is served; else makes the one before it live again.
    pub(super) async fn deploy(
        &self,
        certificate: &ManagedCertificate,
        version: Option<Version>,
        history: &mut History,
        cx: &Context,
        report: &mut Report,
    ) -> Result<()> {
        let name = &certificate.name;
        let version = version.ok_or_else(|| {
            let message = format!("there is no certificate {name} to deploy");
            Error::new(ErrorKind::NotFound, "certificate.deploy", message)
        })?;
        cx.emit(Event::Started { task: format!("{name}: deploying"), total_bytes: None });
        let done = self.try_deploy(certificate, &version, cx).await;
        match &done {
            Ok(()) => {
                history.deployed();
                report.deployed = true;
            }
            Err(error) => {
                history.deploy_failed(cx.now(), error);
                history.waiting = Some(version.id.clone());
                report.deployed = false;
            }
        }
        history.save(&self.history_file(name))?;
        self.store.prune(name, KEEP, history.waiting.as_deref())?;
        done
    }

    async fn try_deploy(
        &self,
        certificate: &ManagedCertificate,
        version: &Version,
        cx: &Context,
    ) -> Result<()> {
        let name = &certificate.name;
        let key = PrivateKey::from_pem(version.key()?.expose())?;
        check_pair(&version.chain, &key, &certificate.names, cx.now())?;
        let before = self.store.current(name)?.map(|current| current.id);
        let before = before.filter(|id| *id != version.id);
        let deployment = &certificate.deployment;
        let alone = self.lock_live(cx).await?;
        self.store.swap(name, Some(&version.id))?;
        let told = tell(deployment, cx).await;
        drop(alone);
        let tried = match told {
            Ok(()) => prove(certificate, version.chain.leaf().fingerprint(), cx).await,
            failed => failed,
        };
        let Err(error) = tried else { return Ok(()) };
        // Nothing came before the first one: it stays, for what there is to go back to is nothing.
        let Some(before) = before else {
            return Err(error.remedy_or("mend what is named; the next run deploys it again"));
        };
        // The way back is taken also when the way forth was cancelled.
        let cx = cx.clone().with_cancel(Cancel::new());
        let _alone = self.lock_live(&cx).await?;
        self.store.swap(name, Some(&before))?;
        match run_all(&deployment.deploy, &cx).await {
            Ok(()) => Err(error.with("rolled back to", before)),
            Err(second) => Err(Error::new(
                error.kind(),
                "certificate.deploy",
                format!("{}; and going back failed: {}", error.chain(), second.chain()),
            )
            .caused_by(error)
            .remedy_is("look at the server: it may serve the old or the new certificate")),
        }
    }
}

/// A remedy where there is none yet.
trait RemedyOr {
    fn remedy_or(self, remedy: &str) -> Self;
}

impl RemedyOr for Error {
    fn remedy_or(self, remedy: &str) -> Self {
        if self.remedy().is_some() { self } else { self.remedy_is(remedy) }
    }
}

/// Has the servers look at what is live now.
async fn tell(deployment: &Deployment, cx: &Context) -> Result<()> {
    run_all(&deployment.check, cx).await?;
    run_all(&deployment.deploy, cx).await?;
    cx.check("certificate.deploy")
}

async fn run_all(commands: &[seaworthy_core::CommandLine], cx: &Context) -> Result<()> {
    for command in commands {
        command.run(cx, Some(LIMIT)).await?;
    }
    Ok(())
}

/// Looks with a TLS handshake, for each name at each address, whether the certificate with this
/// fingerprint is served.
async fn prove(certificate: &ManagedCertificate, wanted: Fingerprint, cx: &Context) -> Result<()> {
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
                // Nobody said that something is to listen there.
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
            "{}: nothing listens at {}: not proved to be served",
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
                    .remedy_is("start the server, or say with `prove` where it listens"));
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

/// Where `name` is to be looked for.
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
            // Behind NAT or a CDN the name leads elsewhere: the server listens here all the same.
            if found.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], 443))] } else { found }
        }
    }
}

/// The kernel lets only a machine's own addresses be bound.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}
