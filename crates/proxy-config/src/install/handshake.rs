//! The handshake that each site must complete: with the certificate on disk, and its key.

use std::{path::Path, sync::Arc, time::Duration};

use seaworthy_core::{Error, ErrorKind, Result, handshake};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::{NginxInstaller, Served, prove::first_of_answer};

impl NginxInstaller {
    /// The beginning of the site's response over TLS. Fails unless it presents the first
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
            .map_err(|e| fail(format!("{host} is not a host name for TLS")).caused_by(e))?;
        let connector = TlsConnector::from(Arc::new(handshake::with_only(leaf.as_ref())?));
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
