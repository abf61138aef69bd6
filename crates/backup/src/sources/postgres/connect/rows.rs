//! Reads rows from a connection without the driver's overhead.
//!
//! The driver passes every row on as a message of its own, through a channel; for millions of short
//! rows that costs more than their compression. So rows are read between the socket and the driver,
//! many at a time, and the driver sees everything else.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use futures_util::TryStreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{CopyOutStream, tls::TlsStream};

/// How much is read from the socket at once; a longer row comes in pieces.
const READ: usize = 256 << 10;

/// How much may wait for the reader before the socket is no longer read.
const WAITING: usize = 256 << 10;

/// A message is its kind, its length in four bytes (including these), and its contents.
const HEADER: usize = 5;

/// `CopyData`, `CopyOutResponse`: see "Message Formats" in PostgreSQL's manual.
const ROW: u8 = b'd';
const BEGIN: u8 = b'H';

/// Rows passed from a [`Tap`] to [`Rows`], as complete messages or the beginning of one.
#[derive(Debug, Default)]
struct Waiting {
    messages: Vec<u8>,
    /// The rest of these rows is not wanted.
    unwanted: bool,
    tap: Option<Waker>,
    reader: Option<Waker>,
}

/// What a [`Tap`] and the reader of its rows share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<Waiting>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose rows bypass the driver. It must be installed before the first message.
#[derive(Debug)]
pub(crate) struct Tap<S> {
    stream: S,
    shared: Shared,
    buffer: Vec<u8>,
    /// The part of the buffer that is not processed yet.
    from: usize,
    to: usize,
    /// How many bytes of the current message are still to come, and whether it is a row.
    left: usize,
    is_row: bool,
}

impl<S> Tap<S> {
    pub(crate) fn new(stream: S, shared: Shared) -> Self {
        let buffer = vec![0; READ];
        Self { stream, shared, buffer, from: 0, to: 0, left: 0, is_row: false }
    }

    /// Passes what was read to the driver, through `out`, and to the reader of rows.
    fn sort(&mut self, out: &mut ReadBuf<'_>) -> io::Result<()> {
        let mut rows = self.from..self.from;
        while self.from < self.to {
            if self.left == 0 && !self.begin_message()? {
                break;
            }
            let mut here = self.left.min(self.to - self.from);
            if self.is_row {
                rows.end = self.from + here;
            } else {
                self.give(rows);
                here = here.min(out.remaining());
                out.put_slice(&self.buffer[self.from..self.from + here]);
                rows = self.from + here..self.from + here;
                if here == 0 {
                    return Ok(());
                }
            }
            self.from += here;
            self.left -= here;
        }
        self.give(rows);
        Ok(())
    }

    /// Reads the head of the next message. Returns false if more must be read first.
    fn begin_message(&mut self) -> io::Result<bool> {
        let [kind, a, b, c, d, ..] = self.buffer[self.from..self.to] else { return Ok(false) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize + 1;
        if length < HEADER {
            let message = "the server sent a message that is shorter than its head";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        // A row is held back until it is complete, if possible.
        if kind == ROW && length > self.to - self.from && length <= READ {
            return Ok(false);
        }
        if kind == BEGIN {
            let mut waiting = self.shared.lock();
            waiting.messages.clear();
            waiting.unwanted = false;
        }
        self.left = length;
        self.is_row = kind == ROW;
        Ok(true)
    }

    fn give(&self, rows: std::ops::Range<usize>) {
        if rows.is_empty() {
            return;
        }
        let mut waiting = self.shared.lock();
        if !waiting.unwanted {
            waiting.messages.extend_from_slice(&self.buffer[rows]);
        }
        if let Some(reader) = waiting.reader.take() {
            reader.wake();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = out.filled().len();
        loop {
            this.sort(out)?;
            if out.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            {
                let mut waiting = this.shared.lock();
                if waiting.messages.len() >= WAITING {
                    waiting.tap = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
            this.buffer.copy_within(this.from..this.to, 0);
            (this.from, this.to) = (0, this.to - this.from);
            let mut more = ReadBuf::new(&mut this.buffer[this.to..]);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut more))?;
            match more.filled().len() {
                0 => return Poll::Ready(Ok(())),
                n => this.to += n,
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Tap<S> {
    fn channel_binding(&self) -> tokio_postgres::tls::ChannelBinding {
        self.stream.channel_binding()
    }
}

/// The rows of one `COPY … TO STDOUT`. Rows that are left when this is dropped are discarded.
pub(crate) struct Rows {
    /// Reports the end and errors: all that the driver sees of it.
    end: Pin<Box<CopyOutStream>>,
    shared: Shared,
    batch: Vec<u8>,
    /// How much of the batch was returned.
    at: usize,
    ended: bool,
}

impl Rows {
    pub(crate) fn new(end: CopyOutStream, shared: Shared) -> Self {
        Self { end: Box::pin(end), shared, batch: Vec::new(), at: 0, ended: false }
    }

    /// Waits until there is a row for [`next`](Self::next). Returns false at the end.
    pub(crate) async fn wait(&mut self) -> Result<bool, tokio_postgres::Error> {
        loop {
            if self.end_of_message().is_some_and(|end| end <= self.batch.len()) {
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            std::future::poll_fn(|cx| self.poll_more(cx)).await?;
        }
    }

    /// The next row with its line feed, if it has come.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        let end = self.end_of_message().filter(|end| *end <= self.batch.len())?;
        let start = std::mem::replace(&mut self.at, end) + HEADER;
        self.batch.get(start..end)
    }

    /// Where the next message ends, if its head is there.
    fn end_of_message(&self) -> Option<usize> {
        let [_, a, b, c, d, ..] = self.batch[self.at..] else { return None };
        Some(self.at + 1 + u32::from_be_bytes([a, b, c, d]) as usize)
    }

    /// Takes what has arrived; waits if nothing has.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), tokio_postgres::Error>> {
        if self.take(cx) {
            return Poll::Ready(Ok(()));
        }
        match ready!(self.end.try_poll_next_unpin(cx)?) {
            // The driver saw a row: the tap did not remove it.
            Some(row) => {
                self.batch.push(ROW);
                let length = u32::try_from(row.len() + 4).unwrap_or(u32::MAX);
                self.batch.extend_from_slice(&length.to_be_bytes());
                self.batch.extend_from_slice(&row);
            }
            None => {
                self.take(cx);
                self.ended = true;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, cx: &mut Context<'_>) -> bool {
        let mut waiting = self.shared.lock();
        if waiting.messages.is_empty() {
            waiting.reader = Some(cx.waker().clone());
            return false;
        }
        self.batch.drain(..self.at);
        self.at = 0;
        if self.batch.is_empty() {
            // The memory of a long row is not kept.
            self.batch.shrink_to(2 * WAITING);
            std::mem::swap(&mut self.batch, &mut waiting.messages);
        } else {
            // More of a row that is too long to come at once.
            let end = self.end_of_message().unwrap_or_default();
            self.batch
                .reserve_exact(end.saturating_sub(self.batch.len()).max(waiting.messages.len()));
            self.batch.append(&mut waiting.messages);
        }
        if let Some(tap) = waiting.tap.take() {
            tap.wake();
        }
        true
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        waiting.messages.clear();
        waiting.unwanted = true;
        if let Some(tap) = waiting.tap.take() {
            tap.wake();
        }
    }
}
