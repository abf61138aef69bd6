//! Reading one HTTP/1 response.

use std::{mem::MaybeUninit, ops::ControlFlow};

use httparse::{Header, ParserConfig, Response, Status};

use crate::{body::Body, tally::Answer};

/// The largest head of a response, in bytes, with those of interim responses.
const MOST_HEAD: usize = 64 << 10;

/// How many headers a head may have.
const MOST_HEADERS: usize = 128;

/// The server closed the connection too early.
pub(crate) const CLOSED: &str = "connection closed";
const NOT_HTTP: &str = "not HTTP";
const LONG_HEAD: &str = "head without end";

/// One response, in whatever pieces it arrives.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Whether it is the response to a HEAD request.
    to_head: bool,
    /// The beginning of a head that is not complete yet.
    begun: Vec<u8>,
    /// The length of the heads so far.
    heads: usize,
    /// The body, once the head is complete.
    body: Option<(Body, bool, Answer)>,
}

/// A response that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) answer: Answer,
    /// Whether the connection can be used again.
    pub(crate) again: bool,
}

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// `None` if there is no body.
    body: Option<Body>,
    again: bool,
}

impl Reading {
    /// Starts reading the next response.
    pub(crate) fn begin(&mut self, to_head: bool) {
        self.to_head = to_head;
        self.begun.clear();
        self.heads = 0;
        self.body = None;
    }

    /// Whether any byte of the response has arrived.
    pub(crate) fn has_begun(&self) -> bool {
        self.heads > 0 || !self.begun.is_empty()
    }

    /// Takes the next `bytes` (at least one); returns the response once it is complete.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<Option<Whole>, &'static str> {
        while self.body.is_none() {
            let Some((head, rest)) = self.head(bytes)? else { return Ok(None) };
            bytes = rest;
            match (head.status, head.body) {
                // The request did not ask for another protocol.
                (101, _) => return Err(NOT_HTTP),
                // An interim response: the final one follows.
                (100..200, _) if bytes.is_empty() => return Ok(None),
                (100..200, _) => {}
                (status, None) => {
                    let answer = Answer { status, bytes: 0 };
                    return Ok(Some(Whole { answer, again: head.again && bytes.is_empty() }));
                }
                (status, Some(body)) => {
                    self.body = Some((body, head.again, Answer { status, bytes: 0 }));
                }
            }
        }
        let Some((body, again, answer)) = &mut self.body else { return Ok(None) };
        match body.take(bytes, &mut answer.bytes).map_err(|_| NOT_HTTP)? {
            ControlFlow::Continue(()) => Ok(None),
            // After surplus bytes the connection must not be used for another request.
            ControlFlow::Break(surplus) => {
                Ok(Some(Whole { answer: *answer, again: *again && surplus.is_empty() }))
            }
        }
    }

    /// The server has closed the connection: that ends some responses.
    pub(crate) fn close(&self) -> Result<Whole, &'static str> {
        match &self.body {
            Some((Body::UntilClose, _, answer)) => Ok(Whole { answer: *answer, again: false }),
            _ => Err(CLOSED),
        }
    }

    /// The head, and the bytes after it, once it is complete.
    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Head, &'a [u8])>, &'static str> {
        let before = self.begun.len();
        if before > 0 {
            self.begun.extend_from_slice(bytes);
        }
        let all = if before > 0 { &self.begun[..] } else { bytes };
        let room = MOST_HEAD - self.heads;
        // Bytes beyond the limit may be part of the body.
        let Some((head, length)) = parse(&all[..all.len().min(room)], self.to_head)? else {
            if all.len() >= room {
                return Err(LONG_HEAD);
            }
            if before == 0 {
                self.begun.extend_from_slice(bytes);
            }
            return Ok(None);
        };
        self.heads += length;
        self.begun.clear();
        // The head ends in the new bytes: otherwise its end would have been found before.
        let rest = bytes.get(length.saturating_sub(before)..).unwrap_or_default();
        Ok(Some((head, rest)))
    }
}

/// Parses a head and returns its length; `None` if it is not complete.
fn parse(bytes: &[u8], to_head: bool) -> Result<Option<(Head, usize)>, &'static str> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_HEADERS];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut headers,
    );
    let Status::Complete(length) = parsed.map_err(|_| NOT_HTTP)? else { return Ok(None) };
    let status = response.code.ok_or(NOT_HTTP)?;
    let http11 = response.version == Some(1);
    let mut says = Says::default();
    for header in response.headers.iter() {
        says.header(header)?;
    }
    let body = if to_head || matches!(status, 100..200 | 204 | 304) {
        None
    } else if says.coded {
        Some(if says.chunked { Body::chunked() } else { Body::UntilClose })
    } else {
        match says.length {
            Some(0) => None,
            Some(length) => Some(Body::Length(length)),
            None => Some(Body::UntilClose),
        }
    };
    // Two statements about where the body ends allow request smuggling.
    let clear = !(says.coded && (says.length.is_some() || !http11));
    let again = (http11 || says.keep_alive) && !says.close && clear;
    Ok(Some((Head { status, body, again: again && body != Some(Body::UntilClose) }, length)))
}

/// What the headers say about the connection and the end of the body.
#[derive(Debug, Default)]
struct Says {
    close: bool,
    keep_alive: bool,
    length: Option<u64>,
    /// Whether there is a transfer coding, and whether the last one is chunked.
    coded: bool,
    chunked: bool,
}

impl Says {
    fn header(&mut self, header: &Header<'_>) -> Result<(), &'static str> {
        // The length is enough to rule out most headers.
        match header.name.len() {
            10 if header.name.eq_ignore_ascii_case("connection") => {
                for token in tokens(header.value) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                for token in tokens(header.value) {
                    let length = number(token).ok_or(NOT_HTTP)?;
                    if self.length.is_some_and(|other| other != length) {
                        return Err(NOT_HTTP);
                    }
                    self.length = Some(length);
                }
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                self.coded = true;
                for token in tokens(header.value) {
                    self.chunked = token.eq_ignore_ascii_case(b"chunked");
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The members of a list.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A number with digits only.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
