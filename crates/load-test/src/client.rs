//! Sending requests over connections that are opened when needed.

use std::{io, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Response, body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::{
    config::HttpVersion,
    dial::{Dial, Stream},
    http1::Connection as Http1,
    prepare::Endpoint,
    tally::Answer,
};

/// Sends requests, one at a time, over connections that it opens as needed.
pub(crate) struct Client {
    dial: Arc<dyn Dial>,
    connection: Connection,
}

enum Connection {
    Http1(Option<Http1>),
    /// Shared with other clients, each of which has its own stream.
    Http2(Shared),
}

/// An HTTP/2 connection that several clients use.
pub(crate) type Shared = Arc<tokio::sync::Mutex<Option<http2::SendRequest<Full<Bytes>>>>>;

impl Client {
    pub(crate) fn new(dial: Arc<dyn Dial>, http: HttpVersion, shared: &Shared) -> Self {
        let connection = match http {
            HttpVersion::Http1 => Connection::Http1(None),
            HttpVersion::Http2 => Connection::Http2(shared.clone()),
        };
        Self { dial, connection }
    }

    /// Sends a request and reads the response to its end, or returns the kind of error. The
    /// connection is not used again after an error. If a server did not accept a request because it
    /// was just closing the connection (as servers do after many requests or some idle time), the
    /// request is sent again on a new one.
    pub(crate) async fn send(&mut self, endpoint: &Endpoint) -> Result<Answer, &'static str> {
        match &mut self.connection {
            Connection::Http1(open) => {
                // A caller that gives up in the meantime drops the connection, too.
                if let Some(mut connection) = open.take() {
                    match connection.exchange(&endpoint.wire).await {
                        Ok(whole) => {
                            *open = whole.again.then_some(connection);
                            return Ok(whole.answer);
                        }
                        Err(failure) if failure.may_be_sent_again(&endpoint.wire) => {}
                        Err(failure) => return Err(failure.kind),
                    }
                }
                let mut connection = Http1::new(dial(&self.dial).await?);
                let whole = connection.exchange(&endpoint.wire).await.map_err(|e| e.kind)?;
                *open = whole.again.then_some(connection);
                Ok(whole.answer)
            }
            Connection::Http2(shared) => {
                let mut tries = 0;
                loop {
                    let mut sender = connected(&self.dial, shared).await?;
                    let request = endpoint.request();
                    let answered = async { read(sender.send_request(request).await?).await };
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
}

async fn dial(dial: &Arc<dyn Dial>) -> Result<Box<dyn Stream>, &'static str> {
    dial.dial().await.map_err(|error| kind_of_io(&error))
}

async fn connected(
    dialer: &Arc<dyn Dial>,
    shared: &Shared,
) -> Result<http2::SendRequest<Full<Bytes>>, &'static str> {
    let mut open = shared.lock().await;
    if let Some(sender) = open.as_ref().filter(|sender| !sender.is_closed()) {
        return Ok(sender.clone());
    }
    let io = dial(dialer).await?;
    let handshake = http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(io));
    let (sender, connection) = handshake.await.map_err(|e| kind_of(&e))?;
    // It ends when the last sender is dropped; the requests get its error.
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

/// Whether the server never read the request, because it was closing the connection normally.
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

pub(crate) fn kind_of_io(error: &io::Error) -> &'static str {
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
