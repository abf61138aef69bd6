//! The handshake that each site must make: with the certificate that lies on disk, and its key.

use std::{path::Path, sync::Arc, time::Duration};

use seaworthy_core::{Error, ErrorKind, Result};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    },
};

use super::{NginxInstaller, Served, prove::first_of_answer};

impl NginxInstaller {
    /// What the site answers over TLS: the beginning of it. Fails unless it shows the first
    /// certificate of `chain`, and proves that it has its key.
    pub(super) async fn shake_hands(
        &self,
        served: &Served,
        chain: &Path,
        limit: Duration,
    ) -> Result<String> {
        let host = &served.host;
        let fail = |message: String| Error::new(ErrorKind::Unavailable, "proxy.prove", message);
        let leaf = CertificateDer::from_pem_file(chain).map_err(|e| {
            fail(format!("cannot read the certificate {}", chain.display())).caused_by(e)
        })?;
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name)
            .map_err(|e| fail(format!("{host} has no name for TLS")).caused_by(e))?;
        let connector = TlsConnector::from(Arc::new(only(leaf)?));
        let work = async {
            let stream = TcpStream::connect(self.ask_tls).await?;
            first_of_answer(connector.connect(name, stream).await?, host).await
        };
        let answer = match tokio::time::timeout(limit, work).await {
            Ok(answer) => answer,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        };
        answer.map_err(|e| match e.kind() {
            std::io::ErrorKind::TimedOut => {
                Error::io("proxy.prove", format!("{host} does not answer over TLS"), e)
            }
            _ => fail(format!(
                "{host} does not serve the certificate {} on {}",
                chain.display(),
                self.ask_tls
            ))
            .caused_by(e),
        })
    }
}

/// Takes the certificate `leaf` alone, whoever signed it.
fn only(leaf: CertificateDer<'static>) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Only { leaf, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::Internal, "proxy.prove", e.to_string()))?;
    // Whether others trust it is the business of who issues it: here it is about which one it is.
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[derive(Debug)]
struct Only {
    leaf: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, tokio_rustls::rustls::Error> {
        if shown.as_ref() == self.leaf.as_ref() {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, tokio_rustls::rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, tokio_rustls::rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
