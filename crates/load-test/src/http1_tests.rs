use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::{
    client::Client,
    config::{HttpVersion, LoadConfig},
    dial::{Dial, Dialled},
    prepare::{Base, Endpoint, prepare},
    tally::Answer,
};

/// What a server does with one connection, one after another.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Reads a whole request.
    Read,
    /// Reads the beginning of a request.
    ReadSome,
    Write(&'static str),
}

/// Servers in memory, each with its own script, and how many requests they have read.
#[derive(Debug, Default)]
struct Theatre {
    plays: Mutex<VecDeque<&'static [Act]>>,
    read: Arc<Mutex<usize>>,
}

impl Dial for Theatre {
    fn dial(&self) -> Dialled<'_> {
        Box::pin(async move {
            let Some(play) = self.plays.lock().unwrap().pop_front() else {
                return Err(io::ErrorKind::ConnectionRefused.into());
            };
            // So small that a large request does not fit in it.
            let (ours, theirs) = tokio::io::duplex(1 << 10);
            tokio::spawn(perform(theirs, play, self.read.clone()));
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

async fn perform(mut stream: DuplexStream, play: &[Act], read: Arc<Mutex<usize>>) {
    for act in play {
        match act {
            Act::Read => {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                *read.lock().unwrap() += 1;
            }
            Act::ReadSome => drop(stream.read_u8().await.unwrap()),
            Act::Write(text) => stream.write_all(text.as_bytes()).await.unwrap(),
        }
    }
}

fn endpoint(method: &str, body: usize) -> Endpoint {
    let body = "x".repeat(body);
    let text = format!(
        "base = \"http://127.0.0.1\"\n[[endpoints]]\npath = \"/\"\nmethod = \"{method}\"\nbody = \"{body}\"\n"
    );
    let config = LoadConfig::from_toml(&text, "plan.toml".as_ref()).unwrap();
    let base = Base::new(&config.base).unwrap();
    prepare(&config, &base, &|_| None).unwrap().0.remove(0)
}

/// Sends as many requests as there are expected results, and returns how many servers were not used
/// and how many requests were read.
async fn sent(
    endpoint: &Endpoint,
    plays: &[&'static [Act]],
    should: &[Result<Answer, &'static str>],
) -> (usize, usize) {
    let theatre = Arc::new(Theatre::default());
    theatre.plays.lock().unwrap().extend(plays);
    let mut client = Client::new(theatre.clone(), HttpVersion::Http1, &Default::default());
    for (number, should) in should.iter().enumerate() {
        assert_eq!(client.send(endpoint).await, *should, "request {number}");
        // The server's own work comes first, such as closing the connection.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    let (left, read) = (theatre.plays.lock().unwrap().len(), *theatre.read.lock().unwrap());
    (left, read)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GOOD: Result<Answer, &str> = Ok(Answer { status: 200, bytes: 2 });
use Act::{Read, ReadSome, Write};

#[tokio::test]
async fn one_connection_serves_as_long_as_its_answers_let_it() {
    let get = endpoint("GET", 0);
    let kept: &[&[Act]] = &[&[Read, Write(OK), Read, Write(OK), Read, Write(OK)]];
    assert_eq!(sent(&get, kept, &[GOOD; 3]).await, (0, 3));
    const CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\n\r\nok";
    const SURPLUS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 400 No\r\n\r\n";
    for text in [CLOSE, UNTIL_CLOSE, SURPLUS] {
        let play: &'static [Act] = match text {
            CLOSE => &[Read, Write(CLOSE)],
            UNTIL_CLOSE => &[Read, Write(UNTIL_CLOSE)],
            _ => &[Read, Write(SURPLUS)],
        };
        assert_eq!(sent(&get, &[play, play], &[GOOD; 2]).await, (0, 2), "{text}");
    }
}

#[tokio::test]
async fn a_request_that_a_closing_server_did_not_take_is_sent_again_once() {
    let closes: &[Act] = &[Read, Write(OK)];
    // It was closed before the request: no byte was sent, so any request may be sent again.
    for method in ["GET", "POST"] {
        assert_eq!(sent(&endpoint(method, 0), &[closes, closes], &[GOOD; 2]).await, (0, 2));
    }
    // It was closed while the request was sent: the server may have processed it.
    let takes: &[Act] = &[Read, Write(OK), Read];
    assert_eq!(sent(&endpoint("GET", 0), &[takes, closes], &[GOOD; 2]).await, (0, 3));
    let should = [GOOD, Err(CLOSED), GOOD];
    assert_eq!(sent(&endpoint("POST", 0), &[takes, closes], &should).await, (0, 3));
    // Once only, and never if the connection was new or the response had begun.
    let silent: &[Act] = &[Read];
    let should = [GOOD, Err(CLOSED)];
    assert_eq!(sent(&endpoint("GET", 0), &[takes, silent, closes], &should).await, (1, 3));
    assert_eq!(sent(&endpoint("GET", 0), &[silent, closes], &[Err(CLOSED)]).await, (1, 1));
    let begins: &[Act] = &[Read, Write(OK), Read, Write("H")];
    assert_eq!(sent(&endpoint("GET", 0), &[begins, closes], &should).await, (1, 2));
}

#[tokio::test]
async fn what_a_server_says_unasked_is_no_answer() {
    let speaks: &[Act] =
        &[Read, Write(OK), Write("HTTP/1.1 408 Late\r\ncontent-length: 0\r\n\r\n")];
    let good: &[Act] = &[Read, Write(OK)];
    assert_eq!(sent(&endpoint("GET", 0), &[speaks, good], &[GOOD; 2]).await, (0, 2));
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_over_counts() {
    // A server that reads nothing of the body: a request is not sent first and its answer read then.
    let large: &[Act] = &[ReadSome, Write("HTTP/1.1 413 Large\r\ncontent-length: 2\r\n\r\nno")];
    let should = [Ok(Answer { status: 413, bytes: 2 })];
    assert_eq!(sent(&endpoint("POST", 100_000), &[large], &should).await, (0, 0));
    let none: &[Act] = &[ReadSome];
    let broken = [Err("connection reset")];
    assert_eq!(sent(&endpoint("POST", 100_000), &[none], &broken).await, (0, 0));
}

#[tokio::test]
async fn what_is_not_http_is_an_error_and_the_next_request_has_its_own_connection() {
    let other: &[Act] = &[Read, Write("220 mail.example.com ESMTP\r\n")];
    let good: &[Act] = &[Read, Write(OK)];
    let should = [Err("not HTTP"), GOOD, Err("connection refused")];
    assert_eq!(sent(&endpoint("GET", 0), &[other, good], &should).await, (0, 2));
}
