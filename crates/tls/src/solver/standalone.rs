//! HTTP-01 through a listener of our own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{Challenge, ChallengeKind, ChallengeSolver};

const LONGEST_HEAD: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

type Answers = Arc<Mutex<HashMap<String, String>>>;

/// Listens on a port while challenges are open, and serves nothing else.
#[derive(Debug)]
pub struct Standalone {
    address: SocketAddr,
    answers: Answers,
    server: tokio::sync::Mutex<Option<Running>>,
}

/// Ends when its owner is dropped.
#[derive(Debug)]
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Standalone {
    /// Listens on `address`, such as `[::]:80`, once there is something to answer.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, answers: Answers::default(), server: tokio::sync::Mutex::default() }
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[async_trait]
impl ChallengeSolver for Standalone {
    fn kind(&self) -> ChallengeKind {
        ChallengeKind::Http01
    }

    async fn present(&self, challenge: &Challenge) -> Result<()> {
        let mut server = self.server.lock().await;
        lock(&self.answers).insert(challenge.http_path(), challenge.key_authorization().to_owned());
        if server.is_none() {
            let listener = listen(self.address).await.inspect_err(|_| {
                lock(&self.answers).remove(&challenge.http_path());
            })?;
            *server = Some(Running(tokio::spawn(accept(listener, self.answers.clone()))));
        }
        Ok(())
    }

    async fn ready(&self, _: &Challenge, cx: &Context) -> Result<()> {
        cx.check("challenge.ready")
    }

    async fn cleanup(&self, challenge: &Challenge) -> Result<()> {
        let mut server = self.server.lock().await;
        let mut answers = lock(&self.answers);
        answers.remove(&challenge.http_path());
        if answers.is_empty() {
            *server = None;
        }
        Ok(())
    }
}

/// Listens on `address`; for "all addresses" on a machine without IPv6, on all IPv4 addresses.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let first = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(e) => e,
    };
    // EAFNOSUPPORT has no kind of its own.
    if address.is_ipv6() && address.ip().is_unspecified() && first.raw_os_error() == Some(97) {
        let four = SocketAddr::from(([0, 0, 0, 0], address.port()));
        if let Ok(listener) = TcpListener::bind(four).await {
            return Ok(listener);
        }
    }
    let in_use = first.kind() == std::io::ErrorKind::AddrInUse;
    let error = Error::io("challenge.present", format!("cannot listen on {address}"), first);
    Err(error.remedy_is(if in_use {
        "another program listens there: use its `webroot` instead"
    } else {
        "ports below 1024 need root or CAP_NET_BIND_SERVICE"
    }))
}

async fn accept(listener: TcpListener, answers: Answers) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = answers.clone();
                tokio::spawn(async move {
                    // A client that disconnects before the response does not get it.
                    let _ = tokio::time::timeout(PATIENCE, answer(stream, &answers)).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    let body = lock(answers).get(path).cloned();
    let (status, body) = match body {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", "nothing is here\n".to_owned()),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn lock(answers: &Answers) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}
