//! TLS-ALPN-01 through a listener of our own (RFC 8737).

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use seaworthy_core::{Context, Error, ErrorKind, Result};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::standalone::listen;
use crate::{Challenge, ChallengeKind, ChallengeSolver, Identifier, remote_key::parameters};

const PROTOCOL: &[u8] = b"acme-tls/1";
const PATIENCE: Duration = Duration::from_secs(10);

/// Listens on a port, usually 443, while challenges are open: for machines on which no other
/// program listens there.
#[derive(Debug)]
pub struct TlsAlpn {
    address: SocketAddr,
    answers: Arc<Answers>,
    server: tokio::sync::Mutex<Option<Running>>,
}

/// The challenge certificates, by the requested name.
#[derive(Debug, Default)]
struct Answers(Mutex<HashMap<String, Arc<CertifiedKey>>>);

#[derive(Debug)]
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl TlsAlpn {
    /// Listens on `address`, such as `[::]:443`, once there is something to answer.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, answers: Arc::default(), server: tokio::sync::Mutex::default() }
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl ResolvesServerCert for Answers {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.trim_end_matches('.').to_ascii_lowercase();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }
}

#[async_trait]
impl ChallengeSolver for TlsAlpn {
    fn kind(&self) -> ChallengeKind {
        ChallengeKind::TlsAlpn01
    }

    async fn present(&self, challenge: &Challenge) -> Result<()> {
        let certificate = Arc::new(special_certificate(challenge)?);
        let mut server = self.server.lock().await;
        if server.is_none() {
            let listener = listen(self.address).await?;
            let provider = Arc::new(aws_lc_rs::default_provider());
            let config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|e| internal("TLS cannot be set up").caused_by(e))?;
            let mut config = config.with_no_client_auth().with_cert_resolver(self.answers.clone());
            config.alpn_protocols = vec![PROTOCOL.to_vec()];
            let acceptor = TlsAcceptor::from(Arc::new(config));
            *server = Some(Running(tokio::spawn(async move {
                loop {
                    let Ok((stream, _)) = listener.accept().await else {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    };
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        // The handshake is all that is needed.
                        let _ = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await;
                    });
                }
            })));
        }
        self.lock().insert(asked_name(challenge.identifier()), certificate);
        Ok(())
    }

    async fn ready(&self, _: &Challenge, cx: &Context) -> Result<()> {
        cx.check("challenge.ready")
    }

    async fn cleanup(&self, challenge: &Challenge) -> Result<()> {
        let mut server = self.server.lock().await;
        let mut answers = self.lock();
        answers.remove(&asked_name(challenge.identifier()));
        if answers.is_empty() {
            *server = None;
        }
        Ok(())
    }
}

impl TlsAlpn {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.answers.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name in the handshake: an address is requested by its name in reverse DNS (RFC 8738).
fn asked_name(identifier: &Identifier) -> String {
    match identifier.ip() {
        None => identifier.base().to_owned(),
        Some(IpAddr::V4(ip)) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Some(IpAddr::V6(ip)) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            let mut name: String = nibbles.map(|nibble| format!("{nibble:x}.")).collect();
            name.push_str("ip6.arpa");
            name
        }
    }
}

fn special_certificate(challenge: &Challenge) -> Result<CertifiedKey> {
    let failed = |e: rcgen::Error| internal("cannot make the challenge certificate").caused_by(e);
    let mut parameters = parameters(std::slice::from_ref(challenge.identifier()))?;
    parameters.custom_extensions =
        vec![rcgen::CustomExtension::new_acme_identifier(&challenge.digest())];
    let key = rcgen::KeyPair::generate().map_err(failed)?;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = aws_lc_rs::sign::any_supported_type(&der)
        .map_err(|e| internal("cannot use the challenge certificate").caused_by(e))?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

fn internal(message: &str) -> Error {
    Error::new(ErrorKind::Internal, "challenge.present", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_in_reverse() {
        let name = |text: &str| asked_name(&text.parse().unwrap());
        assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert!(name("2001:db8::1").starts_with("1.0.0.0."));
        assert!(name("2001:db8::1").ends_with("8.b.d.0.1.0.0.2.ip6.arpa"));
        assert_eq!(name("a.example"), "a.example");
    }
}
