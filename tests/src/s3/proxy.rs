//! What sits between a client and a store, and makes trouble.

use std::{
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use super::serve::{Serving, Wrong};

/// What is done to a request or to its answer.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The store is not asked; this status is the answer.
    Status(u16),
    /// A refusal in the store's own words, with the time of 2015.
    Skewed,
    /// The connection ends when so many bytes of the request's body have come.
    CutRequest(usize),
    /// The connection ends after so many bytes of the answer's body.
    CutAnswer(usize),
    /// The store does it, but its answer is lost.
    LoseAnswer,
    /// The answer takes this much longer.
    Slow(Duration),
    /// A bit of the answer's body is flipped, at this place.
    Flip(usize),
}

/// Which requests meet trouble.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Every one.
    Always,
    /// Uploads of objects that fit in one request.
    Put,
    /// Parts of uploads.
    Part,
    /// The beginnings of uploads in parts.
    Create,
    /// The completions of uploads in parts.
    Complete,
    /// Reads of objects.
    Get,
    /// Lists of objects.
    List,
    /// Uploads of manifests.
    Manifest,
}

impl When {
    fn fits(self, request: &hyper::http::request::Parts) -> bool {
        let query = request.uri.query().unwrap_or_default();
        let put = request.method == Method::PUT && !query.contains("partNumber");
        match self {
            Self::Always => true,
            Self::Put => put,
            Self::Part => query.contains("partNumber"),
            Self::Create => request.method == Method::POST && query.starts_with("uploads"),
            Self::Complete => request.method == Method::POST && query.contains("uploadId"),
            Self::Get => request.method == Method::GET && query.is_empty(),
            Self::List => request.method == Method::GET && query.contains("list-type"),
            Self::Manifest => put && request.uri.path().ends_with("/manifest.json"),
        }
    }
}

#[derive(Debug)]
struct Plan {
    when: When,
    trouble: Trouble,
    pass: usize,
    strikes: usize,
    struck: usize,
}

type Plans = Arc<Mutex<Vec<Plan>>>;
type Answer = Response<BoxBody<Bytes, Wrong>>;

/// A proxy in front of a store: clients sign for its address, which the store is told.
#[derive(Debug)]
pub struct FaultProxy {
    plans: Plans,
    serving: Serving,
    tls: bool,
}

impl FaultProxy {
    /// Passes everything on to the store at `upstream` (`http://host:port`).
    pub fn start(upstream: &str) -> Self {
        Self::serve(upstream, None)
    }

    /// The same over TLS, with a certificate for `localhost` of its own making. Its authority's
    /// certificate is written to `folder/roots.pem`.
    pub fn start_tls(upstream: &str, folder: &Path) -> Self {
        let (key, chain) = (folder.join("key.pem"), folder.join("roots.pem"));
        let settings = folder.join("openssl.cnf");
        let text = "[req]\ndistinguished_name = dn\nx509_extensions = ext\n[dn]\n[ext]\n\
                    basicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:localhost\n";
        std::fs::write(&settings, text).unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "30", "-subj", "/CN=localhost", "-config"])
            .arg(&settings)
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&chain)
            .output()
            .unwrap_or_else(|e| panic!("cannot run openssl: {e}; apt-get install openssl"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let chain = CertificateDer::pem_file_iter(&chain).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(&key).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        Self::serve(upstream, Some(TlsAcceptor::from(Arc::new(config.unwrap()))))
    }

    fn serve(upstream: &str, tls: Option<TlsAcceptor>) -> Self {
        let plans = Plans::default();
        let upstream: Arc<str> = upstream.trim_start_matches("http://").into();
        let (known, with_tls) = (plans.clone(), tls.is_some());
        let service = service_fn(move |request| answer(request, known.clone(), upstream.clone()));
        Self { plans, serving: Serving::start(service, tls), tls: with_tls }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        let port = self.serving.address.port();
        if self.tls {
            format!("https://localhost:{port}")
        } else {
            format!("http://127.0.0.1:{port}")
        }
    }

    /// The first `strikes` requests that fit meet `trouble`, after `pass` of them.
    pub fn plan(&self, when: When, pass: usize, strikes: usize, trouble: Trouble) {
        self.plans.lock().unwrap().push(Plan { when, trouble, pass, strikes, struck: 0 });
    }

    /// Makes no more trouble, and says how often it did.
    pub fn heal(&self) -> usize {
        self.plans.lock().unwrap().drain(..).map(|plan| plan.struck).sum()
    }
}

fn next_trouble(plans: &Plans, request: &hyper::http::request::Parts) -> Option<Trouble> {
    let mut plans = plans.lock().unwrap();
    for plan in plans.iter_mut().filter(|plan| plan.when.fits(request)) {
        if plan.pass > 0 {
            plan.pass -= 1;
        } else if plan.strikes > 0 {
            plan.strikes -= 1;
            plan.struck += 1;
            return Some(plan.trouble);
        }
    }
    None
}

async fn answer(
    request: Request<Incoming>,
    plans: Plans,
    upstream: Arc<str>,
) -> Result<Answer, Wrong> {
    let (parts, mut body) = request.into_parts();
    let trouble = next_trouble(&plans, &parts);
    if let Some(Trouble::CutRequest(limit)) = trouble {
        let mut come = 0;
        while let Some(frame) = body.frame().await {
            come += frame?.data_ref().map_or(0, Bytes::len);
            if come >= limit {
                break;
            }
        }
        return Err("cut".into());
    }
    let body = body.collect().await?.to_bytes();
    match trouble {
        Some(Trouble::Status(status)) => return Ok(refusal(status, "InternalError", None)),
        Some(Trouble::Skewed) => {
            let date = Some("Thu, 01 Jan 2015 00:00:00 GMT");
            return Ok(refusal(403, "RequestTimeTooSkewed", date));
        }
        Some(Trouble::Slow(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let (head, bytes) = forward(Request::from_parts(parts, Full::new(body)), &upstream).await?;
    match trouble {
        Some(Trouble::LoseAnswer) => Err("lost".into()),
        Some(Trouble::CutAnswer(limit)) if limit < bytes.len() => {
            let some = bytes.slice(..limit);
            let frames = [Ok(Frame::data(some)), Err(Wrong::from("cut"))];
            // What the head promises is more than what comes.
            let body = StreamBody::new(Frames(frames.into_iter()));
            Ok(Response::from_parts(head, BodyExt::boxed(body)))
        }
        Some(Trouble::Flip(at)) if at < bytes.len() => {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 0x10;
            Ok(Response::from_parts(head, full(bytes.into())))
        }
        _ => Ok(Response::from_parts(head, full(bytes))),
    }
}

async fn forward(
    request: Request<Full<Bytes>>,
    upstream: &str,
) -> Result<(hyper::http::response::Parts, Bytes), Wrong> {
    let stream = tokio::net::TcpStream::connect(upstream).await?;
    let (mut send, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let is_head = request.method() == Method::HEAD;
    let (mut head, body) = send.send_request(request).await?.into_parts();
    let bytes = body.collect().await?.to_bytes();
    connection.abort();
    head.headers.remove("transfer-encoding");
    if !is_head {
        head.headers.insert("content-length", bytes.len().into());
    }
    Ok((head, bytes))
}

fn refusal(status: u16, code: &str, date: Option<&str>) -> Answer {
    let code = match status {
        403 if date.is_none() => "AccessDenied",
        503 => "SlowDown",
        _ => code,
    };
    let text = format!("<Error><Code>{code}</Code><Message>as planned</Message></Error>");
    let mut answer = Response::new(full(text.into()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(date) = date {
        answer.headers_mut().insert("date", date.parse().unwrap());
    }
    answer
}

fn full(bytes: Bytes) -> BoxBody<Bytes, Wrong> {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// Frames that are all there.
struct Frames(std::array::IntoIter<Result<Frame<Bytes>, Wrong>, 2>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, Wrong>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}
