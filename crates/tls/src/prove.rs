//! Which certificate a server really serves: a TLS handshake that does not verify trust.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use seaworthy_core::{Error, ErrorKind, Result, handshake};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Certificate, Identifier, IssuedChain};

/// What a server presented in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Its certificate, and the chain that it sent.
    pub chain: IssuedChain,
}

/// Makes a TLS handshake with `address` for `name`, and returns what was presented. The server
/// proves that it has the key, but trust is not verified: the caller must do that.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if the handshake does not complete within `limit`.
pub async fn served(address: SocketAddr, name: &Identifier, limit: Duration) -> Result<Served> {
    let fail = |message: String| {
        Error::new(ErrorKind::Unavailable, "certificate.prove", message)
            .with("address", address)
            .with("name", name.as_str())
    };
    let server_name = ServerName::try_from(name.base().to_owned())
        .map_err(|_| fail(format!("{name} is not a host name for TLS")))?;
    let connector = TlsConnector::from(Arc::new(handshake::with_any()?));
    let work = async {
        let stream = TcpStream::connect(address).await?;
        connector.connect(server_name, stream).await
    };
    let stream = match tokio::time::timeout(limit, work).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(e)) => {
            return Err(
                fail(format!("the TLS handshake for {name} with {address} failed")).caused_by(e)
            );
        }
        Err(_) => {
            let seconds = limit.as_secs();
            return Err(fail(format!(
                "the TLS handshake for {name} with {address} did not complete within \
                     {seconds} s"
            )));
        }
    };
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let mut all = shown.iter().map(|der| Certificate::from_der(der));
    let leaf = all.next().ok_or_else(|| fail(format!("{address} presents no certificate")))??;
    Ok(Served { chain: IssuedChain::new(leaf, all.collect::<Result<_>>()?) })
}

/// Whether a client of this machine would trust `chain` for `name`: by the machine's roots.
///
/// # Errors
/// [`ErrorKind::Untrusted`], with the reason.
#[cfg(feature = "acme")]
pub fn trusted(chain: &IssuedChain, name: &Identifier) -> Result<()> {
    use rustls::{
        client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, UnixTime},
    };
    let fail = |message: &str| Error::new(ErrorKind::Untrusted, "certificate.trust", message);
    let server_name = ServerName::try_from(name.base().to_owned())
        .map_err(|_| fail("the name is not a host name for TLS"))?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|e| fail("this machine trusts no roots").caused_by(e))?;
    let leaf = CertificateDer::from(chain.leaf().der());
    let above: Vec<_> = chain.above().iter().map(|c| CertificateDer::from(c.der())).collect();
    let verdict = verifier.verify_server_cert(&leaf, &above, &server_name, &[], UnixTime::now());
    verdict.map(drop).map_err(|e| fail("clients do not trust it").caused_by(e))
}
