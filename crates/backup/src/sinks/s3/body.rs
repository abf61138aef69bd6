//! Request and response bodies: sent in small steps, with rate limits, and a timeout without
//! progress.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind, HttpRequestBody};
use tokio::time::{Instant, Sleep};

use super::{failure::Failure, pace::Pace};

/// How many bytes are written to the connection at once: each step counts as progress.
const STEP: usize = 64 << 10;

/// When a request last made progress.
#[derive(Clone, Debug)]
pub(super) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long there was no progress.
    pub(super) fn idle(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// The pieces of a request's body, which is in memory completely.
pub(super) fn pieces(mut body: HttpRequestBody) -> Vec<Bytes> {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut pieces = Vec::new();
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
        pieces.extend(frame.into_data().ok().filter(|piece| !piece.is_empty()));
    }
    pieces
}

/// A request's body while it is sent.
pub(super) struct Outgoing {
    pieces: std::vec::IntoIter<Bytes>,
    piece: Bytes,
    left: u64,
    pulse: Pulse,
    pace: Option<Arc<Pace>>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Outgoing {
    pub(super) fn new(pieces: Vec<Bytes>, pulse: Pulse, pace: Option<Arc<Pace>>) -> Self {
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        let pieces = pieces.into_iter();
        Self { pieces, piece: Bytes::new(), left, pulse, pace, wait: None }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        self.pulse.beat();
        if self.piece.is_empty() {
            match self.pieces.next() {
                Some(piece) => self.piece = piece,
                None => return Poll::Ready(None),
            }
        }
        let step = self.pace.as_ref().map_or(STEP, |pace| pace.step()).min(self.piece.len());
        let step = self.piece.split_to(step);
        self.left -= step.len() as u64;
        if let Some(pace) = &self.pace {
            self.wait = Some(Box::pin(tokio::time::sleep_until(pace.passed(step.len()))));
        }
        Poll::Ready(Some(Ok(Frame::data(step))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A response's body while it is received.
pub(super) struct Incoming {
    inner: reqwest::Body,
    stall: Duration,
    standstill: Pin<Box<Sleep>>,
    pace: Option<Arc<Pace>>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    pub(super) fn new(inner: reqwest::Body, stall: Duration, pace: Option<Arc<Pace>>) -> Self {
        let standstill = Box::pin(tokio::time::sleep(stall));
        Self { inner, stall, standstill, pace, wait: None }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
            let (standstill, stall) = (Instant::now() + self.stall, &mut self.standstill);
            stall.as_mut().reset(standstill);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            ready!(self.standstill.as_mut().poll(cx));
            let failure = Failure::stalled(self.stall);
            return Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Timeout, failure))));
        };
        let deadline = Instant::now() + self.stall;
        self.standstill.as_mut().reset(deadline);
        if let (Some(pace), Some(Ok(frame))) = (&self.pace, &frame) {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.wait = Some(Box::pin(tokio::time::sleep_until(pace.passed(bytes))));
        }
        let failed = |error: reqwest::Error| {
            HttpError::new(HttpErrorKind::Interrupted, Failure::transport(&error))
        };
        Poll::Ready(frame.map(|frame| frame.map_err(failed)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::PutPayload;

    #[test]
    fn a_body_of_several_pieces_is_taken_apart_without_copying() {
        let large = Bytes::from(vec![1; 100_000]);
        let payload: PutPayload =
            [large.clone(), Bytes::new(), Bytes::from_static(b"end")].into_iter().collect();
        let pieces = pieces(payload.into());
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0].as_ptr(), large.as_ptr());
        let body = Outgoing::new(pieces, Pulse::new(), None);
        assert_eq!(body.size_hint().exact(), Some(100_003));
    }
}
