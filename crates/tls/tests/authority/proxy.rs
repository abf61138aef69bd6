//! What Pebble cannot do: a proxy before it that delays, refuses, forgets and lies.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::RwLock,
};
use tokio_rustls::TlsAcceptor;

use crate::lab::Lab;

/// One request on its way to Pebble.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The payload of the signed body, where there is one.
    pub(crate) payload: String,
}

/// What becomes of it.
pub(crate) enum Fate {
    Pass,
    /// This status, these headers and this body instead.
    Answer(u16, Vec<(String, String)>, String),
    /// Nothing, forever.
    Stall,
    /// Pebble does it, and its answer is lost.
    Lose,
    /// Pebble does it, and the answer is changed: more headers, and another body where it is given.
    Change(Vec<(String, String)>, Option<fn(String) -> String>),
}

type Rule = Arc<Mutex<Box<dyn FnMut(&Asked) -> Fate + Send>>>;

/// Lets Pebble work on a new order alone, and on everything else side by side.
///
/// Pebble 2.4 can deadlock forever, whatever its client does: a new order locks its store and then
/// each authorization, a look at an authorization locks that one and then the store; if a write to
/// the store waits between the two, neither continues, and no later request is answered. Of 200
/// orders at once one round in seven ended so; a dump of Pebble's threads shows the three. Refused
/// nonces have no part in it.
type Turns = Arc<RwLock<()>>;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    requests: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(
        lab: &Lab,
        rule: impl FnMut(&Asked) -> Fate + Send + 'static,
    ) -> Self {
        let certificates = CertificateDer::pem_file_iter(lab.path("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(lab.path("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates.map(Result::unwrap).collect(), key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(lab.path("lab-ca/root.pem")).unwrap()).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .unwrap();
        let behind = format!("https://127.0.0.1:{}", lab.acme_port);
        let rule: Rule = Arc::new(Mutex::new(Box::new(rule)));
        let requests = Arc::new(AtomicU64::new(0));
        let counter = requests.clone();
        let turns = Turns::default();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (acceptor, client, behind) = (acceptor.clone(), client.clone(), behind.clone());
                let (rule, counter, turns) = (rule.clone(), counter.clone(), turns.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, port, client, &behind, &rule, &counter, &turns).await;
                    }
                });
            }
        });
        Self { port, requests, task }
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(
    stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    port: u16,
    client: reqwest::Client,
    behind: &str,
    rule: &Rule,
    counter: &AtomicU64,
    turns: &Turns,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let header = |name: &str| {
            head.lines().skip(1).find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length = header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let mut words = head.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        counter.fetch_add(1, Ordering::SeqCst);
        let asked = Asked { payload: payload(&body), method: method.clone(), path: path.clone() };
        let fate = (rule.lock().unwrap())(&asked);
        let (status, headers, body) = match fate {
            Fate::Answer(status, headers, body) => (status, headers, body),
            Fate::Stall => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                return None;
            }
            fate => {
                let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
                let mut request = client
                    .request(method, format!("{behind}{path}"))
                    .header("host", format!("127.0.0.1:{port}"))
                    .body(body);
                if let Some(kind) = header("content-type") {
                    request = request.header("content-type", kind);
                }
                let answer = if path == "/order-plz" {
                    let _alone = turns.write().await;
                    request.send().await.ok()?
                } else {
                    let _with_others = turns.read().await;
                    request.send().await.ok()?
                };
                let status = answer.status().as_u16();
                let skip = ["content-length", "transfer-encoding", "connection"];
                let mut headers: Vec<(String, String)> = answer
                    .headers()
                    .iter()
                    .filter(|(name, _)| !skip.contains(&name.as_str()))
                    .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                    .collect();
                let mut body = answer.text().await.ok()?;
                match fate {
                    Fate::Lose => return None,
                    Fate::Change(more, change) => {
                        headers.retain(|(name, _)| {
                            !more.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
                        });
                        headers.extend(more);
                        body = change.map_or(body.clone(), |change| change(body));
                    }
                    _ => {}
                }
                (status, headers, body)
            }
        };
        let mut answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| answer.push_str(&format!("{name}: {value}\r\n")));
        answer.push_str("\r\n");
        if asked.method != "HEAD" {
            answer.push_str(&body);
        } else {
            answer = answer.replacen(
                &format!("Content-Length: {}\r\n", body.len()),
                "Content-Length: 0\r\n",
                1,
            );
        }
        stream.get_mut().write_all(answer.as_bytes()).await.ok()?;
        stream.get_mut().flush().await.ok()?;
    }
}

/// The payload of a JWS, decoded.
fn payload(body: &[u8]) -> String {
    let decode = || {
        let jws: serde_json::Value = serde_json::from_slice(body).ok()?;
        let text = jws.get("payload")?.as_str()?.to_owned();
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    decode().unwrap_or_default()
}
