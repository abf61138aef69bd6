//! Connections to the server.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use seaworthy_core::{Error, ErrorKind, Result};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(crate) type Dialled<'a> =
    Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Makes connections.
pub(crate) trait Dial: fmt::Debug + Send + Sync {
    fn dial(&self) -> Dialled<'_>;
}

/// Opens connections over TCP, with TLS if configured.
pub(crate) struct Tcp {
    addresses: Vec<SocketAddr>,
    /// The index of the address that accepted last.
    good: AtomicUsize,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tcp").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Dial for Tcp {
    fn dial(&self) -> Dialled<'_> {
        Box::pin(async move {
            let stream = self.connect().await?;
            stream.set_nodelay(true)?;
            match &self.tls {
                None => Ok(Box::new(stream) as Box<dyn Stream>),
                Some((connector, name)) => {
                    Ok(Box::new(connector.connect(name.clone(), stream).await?) as Box<dyn Stream>)
                }
            }
        })
    }
}

impl Tcp {
    /// Resolves `host`, which must be this machine unless `anywhere` is set.
    pub(crate) async fn find(host: &str, port: u16, anywhere: bool) -> Result<Self> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((bare, port)).await.map_err(|source| {
            let message = format!("cannot find the address of {host}");
            Error::new(ErrorKind::Unavailable, "load_test.address", message).caused_by(source)
        })?;
        let addresses: Vec<_> = found.collect();
        if !anywhere && addresses.iter().any(|address| !is_loopback(address)) {
            let message =
                format!("{host} is not this machine: a load test can bring a server down");
            return Err(Error::new(ErrorKind::InvalidInput, "load_test.address", message)
                .with("needs", "anywhere")
                .remedy_is("set `anywhere`, if you are allowed to load this server"));
        }
        if addresses.is_empty() {
            let message = format!("{host} has no address");
            return Err(Error::new(ErrorKind::Unavailable, "load_test.address", message));
        }
        Ok(Self { addresses, good: AtomicUsize::new(0), tls: None })
    }

    /// Connects to the address that accepted last, else to the next one that does: a server may not
    /// listen on all addresses of its name.
    async fn connect(&self) -> io::Result<TcpStream> {
        let good = self.good.load(Ordering::Relaxed);
        let mut failed = None;
        for number in (good..self.addresses.len()).chain(0..good) {
            match TcpStream::connect(self.addresses[number]).await {
                Ok(stream) => {
                    self.good.store(number, Ordering::Relaxed);
                    return Ok(stream);
                }
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        Err(failed.unwrap_or_else(|| io::ErrorKind::NotConnected.into()))
    }

    /// Speaks TLS with `host`, trusting the machine's roots or those in the file `roots`.
    pub(crate) fn with_tls(
        mut self,
        host: &str,
        roots: Option<&Path>,
        protocol: &[u8],
    ) -> Result<Self> {
        let fail = |message: String| Error::new(ErrorKind::InvalidInput, "load_test.tls", message);
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|e| {
            fail(format!("{host} is not a host name that a certificate can have")).caused_by(e)
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| fail("TLS cannot be set up".into()).caused_by(e))?
            .with_root_certificates(trusted(roots)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        self.tls = Some((TlsConnector::from(Arc::new(config)), name));
        Ok(self)
    }
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn trusted(roots: Option<&Path>) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let Some(path) = roots else {
        for root in rustls_native_certs::load_native_certs().certs {
            // The machine's store may have roots that cannot be used; the others still count.
            let _ = store.add(root);
        }
        return Ok(store);
    };
    let pem = std::fs::read(path).map_err(|e| {
        Error::io("load_test.tls", format!("cannot read the roots {}", path.display()), e)
    })?;
    let wrong = || {
        let message = format!("{} holds no certificates in PEM", path.display());
        Error::new(ErrorKind::InvalidInput, "load_test.tls", message)
    };
    for root in CertificateDer::pem_slice_iter(&pem) {
        let root = root.map_err(|e| wrong().caused_by(e))?;
        store.add(root).map_err(|e| wrong().caused_by(e))?;
    }
    if store.is_empty() { Err(wrong()) } else { Ok(store) }
}
