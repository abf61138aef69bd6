//! Sends the requests of the object store: headers, signature, rate limits, retries.

use std::{pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use object_store::{
    ClientOptions,
    aws::{AwsAuthorizer, AwsCredentialProvider},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
        HttpResponse, HttpResponseBody, HttpService,
    },
};
use sha2::{Digest, Sha256};

use super::{
    action::Action,
    body::{Incoming, Outgoing, Pulse, pieces},
    failure::Failure,
    headers::NewObjects,
    pace::Pace,
};

/// The first pause between two attempts; each next one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two attempts, even if the store asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The largest response that is not an object, in bytes.
const MAX_ANSWER: usize = 32 << 20;

/// Larger bodies are hashed on a blocking thread.
const HASHED_AT_ONCE: usize = 256 << 10;

/// Sends the requests of one sink. Each attempt is signed again, so that its date is current and
/// new credentials are used. Every request may be repeated: for those that are not idempotent, the
/// stored object is checked.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Wire>);

/// The HTTP client and settings of a [`Service`].
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) client: reqwest::Client,
    pub(super) credentials: AwsCredentialProvider,
    pub(super) region: String,
    pub(super) new_objects: NewObjects,
    pub(super) upload: Option<Arc<Pace>>,
    pub(super) download: Option<Arc<Pace>>,
    /// How long a request may make no progress.
    pub(super) stall: Duration,
    /// How often a request is tried again.
    pub(super) retries: u32,
}

impl HttpConnector for Service {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Our own error kind: the object store does not retry what we gave up.
        let failed = |failure| HttpError::new(HttpErrorKind::Unknown, failure);
        self.send(request).await.map_err(failed)
    }
}

impl Service {
    /// Sends `request` until it succeeds, its failure is permanent, or there are no attempts left.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let (parts, body) = request.into_parts();
        let action = Action::of(&parts.method, parts.uri.query().unwrap_or_default());
        let payload = Payload::new(pieces(body), self.0.new_objects.wants_md5(action)).await;
        let mut pause = FIRST_PAUSE;
        let mut attempts = 1;
        loop {
            let failure = match self.attempt(&parts, action, &payload).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure.at(action, attempts),
            };
            if !failure.passes() || attempts > self.0.retries {
                return Err(failure);
            }
            tracing::info!(%failure, attempts, "trying again");
            let asked = failure.retry_after().unwrap_or_default();
            tokio::time::sleep(jittered(pause).max(asked).min(LONGEST_PAUSE)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempts += 1;
        }
    }

    async fn attempt(
        &self,
        parts: &Parts,
        action: Action,
        payload: &Payload,
    ) -> Result<HttpResponse, Failure> {
        let wire = &*self.0;
        let request = self.signed(parts, action, payload).await?;
        let pulse = Pulse::new();
        let outgoing = (!payload.pieces.is_empty())
            .then(|| Outgoing::new(payload.pieces.clone(), pulse.clone(), wire.upload.clone()));
        let mut send = pin!(wire.client.execute(into_reqwest(request, outgoing)?));
        let response = loop {
            let left = wire.stall.saturating_sub(pulse.idle());
            if left.is_zero() {
                return Err(Failure::stalled(wire.stall));
            }
            if let Ok(answer) = tokio::time::timeout(left, send.as_mut()).await {
                break answer.map_err(|error| Failure::transport(&error))?;
            }
        };
        let response: http::Response<reqwest::Body> = response.into();
        let (head, body) = response.into_parts();
        let body = HttpResponseBody::new(Incoming::new(body, wire.stall, wire.download.clone()));
        if head.status.is_success() && !action.answers_at_once() {
            return Ok(HttpResponse::from_parts(head, body));
        }
        let body = whole(body).await?;
        // Some responses begin with a success status before the store notices an error.
        if !head.status.is_success() || is_error(&body) {
            return Err(Failure::answer(head.status, &head.headers, &body));
        }
        Ok(HttpResponse::from_parts(head, body.into()))
    }

    async fn signed(
        &self,
        parts: &Parts,
        action: Action,
        payload: &Payload,
    ) -> Result<HttpRequest, Failure> {
        let wire = &*self.0;
        let credential = wire.credentials.get_credential().await;
        let credential = credential.map_err(|error| Failure::no_credentials(&error))?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        let mut headers = parts.headers.clone();
        if !payload.pieces.is_empty() {
            headers.insert(header::CONTENT_LENGTH, payload.len.into());
        }
        if let Some(md5) = &payload.md5 {
            headers.insert("content-md5", md5.clone());
        }
        wire.new_objects.add_to(&mut headers, action, parts.uri.path());
        *request.headers_mut() = headers;
        AwsAuthorizer::new(&credential, "s3", &wire.region)
            .try_authorize(&mut request, Some(&payload.sha256))
            .map_err(|error| Failure::no_credentials(&error))?;
        Ok(request)
    }
}

fn into_reqwest(request: HttpRequest, body: Option<Outgoing>) -> Result<reqwest::Request, Failure> {
    let (parts, _) = request.into_parts();
    let url = parts.uri.to_string().parse::<reqwest::Url>();
    let url = url.map_err(|error| Failure::lost(&error))?;
    let mut request = reqwest::Request::new(parts.method, url);
    *request.headers_mut() = parts.headers;
    *request.body_mut() = body.map(reqwest::Body::wrap);
    Ok(request)
}

/// A request's body, and its headers.
struct Payload {
    pieces: Vec<Bytes>,
    len: u64,
    sha256: [u8; 32],
    md5: Option<HeaderValue>,
}

impl Payload {
    async fn new(pieces: Vec<Bytes>, with_md5: bool) -> Self {
        let len = pieces.iter().map(Bytes::len).sum::<usize>();
        let hashed = pieces.clone();
        let hash = move || {
            let mut sha256 = Sha256::new();
            hashed.iter().for_each(|piece| sha256.update(piece));
            let md5 = with_md5.then(|| super::headers::content_md5(&hashed));
            (sha256.finalize().into(), md5.flatten())
        };
        let (sha256, md5) = if len <= HASHED_AT_ONCE {
            hash()
        } else {
            // It cannot panic, and is not cancelled while the runtime is running.
            tokio::task::spawn_blocking(hash).await.unwrap_or_default()
        };
        Self { pieces, len: len as u64, sha256, md5 }
    }
}

/// Between half of `pause` and all of it, so that many clients do not retry at the same time.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 2];
    let _ = getrandom::fill(&mut random);
    pause.mul_f64(0.5 + f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX) / 2.0)
}

/// The complete body of a small response.
async fn whole(body: HttpResponseBody) -> Result<Bytes, Failure> {
    use futures_util::TryStreamExt;
    let mut stream = body.bytes_stream();
    let mut bytes = BytesMut::new();
    let lost =
        |error: HttpError| Failure::of(&error).cloned().unwrap_or_else(|| Failure::lost(&error));
    while let Some(chunk) = stream.try_next().await.map_err(lost)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER {
            break;
        }
    }
    Ok(bytes.freeze())
}

/// Whether a response is an error, whatever its status.
fn is_error(body: &[u8]) -> bool {
    let text = &body[..body.len().min(512)];
    let text = String::from_utf8_lossy(text);
    let after_prolog = text
        .trim_start()
        .strip_prefix("<?xml")
        .map_or(&*text, |rest| rest.split_once("?>").map_or("", |(_, rest)| rest));
    after_prolog.trim_start().starts_with("<Error>")
}

/// Looks up the header `name` as text.
pub(super) fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_success_is_seen() {
        assert!(is_error(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>x</Code>"));
        assert!(is_error(b"\n <Error><Code>x</Code></Error>"));
        assert!(!is_error(b"<?xml version=\"1.0\"?><ListBucketResult><Error>"));
        assert!(!is_error(b""));
    }

    #[test]
    fn pauses_vary_by_half() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(2));
            assert!((1.0..=2.0).contains(&pause.as_secs_f64()), "{pause:?}");
        }
    }
}
