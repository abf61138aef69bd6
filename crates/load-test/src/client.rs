//! One connection's side of HTTP.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::{
    config::HttpVersion,
    dial::{Dial, Stream},
    tally::Answer,
};

type Body = Full<Bytes>;
type Io = TokioIo<Box<dyn Stream>>;

/// Sends requests, one at a time, over connections that it makes as it needs them.
pub(crate) struct Client {
    dial: Arc<dyn Dial>,
    connection: Connection,
}

#[allow(
    clippy::large_enum_variant,
    reason = "there are few of them, and each lives for the whole test"
)]
enum Connection {
    /// The connection is driven by whoever waits for an answer: no other task has to wake up.
    Http1(Option<Http1>),
    /// Shared with other clients, each of which has its own stream.
    Http2(Shared),
}

/// An HTTP/2 connection that several clients use.
pub(crate) type Shared = Arc<tokio::sync::Mutex<Option<http2::SendRequest<Body>>>>;

impl Client {
    pub(crate) fn new(dial: Arc<dyn Dial>, http: HttpVersion, shared: &Shared) -> Self {
        let connection = match http {
            HttpVersion::Http1 => Connection::Http1(None),
            HttpVersion::Http2 => Connection::Http2(shared.clone()),
        };
        Self { dial, connection }
    }

    /// Sends a request and reads the answer to its end; else says what kind of error it was. The
    /// connection is not used again after an error. A request that a server did not take because it
    /// was just closing the connection, as servers do with those that were used often or stood idle,
    /// is sent again on a new one.
    pub(crate) async fn send(
        &mut self,
        request: &(dyn Fn() -> Request<Body> + Sync),
    ) -> Result<Answer, &'static str> {
        match &mut self.connection {
            Connection::Http1(open) => {
                if let Some((sender, connection)) = open.take() {
                    match exchange(sender, connection, request()).await {
                        Ok((answer, again)) => {
                            *open = again;
                            return Ok(answer);
                        }
                        Err(error) if was_not_taken(&error) => {}
                        Err(error) => return Err(kind_of(&error)),
                    }
                }
                let io = TokioIo::new(self.dial.dial().await.map_err(|e| kind_of_io(&e))?);
                let (sender, connection) = http1::handshake(io).await.map_err(|e| kind_of(&e))?;
                let (answer, again) =
                    exchange(sender, connection, request()).await.map_err(|e| kind_of(&e))?;
                *open = again;
                Ok(answer)
            }
            Connection::Http2(shared) => {
                let mut tries = 0;
                loop {
                    let mut sender = connected(&self.dial, shared).await?;
                    let answered = async { read(sender.send_request(request()).await?).await };
                    tries += 1;
                    match answered.await {
                        Ok(answer) => return Ok(answer),
                        Err(error) if tries < 3 && was_not_taken(&error) => {}
                        Err(error) => return Err(kind_of(&error)),
                    }
                }
            }
        }
    }

    /// Gives the connection up, such as after an answer that came too late.
    pub(crate) fn forget(&mut self) {
        if let Connection::Http1(open) = &mut self.connection {
            *open = None;
        }
    }
}

type Http1 = (http1::SendRequest<Body>, http1::Connection<Io, Body>);

/// Sends one request; gives the connection back where it can be used again.
async fn exchange(
    mut sender: http1::SendRequest<Body>,
    mut connection: http1::Connection<Io, Body>,
    request: Request<Body>,
) -> hyper::Result<(Answer, Option<Http1>)> {
    let exchange = async {
        sender.ready().await?;
        let answer = read(sender.send_request(request).await?).await?;
        // The connection is free again, or it is over.
        let again = sender.ready().await.is_ok();
        Ok::<_, hyper::Error>((answer, again))
    };
    let (answer, again) = drive(exchange, &mut connection).await?;
    Ok((answer, again.then_some((sender, connection))))
}

/// Polls `exchange`, and `connection` whenever that waits.
async fn drive<T, E>(
    exchange: impl Future<Output = Result<T, E>>,
    connection: &mut http1::Connection<Io, Body>,
) -> Result<T, E> {
    let mut exchange = pin!(exchange);
    let mut over = false;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = exchange.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if !over {
            // How it ended is told to the exchange.
            over = Pin::new(&mut *connection).poll(cx).is_ready();
        }
        exchange.as_mut().poll(cx)
    })
    .await
}

async fn connected(
    dial: &Arc<dyn Dial>,
    shared: &Shared,
) -> Result<http2::SendRequest<Body>, &'static str> {
    let mut open = shared.lock().await;
    if let Some(sender) = open.as_ref().filter(|sender| !sender.is_closed()) {
        return Ok(sender.clone());
    }
    let io = dial.dial().await.map_err(|e| kind_of_io(&e))?;
    let handshake = http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(io));
    let (sender, connection) = handshake.await.map_err(|e| kind_of(&e))?;
    // It ends when the last sender is gone; how it failed is told to the requests.
    tokio::spawn(async move { drop(connection.await) });
    *open = Some(sender.clone());
    Ok(sender)
}

async fn read(response: Response<Incoming>) -> hyper::Result<Answer> {
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len) as u64;
    }
    Ok(Answer { status, bytes })
}

/// Whether the server never looked at the request, since it was closing the connection in peace.
fn was_not_taken(error: &hyper::Error) -> bool {
    let http2 =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    let reason = http2.and_then(h2::Error::reason);
    error.is_canceled() || matches!(reason, Some(h2::Reason::NO_ERROR | h2::Reason::REFUSED_STREAM))
}

fn kind_of(error: &hyper::Error) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>() {
            return kind_of_io(io);
        }
        cause = one.source();
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        "connection closed"
    } else {
        "not HTTP"
    }
}

fn kind_of_io(error: &io::Error) -> &'static str {
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return "TLS";
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "connection reset",
        io::ErrorKind::UnexpectedEof => "connection closed",
        io::ErrorKind::TimedOut => "timed out",
        io::ErrorKind::AddrNotAvailable => "no free port",
        _ if error.raw_os_error() == Some(24) => "too many open files",
        _ => "connection failed",
    }
}
