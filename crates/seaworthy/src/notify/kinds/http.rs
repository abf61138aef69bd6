//! Sending to an address that is a secret.

use std::{fmt, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{
    Client, Method, Request, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};
use seaworthy_core::{Error, ErrorKind, Result, Secret};
use sha2::Sha256;

/// How long one attempt may take.
const TRY: Duration = Duration::from_secs(10);

/// How much of a response is shown, in characters.
const SHOWN: usize = 200;

/// Where messages are sent. Only the host of the address is ever shown: anybody who has the address
/// can write there.
pub(super) struct Endpoint {
    url: Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The header field for the signature of what is posted, and the key.
    signature: Option<(&'static str, Secret)>,
    /// Secrets that no error may show, longest first.
    secrets: Vec<Secret>,
}

impl Endpoint {
    /// The address `url`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an invalid address, or one that is not secure but should be.
    pub(super) fn new(url: Secret, allow_http: bool) -> Result<Self> {
        let wrong = |message: &str, remedy: &str| {
            Error::new(ErrorKind::InvalidInput, "notify.open", message).remedy_is(remedy)
        };
        let parsed: Url = url.expose().trim().parse().map_err(|_| {
            wrong("the secret `url` is not an address", "use an address that begins with https://")
        })?;
        match parsed.scheme() {
            "https" => {}
            "http" if allow_http => {}
            "http" => {
                let remedy = "use https://, or set allow_http = true on a trusted network";
                return Err(wrong("the secret `url` begins with http://", remedy));
            }
            _ => return Err(wrong("the secret `url` is not a web address", "use https://…")),
        }
        let mut secrets = vec![url];
        for part in [parsed.path(), parsed.query().unwrap_or_default()] {
            if part.len() > 8 {
                secrets.push(Secret::new(part));
            }
        }
        Ok(Self { url: parsed, headers: Vec::new(), signature: None, secrets })
    }

    /// Sends the header field `name` along.
    pub(super) fn header(mut self, name: &str, value: Secret) -> Result<Self> {
        let wrong = || {
            let message = format!("the header field {name:?} cannot be sent");
            Error::new(ErrorKind::InvalidInput, "notify.open", message)
        };
        let field = HeaderName::try_from(name).map_err(|_| wrong())?;
        let mut text = HeaderValue::try_from(value.expose()).map_err(|_| wrong())?;
        text.set_sensitive(true);
        self.headers.push((field, text));
        self.secrets.push(value);
        Ok(self)
    }

    /// Signs what is posted with `key`: `sha256=` and the HMAC in hexadecimal, in the header field
    /// `field`.
    pub(super) fn signed(self, field: &'static str, key: Secret) -> Self {
        Self { signature: Some((field, key)), ..self }
    }

    /// The address above this one, and the last part of this one: empty where it has none.
    pub(super) fn without_last_part(self) -> Result<(Self, String)> {
        let path = self.url.path().trim_end_matches('/').to_owned();
        let (above, last) = path.rsplit_once('/').unwrap_or(("", &path));
        let mut url = self.url.clone();
        url.set_path(&format!("{above}/"));
        url.set_query(None);
        let above = Self::new(Secret::new(url.as_str()), url.scheme() == "http")?;
        Ok((above, last.to_owned()))
    }

    /// The address itself.
    #[cfg(test)]
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Posts `body`, which has this type, and reads the response.
    pub(super) async fn post(&self, body: Vec<u8>, content_type: &'static str) -> Result<()> {
        let mut request = Request::new(Method::POST, self.url.clone());
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let Some((field, key)) = &self.signature
            && let Ok(value) = HeaderValue::from_str(&sign(key, &body))
        {
            headers.insert(HeaderName::from_static(field), value);
        }
        *request.body_mut() = Some(body.into());
        let client = client()?;
        let answer = client.execute(request).await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.map(str::to_owned);
        let said = first_of(answer).await;
        Err(self.refused(status, wait, &said))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        let mut words = String::new();
        let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
        while let Some(cause) = next {
            words = cause.to_string();
            next = cause.source();
        }
        if error.is_timeout() {
            words = format!("no response within {} s", TRY.as_secs());
        }
        let message = self.scrub(&format!("{} cannot be reached: {words}", self.host()));
        Error::new(ErrorKind::Unavailable, "notify.send", message)
    }

    fn refused(&self, status: StatusCode, wait: Option<String>, said: &str) -> Error {
        let passes = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        let kind = match status {
            _ if passes => ErrorKind::Unavailable,
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE => ErrorKind::PermissionDenied,
            _ => ErrorKind::InvalidInput,
        };
        let said = said.trim();
        let colon = if said.is_empty() { "" } else { ": " };
        let message = self.scrub(&format!("{} responded with {status}{colon}{said}", self.host()));
        let mut error = Error::new(kind, "notify.send", message);
        if kind == ErrorKind::PermissionDenied {
            error = error.remedy_is("is the address, or the token, still valid?");
        }
        match wait {
            Some(wait) => error.with("retry_after", wait),
            None => error,
        }
    }

    fn host(&self) -> &str {
        self.url.host_str().unwrap_or("the service")
    }

    /// `text` without any secret that it repeats.
    fn scrub(&self, text: &str) -> String {
        let hidden = |text: String, secret: &Secret| match secret.expose().trim() {
            "" => text,
            secret => text.replace(secret, "***"),
        };
        self.secrets.iter().fold(text.to_owned(), hidden)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, ***)", self.host())
    }
}

fn sign(key: &Secret, body: &[u8]) -> String {
    let mut out = "sha256=".to_owned();
    // A key of any length will do.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) {
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            out.push_str(&format!("{byte:02x}"));
        }
    }
    out
}

fn client() -> Result<Client> {
    let client = Client::builder()
        .user_agent(concat!("seaworthy/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .no_proxy()
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TRY)
        .build();
    client.map_err(|source| {
        Error::new(ErrorKind::Internal, "notify.open", "cannot create an HTTP client")
            .caused_by(source)
    })
}

/// The first characters of a response, whatever its size.
async fn first_of(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < SHOWN * 4 {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_others_compute() {
        // RFC 4231, test case 2.
        let signature = sign(&Secret::new("Jefe"), b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature, format!("sha256={expected}"));
    }

    #[test]
    fn neither_errors_nor_debug_output_show_the_address() {
        let url = "https://hooks.example/services/T000/B000/hunter2hunter2?key=hunter2";
        let endpoint = Endpoint::new(Secret::new(url), false).unwrap();
        assert_eq!(format!("{endpoint:?}"), "Endpoint(hooks.example, ***)");
        let said = format!("no team for {url} or /services/T000/B000/hunter2hunter2");
        let error = endpoint.refused(StatusCode::FORBIDDEN, None, &said);
        assert!(!format!("{error:?} {}", error.chain()).contains("hunter2"), "{error:?}");
        assert!(!error.is_retryable());
        assert!(endpoint.refused(StatusCode::BAD_GATEWAY, None, "").is_retryable());
    }

    #[test]
    fn only_secure_addresses_are_taken_unless_it_is_said() {
        for (url, allow, good) in [
            ("https://a.example/x", false, true),
            ("http://a.example/x", false, false),
            ("http://a.example/x", true, true),
            ("ftp://a.example/x", true, false),
            ("hunter2", true, false),
        ] {
            let opened = Endpoint::new(Secret::new(url), allow);
            assert_eq!(opened.is_ok(), good, "{url}");
            assert!(!format!("{opened:?}").contains("hunter2"));
        }
    }
}
