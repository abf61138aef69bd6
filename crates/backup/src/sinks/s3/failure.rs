//! Why a request to a store failed, and what to do about it.

use std::{error::Error as StdError, fmt, time::Duration};

use http::{HeaderMap, StatusCode};
use seaworthy_core::{Error, ErrorKind, Timestamp};
use serde::Deserialize;

use super::{action::Action, provider::Provider};

/// A failed response, or none at all. Contains no secret.
#[derive(Clone, Debug)]
pub(in crate::sinks) struct Failure {
    trouble: Trouble,
    action: Option<Action>,
    /// How often it was tried.
    attempts: u32,
    retry_after: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
enum Trouble {
    /// The store responded: status, its own code and message.
    Answer { status: StatusCode, code: String, words: String, hint: Option<Hint> },
    /// The host name of the store cannot be resolved.
    Name(String),
    /// The TLS connection failed.
    Tls(String),
    /// The proxy refused the connection.
    Proxy(String),
    /// No connection, or one that ended too early.
    Connection(String),
    /// No progress for this long.
    Stalled(Duration),
    /// There are no credentials to sign with.
    Credentials(String),
    /// A deletion only hid the object: the bucket keeps versions.
    Hidden,
}

/// More facts from a response.
#[derive(Clone, Debug, PartialEq)]
enum Hint {
    /// The bucket is in this region.
    Region(String),
    /// How many seconds the store's clock is ahead of ours.
    Ahead(i64),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ErrorBody {
    code: String,
    message: String,
    region: String,
}

impl Failure {
    /// The store responded with `status`.
    pub(super) fn answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let read: ErrorBody = quick_xml::de::from_str(&text).unwrap_or_default();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let region = header("x-amz-bucket-region").unwrap_or(&read.region);
        let hint = if read.code == "RequestTimeTooSkewed" {
            header("date").and_then(ahead).map(Hint::Ahead)
        } else {
            Some(region).filter(|region| !region.is_empty()).map(|r| Hint::Region(r.to_owned()))
        };
        let retry_after = header("retry-after").and_then(|value| value.parse().ok());
        let words = if read.message.is_empty() && read.code.is_empty() {
            text.chars().filter(|c| !c.is_control()).take(200).collect()
        } else {
            read.message
        };
        Self {
            trouble: Trouble::Answer { status, code: read.code, words, hint },
            action: None,
            attempts: 1,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn new(trouble: Trouble) -> Self {
        Self { trouble, action: None, attempts: 1, retry_after: None }
    }

    /// No progress for `time`.
    pub(super) fn stalled(time: Duration) -> Self {
        Self::new(Trouble::Stalled(time))
    }

    /// There are no credentials.
    pub(super) fn no_credentials(error: &dyn StdError) -> Self {
        Self::new(Trouble::Credentials(innermost(error)))
    }

    /// A deletion left a version behind.
    pub(super) fn hidden() -> Self {
        Self::new(Trouble::Hidden).at(Action::DeleteObjectVersion, 1)
    }

    /// A response was not received completely.
    pub(super) fn lost(error: &dyn StdError) -> Self {
        Self::new(Trouble::Connection(innermost(error)))
    }

    /// The request or its response was lost.
    pub(super) fn transport(error: &reqwest::Error) -> Self {
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        let words = innermost(error);
        while let Some(at) = next {
            if at.is::<rustls::Error>() {
                return Self::new(Trouble::Tls(words));
            }
            let says = at.to_string();
            if says.starts_with("tunnel error") && !says.contains("underlying connection") {
                return Self::new(Trouble::Proxy(words));
            }
            if says.starts_with("dns error") {
                return Self::new(Trouble::Name(words));
            }
            // What a system error wraps is not its `source`.
            let wrapped = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = wrapped.map(|inner| inner as _).or_else(|| at.source());
        }
        Self::new(Trouble::Connection(words))
    }

    /// The same, from the last of `attempts` at `action`.
    pub(super) fn at(mut self, action: Action, attempts: u32) -> Self {
        self.action = Some(action);
        self.attempts = attempts;
        self
    }

    /// The root cause of `error`.
    pub(in crate::sinks) fn of<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(at) = next {
            if let Some(failure) = at.downcast_ref() {
                return Some(failure);
            }
            next = at.source();
        }
        None
    }

    /// Whether trying again may help.
    pub(super) fn passes(&self) -> bool {
        match &self.trouble {
            Trouble::Answer { status, code, .. } => {
                status.is_server_error() && !matches!(status.as_u16(), 501 | 507)
                    || matches!(status.as_u16(), 408 | 429)
                    // Some of these come with a status of 200 or 400: bytes that were corrupted in
                    // transit belong here as well.
                    || matches!(
                        code.as_str(),
                        "SlowDown"
                            | "InternalError"
                            | "ServiceUnavailable"
                            | "RequestTimeout"
                            | "OperationAborted"
                            | "BadDigest"
                            | "IncompleteBody"
                            | "XAmzContentSHA256Mismatch"
                    )
            }
            Trouble::Proxy(words) => !words.contains("authorization"),
            Trouble::Tls(_) | Trouble::Credentials(_) | Trouble::Hidden => false,
            Trouble::Name(_) | Trouble::Connection(_) | Trouble::Stalled(_) => true,
        }
    }

    /// Whether it may have succeeded with a lost response: stores report an already completed
    /// upload in many ways.
    pub(in crate::sinks) fn is_ambiguous(&self) -> bool {
        self.passes() || self.attempts > 1 || self.code() == "NoSuchUpload"
    }

    /// How long the store wants us to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn status(&self) -> Option<StatusCode> {
        match &self.trouble {
            Trouble::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }

    fn code(&self) -> &str {
        match &self.trouble {
            Trouble::Answer { code, .. } => code,
            _ => "",
        }
    }

    /// Whether the store does not support this operation.
    pub(super) fn is_not_offered(&self) -> bool {
        self.status() == Some(StatusCode::NOT_IMPLEMENTED)
            || matches!(self.code(), "NotImplemented" | "MethodNotAllowed")
    }

    /// The kind of error.
    pub(in crate::sinks) fn kind(&self) -> ErrorKind {
        let Trouble::Answer { status, code, .. } = &self.trouble else {
            return match &self.trouble {
                Trouble::Stalled(_) => ErrorKind::TimedOut,
                Trouble::Credentials(_) | Trouble::Hidden => ErrorKind::PermissionDenied,
                _ => ErrorKind::Unavailable,
            };
        };
        if self.is_not_offered() {
            return ErrorKind::Unsupported;
        }
        match (code.as_str(), status.as_u16()) {
            ("NoSuchBucket" | "PermanentRedirect" | "AuthorizationHeaderMalformed", _)
            | (_, 301 | 307) => ErrorKind::Config,
            ("NoSuchUpload", _) => ErrorKind::Io,
            ("QuotaExceeded" | "InsufficientCapacity" | "XMinioStorageFull", _) | (_, 507) => {
                ErrorKind::NoSpace
            }
            (_, 404) => ErrorKind::NotFound,
            (_, 401 | 403) => ErrorKind::PermissionDenied,
            (_, 412) => ErrorKind::AlreadyExists,
            (_, 416) => ErrorKind::InvalidInput,
            _ if self.passes() => ErrorKind::Unavailable,
            _ => ErrorKind::Io,
        }
    }

    /// As an error of ours, with what can be done about it.
    pub(in crate::sinks) fn explain(
        &self,
        operation: &'static str,
        message: String,
        provider: Provider,
    ) -> Error {
        let error = Error::new(self.kind(), operation, message)
            .retryable_is(self.passes())
            .caused_by(self.clone());
        match self.remedy(provider) {
            Some(remedy) => error.remedy_is(remedy),
            None => error,
        }
    }

    fn remedy(&self, provider: Provider) -> Option<String> {
        let (status, code, words, hint) = match &self.trouble {
            Trouble::Answer { status, code, words, hint } => (status, code.as_str(), words, hint),
            Trouble::Name(_) => {
                return Some("are `endpoint` and `region` right, and does DNS work here?".into());
            }
            Trouble::Tls(_) => {
                let remedy = "if a private authority signs the store's certificate, set `roots` to \
                         its file; never disable the check";
                return Some(remedy.into());
            }
            Trouble::Proxy(_) => {
                let remedy = "are HTTPS_PROXY or ALL_PROXY and the password right? NO_PROXY lists \
                         hosts that are reached without a proxy";
                return Some(remedy.into());
            }
            Trouble::Credentials(_) => {
                return Some(
                    "configure keys, a `profile`, or a role of the machine for the sink".into(),
                );
            }
            Trouble::Connection(_) => return Some("is the store up, and reachable?".into()),
            Trouble::Hidden => {
                let remedy = "give the key s3:ListBucketVersions and s3:DeleteObjectVersion: the \
                         bucket keeps versions, and a hidden version still costs money";
                return Some(remedy.into());
            }
            Trouble::Stalled(_) => {
                return Some("if the connection is only slow, raise `timeout` of the sink".into());
            }
        };
        Some(match (code, hint) {
            ("RequestTimeTooSkewed", Some(Hint::Ahead(seconds))) => {
                let (way, seconds) =
                    if *seconds < 0 { ("ahead", -seconds) } else { ("behind", *seconds) };
                format!(
                    "this machine's clock is {seconds} seconds {way} of the store's clock: \
                         set it"
                )
            }
            ("RequestTimeTooSkewed", _) => "set this machine's clock".into(),
            ("NoSuchBucket", _) => {
                "create the bucket first (Seaworthy never does), or correct `bucket`".into()
            }
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "", Some(Hint::Region(r)))
                if status.is_redirection() || status.as_u16() == 400 =>
            {
                format!("write region = {r:?}")
            }
            ("AuthorizationHeaderMalformed", Some(Hint::Region(r))) => {
                format!("write region = {r:?}")
            }
            ("InvalidAccessKeyId" | "UnrecognizedClientException", _) => {
                "the store does not know this key: was it deleted, or does it belong to \
                 another store?"
                    .into()
            }
            ("SignatureDoesNotMatch", _) => {
                "the secret does not match the key: check it for a space or a missing character"
                    .into()
            }
            ("ExpiredToken" | "TokenRefreshRequired", _) => "get a new session token".into(),
            ("QuotaExceeded" | "InsufficientCapacity" | "XMinioStorageFull", _) => {
                "free some space, raise the quota, or keep fewer snapshots".into()
            }
            _ if words.to_ascii_lowercase().contains("cap exceeded") => {
                "raise the account's cap at the store".into()
            }
            _ if words.to_ascii_lowercase().contains("object lock") => {
                "the object is locked until its retention is over".into()
            }
            _ if matches!(status.as_u16(), 401 | 403) => {
                let action = self.action?;
                let (right, what) = (action.right(provider), provider.right_is_called());
                format!("give the key the {what} {right}, for this bucket and this prefix")
            }
            _ if status.is_server_error() => {
                "the store is overloaded or has a fault: try again later".into()
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trouble {
            Trouble::Answer { status, code, words, .. } => {
                write!(f, "the store responded with {}", status.as_u16())?;
                if !code.is_empty() {
                    write!(f, " {code}")?;
                }
                if !words.is_empty() {
                    write!(f, " ({words})")?;
                }
            }
            Trouble::Name(words) => write!(f, "its name cannot be resolved ({words})")?,
            Trouble::Tls(words) => write!(f, "the TLS connection failed ({words})")?,
            Trouble::Proxy(words) => write!(f, "the proxy refused the connection ({words})")?,
            Trouble::Connection(words) => write!(f, "the connection failed ({words})")?,
            Trouble::Stalled(time) => write!(f, "no progress for {} s", time.as_secs())?,
            Trouble::Credentials(words) => write!(f, "there are no credentials ({words})")?,
            Trouble::Hidden => f.write_str("the object is hidden but not deleted")?,
        }
        if let Some(action) = self.action {
            write!(f, " to {action}")?;
        }
        if self.attempts > 1 {
            write!(f, ", {} times", self.attempts)?;
        }
        Ok(())
    }
}

impl StdError for Failure {}

/// The message of the root cause.
fn innermost(error: &dyn StdError) -> String {
    let mut at = error.source();
    let mut words = error.to_string();
    while let Some(cause) = at {
        words = cause.to_string();
        at = cause.source();
    }
    words
}

/// How many seconds `date`, from a response, is ahead of our clock.
fn ahead(date: &str) -> Option<i64> {
    let theirs = http_date(date)?;
    let ours = Timestamp::from(std::time::SystemTime::now()).as_unix();
    Some(theirs - ours)
}

/// Seconds since 1970 of `Sun, 22 Nov 2026 10:45:51 GMT`.
pub(super) fn http_date(text: &str) -> Option<i64> {
    let mut parts = text.split_once(", ")?.1.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| *name == month)? + 1;
    let time: Timestamp = format!("{year}-{month:02}-{day}T{}Z", parts.next()?).parse().ok()?;
    Some(time.as_unix())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        Failure::answer(status, &HeaderMap::new(), body.as_bytes())
    }

    fn xml(code: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>")
    }

    #[test]
    fn answers_are_what_they_mean() {
        for (status, code, kind, passes) in [
            (404, "NoSuchKey", ErrorKind::NotFound, false),
            (404, "NoSuchBucket", ErrorKind::Config, false),
            (403, "AccessDenied", ErrorKind::PermissionDenied, false),
            (503, "SlowDown", ErrorKind::Unavailable, true),
            (400, "RequestTimeout", ErrorKind::Unavailable, true),
            (400, "BadDigest", ErrorKind::Unavailable, true),
            (200, "InternalError", ErrorKind::Unavailable, true),
            (501, "NotImplemented", ErrorKind::Unsupported, false),
            (507, "", ErrorKind::NoSpace, false),
            (416, "InvalidRange", ErrorKind::InvalidInput, false),
            (400, "EntityTooLarge", ErrorKind::Io, false),
        ] {
            let failure = answer(status, &xml(code));
            assert_eq!((failure.kind(), failure.passes()), (kind, passes), "{status} {code}");
        }
    }

    #[test]
    fn a_refusal_names_the_right_that_is_missing() {
        let denied = answer(403, &xml("AccessDenied")).at(Action::DeleteObjectVersion, 1);
        let remedy =
            |provider| denied.explain("x", "y".into(), provider).remedy().unwrap().to_owned();
        assert!(remedy(Provider::S3).contains("s3:DeleteObjectVersion"));
        assert!(remedy(Provider::B2).contains("deleteFiles"));
    }

    #[test]
    fn a_wrong_clock_and_a_wrong_region_are_told_with_their_numbers() {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Thu, 01 Jan 2015 00:00:00 GMT".parse().unwrap());
        let body = xml("RequestTimeTooSkewed");
        let skewed = Failure::answer(StatusCode::FORBIDDEN, &headers, body.as_bytes());
        let error = skewed.explain("x", "y".into(), Provider::S3);
        assert!(error.remedy().unwrap().contains("seconds ahead"), "{:?}", error.remedy());
        headers.insert("x-amz-bucket-region", "eu-west-3".parse().unwrap());
        let moved = Failure::answer(StatusCode::MOVED_PERMANENTLY, &headers, b"");
        let error = moved.explain("x", "y".into(), Provider::S3);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.remedy(), Some("write region = \"eu-west-3\""));
    }

    #[test]
    fn dates_of_answers_are_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60));
        assert_eq!(http_date("nonsense"), None);
    }
}
