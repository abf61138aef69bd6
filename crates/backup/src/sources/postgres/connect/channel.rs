//! A connection to one host: through a socket or over TCP, with or without TLS, and always with a
//! [`Tap`] for rows.

use std::{
    error::Error as StdError,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use seaworthy_core::ErrorKind;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    task::JoinHandle,
};
use tokio_postgres::{
    Client, Config, Connection, Error, NoTls, SimpleQueryMessage, Socket,
    config::{SslMode as DriverSslMode, SslNegotiation, TargetSessionAttrs},
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};

use super::{
    error,
    rows::{Shared, Tap},
    tls::{SslMode, Tls},
};

/// Where one server listens.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// With one host.
    pub(crate) config: Config,
    /// The unix socket, if it is one.
    pub(crate) socket: Option<PathBuf>,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) client: Client,
    /// Copies the bytes, and ends with the connection.
    pub(crate) task: JoinHandle<()>,
    /// Where the rows of a COPY are received.
    pub(crate) rows: Shared,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Refusal {
    Driver(Error),
    Socket(PathBuf, io::Error),
    /// The server is a standby but should not be one, or the reverse.
    OtherRole,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl Refusal {
    /// `message` with the reason.
    pub(crate) fn explain(self, operation: &'static str, message: String) -> seaworthy_core::Error {
        let unavailable = |why: String| {
            let message = format!("{message}: {why}");
            seaworthy_core::Error::new(ErrorKind::Unavailable, operation, message)
        };
        match self {
            Self::Driver(source) => error::failed(operation, message, source),
            Self::Socket(path, source) => unavailable(format!("{}: {source}", path.display()))
                .caused_by(source)
                .remedy_is(error::IS_IT_RUNNING),
            Self::OtherRole => unavailable("it is not the requested kind of server".to_owned())
                .remedy_is("set another host, or change target_session_attrs"),
        }
    }
}

/// Connects as `mode` says. As with libpq, no mode uses TLS on a unix socket.
pub(crate) async fn open(place: &Place, mode: SslMode, tls: &Tls) -> Result<Channel, Refusal> {
    if let Some(path) = &place.socket {
        return by_socket(place, path).await;
    }
    Ok(match mode {
        SslMode::Disable => by_tcp(place, None).await,
        SslMode::Allow => match by_tcp(place, None).await {
            Err(_) => by_tcp(place, Some(tls)).await,
            plain => plain,
        },
        SslMode::Prefer => match by_tcp(place, Some(tls)).await {
            Err(error) if is_of_tls(&error) => by_tcp(place, None).await,
            encrypted => encrypted,
        },
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
            by_tcp(place, Some(tls)).await
        }
    }?)
}

/// Whether the server refused TLS: the driver reports it only with these words.
fn is_of_tls(error: &Error) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

async fn by_tcp(place: &Place, tls: Option<&Tls>) -> Result<Channel, Error> {
    let rows = Shared::default();
    let mut config = place.config.clone();
    config.ssl_mode(DriverSslMode::Require);
    if tls.is_none() {
        // Sends no TLS request and calls the connector, which then only adds the tap.
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    let connector = Connector { tls: tls.cloned(), rows: rows.clone() };
    let (client, connection) = config.connect(connector).await?;
    Ok(Channel { client, task: drive(connection), rows })
}

async fn by_socket(place: &Place, path: &Path) -> Result<Channel, Refusal> {
    let connecting = UnixStream::connect(path);
    let stream = match place.config.get_connect_timeout() {
        Some(timeout) => tokio::time::timeout(*timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        None => connecting.await,
    };
    let stream = stream.map_err(|source| Refusal::Socket(path.to_owned(), source))?;
    let mut config = place.config.clone();
    config.ssl_mode(DriverSslMode::Disable);
    let rows = Shared::default();
    let (client, connection) = config.connect_raw(Tap::new(stream, rows.clone()), NoTls).await?;
    let channel = Channel { client, task: drive(connection), rows };
    // The driver uses this only if it opens the connection itself.
    let wanted = match config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => "off",
        TargetSessionAttrs::ReadOnly => "on",
        _ => return Ok(channel),
    };
    let answers = channel.client.simple_query("SHOW transaction_read_only").await?;
    let is_wanted = answers.iter().any(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0) == Some(wanted),
        _ => false,
    });
    if is_wanted { Ok(channel) } else { Err(Refusal::OtherRole) }
}

fn drive<S, T>(connection: Connection<S, T>) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        // Callers that wait for a response get the error.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    })
}

/// Opens the driver's connections: adds TLS, if wanted, and the tap.
struct Connector {
    tls: Option<Tls>,
    rows: Shared,
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = Tap<Stream>;
    type TlsConnect = Connect;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Connect, Self::Error> {
        let tls = match &mut self.tls {
            Some(tls) => Some(MakeTlsConnect::<Socket>::make_tls_connect(tls, host)?),
            None => None,
        };
        Ok(Connect { tls, rows: self.rows.clone() })
    }
}

struct Connect {
    tls: Option<<Tls as MakeTlsConnect<Socket>>::TlsConnect>,
    rows: Shared,
}

impl TlsConnect<Socket> for Connect {
    type Stream = Tap<Stream>;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let stream = match self.tls {
                None => Stream::Plain(socket),
                Some(tls) => Stream::Encrypted(Box::new(tls.connect(socket).await?)),
            };
            Ok(Tap::new(stream, self.rows))
        })
    }
}

/// A connection by TCP.
enum Stream {
    Plain(Socket),
    Encrypted(Box<<Tls as MakeTlsConnect<Socket>>::Stream>),
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        match self {
            Self::Plain(_) => ChannelBinding::none(),
            Self::Encrypted(stream) => stream.channel_binding(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, out),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
