//! The HTTP client for ACME: time limits, Retry-After, Date, and responses that are not JSON.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, SystemTime},
};

use ::http::{HeaderMap, Request, Response, StatusCode, header};
use bytes::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error as AcmeError, HttpClient};
use rustls::pki_types::CertificateDer;
use seaworthy_core::{Error, ErrorKind, Result, Secret, Timestamp};
use webpki::anchor_from_trusted_cert;

use crate::{decide::later, pem, provider::NOT_BEFORE};

/// The largest response that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Speaks HTTP to one authority. Clones share what was observed.
#[derive(Clone)]
pub(super) struct Http {
    client: Arc<Lazy>,
    seen: Arc<Mutex<Seen>>,
}

/// The client, created for the first request: if nothing is due, hundreds of the machine's roots
/// are not read.
struct Lazy {
    roots: Vec<CertificateDer<'static>>,
    proxy: Option<reqwest::Proxy>,
    limit: Duration,
    made: OnceLock<reqwest::Client>,
}

/// What the ACME library ignores.
#[derive(Default)]
struct Seen {
    /// How far the authority's clock is ahead of ours, in seconds.
    ahead: Option<i64>,
    /// When to poll again.
    look_again: HashMap<String, SystemTime>,
    /// Alternate chains for the certificate at a URL.
    alternates: HashMap<String, Vec<String>>,
    /// Full responses from the URLs that are recorded.
    watched: HashMap<String, Option<String>>,
    requests: u64,
}

pub(super) struct Settings<'a> {
    pub(super) roots: Option<&'a str>,
    pub(super) proxy: Option<&'a Secret>,
    pub(super) limit: Duration,
}

impl Http {
    pub(super) fn new(settings: &Settings<'_>) -> Result<Self> {
        let mut roots = Vec::new();
        if let Some(text) = settings.roots {
            let blocks = pem::decode("CERTIFICATE", text).filter(|blocks| !blocks.is_empty());
            for der in blocks.ok_or_else(|| wrong("`roots` contains no certificate in PEM"))? {
                let der = CertificateDer::from(der);
                anchor_from_trusted_cert(&der)
                    .map_err(|e| wrong("`roots` cannot be read").caused_by(e))?;
                roots.push(der);
            }
        }
        let proxy = settings.proxy.map(|proxy| {
            reqwest::Proxy::all(proxy.expose())
                .map_err(|_| wrong("`proxy` is not the URL of a proxy"))
        });
        let lazy =
            Lazy { roots, proxy: proxy.transpose()?, limit: settings.limit, made: OnceLock::new() };
        Ok(Self { client: Arc::new(lazy), seen: Arc::default() })
    }

    fn client(&self) -> Result<reqwest::Client> {
        if let Some(made) = self.client.made.get() {
            return Ok(made.clone());
        }
        let made = self.client.make()?;
        Ok(self.client.made.get_or_init(|| made).clone())
    }

    /// How far the authority's clock is ahead of ours, in seconds, at its last response.
    pub(super) fn ahead(&self) -> Option<i64> {
        self.seen().ahead
    }

    /// How many requests were made.
    pub(super) fn requests(&self) -> u64 {
        self.seen().requests
    }

    /// When the authority wants `url` to be polled again.
    pub(super) fn look_again(&self, url: &str) -> Option<SystemTime> {
        self.seen().look_again.remove(url)
    }

    /// The alternate chains for the certificate at `url`.
    pub(super) fn alternates(&self, url: &str) -> Vec<String> {
        self.seen().alternates.remove(url).unwrap_or_default()
    }

    /// Records the next response from `url`.
    pub(super) fn watch(&self, url: &str) {
        self.seen().watched.insert(url.to_owned(), None);
    }

    /// The recorded response of a URL.
    pub(super) fn watched(&self, url: &str) -> Option<String> {
        self.seen().watched.remove(url).flatten()
    }

    /// An unsigned GET: its status, its Retry-After and its body.
    pub(super) async fn get(&self, url: &str) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let request = Request::get(url);
        let request = request.body(reqwest::Body::default()).map_err(|e| no_url(url, e))?;
        self.send(request).await
    }

    /// A signed POST.
    pub(super) async fn post(
        &self,
        url: &str,
        body: String,
    ) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/jose+json")
            .body(reqwest::Body::from(body))
            .map_err(|e| no_url(url, e))?;
        self.send(request).await
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(
        &self,
        request: Request<reqwest::Body>,
    ) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let url = request.uri().to_string();
        let host = request.uri().host().unwrap_or_default().to_owned();
        let fail = |e: reqwest::Error| {
            let (kind, what) = if e.is_timeout() {
                (ErrorKind::TimedOut, "does not respond in time")
            } else {
                (ErrorKind::Unavailable, "cannot be reached")
            };
            // The URL of an order does not help people, and could be long.
            let error = Error::new(kind, "acme.request", format!("{host} {what}"));
            error.with("url", &url).caused_by(e.without_url())
        };
        self.seen().requests += 1;
        let request = reqwest::Request::try_from(request).map_err(&fail)?;
        let mut answer = self.client()?.execute(request).await.map_err(&fail)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(&fail)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                let message = format!("{host} sends a response that is too large");
                return Err(Error::new(ErrorKind::Unavailable, "acme.request", message));
            }
        }
        let body = Bytes::from(body);
        self.notice(&url, &headers, &body);
        refuse_failures(&host, status, &headers, &body)?;
        Ok((status, headers, body))
    }

    fn notice(&self, url: &str, headers: &HeaderMap, body: &Bytes) {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let mut seen = self.seen();
        if let Some(date) = text(header::DATE).and_then(|d| httpdate::parse_http_date(d).ok()) {
            seen.ahead = Some(Timestamp::from(date).as_unix() - now().as_unix());
        }
        if let Some(moment) = retry_after(headers) {
            seen.look_again.insert(url.to_owned(), moment);
        }
        let links = headers.get_all(header::LINK).iter().filter_map(|link| link.to_str().ok());
        let alternates: Vec<_> = links.filter_map(alternate).map(str::to_owned).collect();
        if !alternates.is_empty() {
            seen.alternates.insert(url.to_owned(), alternates);
        }
        if let Some(place) = seen.watched.get_mut(url) {
            *place = Some(String::from_utf8_lossy(body).into_owned());
        }
    }
}

impl Lazy {
    fn make(&self) -> Result<reqwest::Client> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.roots.iter().cloned());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong("TLS cannot be set up").caused_by(e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .tcp_nodelay(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.limit.min(Duration::from_secs(15)))
            .timeout(self.limit)
            .user_agent(concat!("seaworthy/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.clone());
        }
        builder.build().map_err(|e| wrong("cannot create an HTTP client").caused_by(e))
    }
}

fn no_url(url: &str, error: ::http::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "acme.request", format!("{url:?} is not a URL"))
        .caused_by(error)
}

fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::Config, "acme.client", message)
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<BytesResponse, AcmeError>> + Send>> {
        let http = self.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            // Our User-Agent names this program.
            parts.headers.remove(header::USER_AGENT);
            let body = reqwest::Body::wrap(body);
            let sent = http.send(Request::from_parts(parts, body)).await;
            let (status, headers, body) = sent.map_err(|e| AcmeError::Other(Box::new(e)))?;
            let mut response = Response::new(());
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            let (parts, ()) = response.into_parts();
            Ok(BytesResponse { parts, body: Box::new(body) })
        })
    }
}

/// Failures that are not ACME problems, or that have a Retry-After, become our errors.
fn refuse_failures(
    host: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<()> {
    if status.is_success() {
        return Ok(());
    }
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let word = |key: &str| problem.as_ref()?.get(key)?.as_str();
    let is_problem = word("type").is_some();
    let limited = word("type").is_some_and(|kind| kind.ends_with(":rateLimited"));
    let throttled = matches!(status.as_u16(), 429 | 503) || limited;
    if is_problem && !throttled {
        return Ok(());
    }
    let detail: String = match word("detail") {
        Some(detail) => detail.chars().filter(|c| !c.is_control()).take(500).collect(),
        None if is_problem => String::new(),
        None => "the response is not an ACME document".to_owned(),
    };
    let mut message = format!("{host} responds with {status}");
    if !detail.is_empty() {
        message.push_str(": ");
        message.push_str(&detail);
    }
    let mut error = Error::new(ErrorKind::Unavailable, "acme.request", message);
    if throttled {
        // Without Retry-After, an hour is polite.
        let until =
            retry_after(headers).map_or(later(now(), Duration::from_secs(3600)), Into::into);
        error = error
            .with(NOT_BEFORE, until)
            .with("problem", if limited { "rateLimited" } else { "busy" });
        if limited {
            error = error.remedy_is(format!("the next attempt is made after {until}"));
        }
    } else if !status.is_server_error() {
        error = error.remedy_is("is `directory` the URL of an ACME directory?");
    }
    Err(error)
}

/// Seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<SystemTime> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse::<u64>() {
        // No authority means years.
        Ok(seconds) => SystemTime::now().checked_add(Duration::from_secs(seconds.min(31_536_000))),
        Err(_) => httpdate::parse_http_date(value).ok(),
    }
}

/// The target of `<https://…>;rel="alternate"`.
fn alternate(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_one = |part: &str| part.trim().replace('"', "").eq_ignore_ascii_case("rel=alternate");
    parameters.split(';').any(is_one).then_some(target)
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let headers = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            headers
        };
        let soon = retry_after(&headers("90")).unwrap();
        assert!(soon > SystemTime::now() + Duration::from_secs(80));
        let date = retry_after(&headers("Fri, 31 Dec 1999 23:59:59 GMT")).unwrap();
        assert_eq!(Timestamp::from(date).as_unix(), 946_684_799);
        assert_eq!(retry_after(&headers("soon")), None);
        assert!(retry_after(&headers("99999999999999")).is_some());
    }

    #[test]
    fn links_to_other_chains_are_found() {
        assert_eq!(alternate("<https://ca/c/1>;rel=\"alternate\""), Some("https://ca/c/1"));
        assert_eq!(alternate("<https://ca/dir>; rel=\"index\""), None);
        assert_eq!(alternate("nonsense"), None);
    }
}
