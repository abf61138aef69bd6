//! One connection of HTTP/1.1.
//!
//! A general client moves each request and each response through queues, maps and copies. Here a
//! request is bytes that were built once, and only the status and the length of a response are
//! kept.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    answer::{CLOSED, Reading, Whole},
    client::kind_of_io,
    dial::Stream,
    wire::Wire,
};

thread_local! {
    /// The read buffer: nothing in it is needed after the read, so all connections of a thread
    /// share it.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; 64 << 10].into_boxed_slice());
}

/// An open connection.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    reading: Reading,
    used: bool,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: &'static str,
    /// The server closed the connection before it sent anything.
    silent: bool,
    /// Whether any byte of the request was sent.
    sent: bool,
}

impl Failure {
    /// Whether the server closed the connection normally (as servers do after many requests or some
    /// idle time) and would accept the request on another one.
    pub(crate) fn may_be_sent_again(&self, request: &Wire) -> bool {
        self.silent && (request.idempotent || !self.sent)
    }
}

/// How much of a request was sent.
#[derive(Debug, Default)]
struct Sending {
    sent: usize,
    done: bool,
    failed: Option<io::Error>,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, reading: Reading::default(), used: false }
    }

    /// Sends `request` and reads the response to its end. After a failure, or if the response says
    /// so, the connection cannot be used again.
    pub(crate) async fn exchange(&mut self, request: &Wire) -> Result<Whole, Failure> {
        let used = std::mem::replace(&mut self.used, true);
        if used && poll_fn(|cx| Poll::Ready(self.is_over(cx))).await {
            return Err(Failure { kind: CLOSED, silent: true, sent: false });
        }
        self.reading.begin(request.is_head);
        let mut sending = Sending::default();
        poll_fn(|cx| {
            self.poll_send(&mut sending, &request.bytes, cx);
            // Servers may respond before they have read everything, and not read the rest.
            self.poll_answer(&sending, cx)
        })
        .await
    }

    /// Whether the server has closed the connection, or sent something without a request.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0];
        Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_ready()
    }

    fn poll_send(&mut self, sending: &mut Sending, bytes: &[u8], cx: &mut Context<'_>) {
        while !sending.done && sending.failed.is_none() {
            let mut stream = Pin::new(&mut self.stream);
            let step = match &bytes[sending.sent..] {
                [] => stream.poll_flush(cx).map_ok(|()| sending.done = true),
                rest => stream.as_mut().poll_write(cx, rest).map(|written| match written? {
                    0 => Err(io::ErrorKind::WriteZero.into()),
                    count => {
                        sending.sent += count;
                        Ok(())
                    }
                }),
            };
            match step {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => sending.failed = Some(error),
            }
        }
    }

    fn poll_answer(
        &mut self,
        sending: &Sending,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Whole, Failure>> {
        ROOM.with_borrow_mut(|room| {
            loop {
                let mut room = ReadBuf::new(room);
                let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room));
                let step = match read {
                    Ok(()) if room.filled().is_empty() => self
                        .reading
                        .close()
                        .map(Some)
                        .map_err(|kind| self.failure(kind, true, sending)),
                    Ok(()) => self
                        .reading
                        .take(room.filled())
                        .map_err(|kind| self.failure(kind, false, sending)),
                    Err(error) => {
                        Err(self.failure(kind_of_io(&error), is_closing(&error), sending))
                    }
                };
                if let Some(mut whole) = step.transpose() {
                    if let Ok(whole) = &mut whole {
                        whole.again &= sending.done;
                    }
                    return Poll::Ready(whole);
                }
            }
        })
    }

    /// What went wrong; `closed` if the server closed the connection.
    fn failure(&self, kind: &'static str, closed: bool, sending: &Sending) -> Failure {
        let kind = match &sending.failed {
            Some(error) if closed => kind_of_io(error),
            _ => kind,
        };
        Failure { kind, silent: closed && !self.reading.has_begun(), sent: sending.sent > 0 }
    }
}

fn is_closing(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionReset | BrokenPipe | UnexpectedEof)
}

#[cfg(test)]
#[path = "http1_tests.rs"]
mod tests;
