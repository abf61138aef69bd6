//! A load test as people write it in a file.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use seaworthy_core::{Error, ErrorKind, Result, SecretRef};
use serde::{Deserialize, Deserializer, de};

/// A load test as its file describes it.
///
/// ```
/// use seaworthy_load_test::LoadConfig;
/// let config = LoadConfig::from_toml(
///     r#"
///     base = "http://127.0.0.1:8000"
///     token = { env = "API_TOKEN" }
///     [[endpoints]]
///     path = "/health"
///     requests = 100
///     concurrency = 20
///     "#,
///     "load-test.toml".as_ref(),
/// )?;
/// assert_eq!(config.endpoints.len(), 1);
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LoadConfig {
    /// What the paths of the endpoints are appended to: scheme, host and port.
    pub base: String,
    /// Sent as a bearer token with every request.
    pub token: Option<SecretRef>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderConfig>,
    /// Requests per second, whatever the server does: the open model.
    pub rate: Option<f64>,
    /// How many requests may be in flight at once. Without a rate, each connection sends its next
    /// request after the response: the closed model. Default: 10, or 100 with a rate.
    pub concurrency: Option<u32>,
    /// How many requests are measured.
    pub requests: Option<u64>,
    /// How long is measured. Default: ten seconds, unless a number of requests is given.
    pub duration: Option<Time>,
    /// How long requests are sent before anything is measured.
    pub warm_up: Option<Time>,
    /// How long the rate, or the concurrency, rises from zero.
    pub ramp: Option<Time>,
    /// How long a request may take. Default: 30 seconds.
    pub timeout: Option<Time>,
    /// The version of HTTP.
    #[serde(default)]
    pub http: HttpVersion,
    /// A PEM file with roots to trust instead of the machine's.
    pub roots: Option<PathBuf>,
    /// Runs one group of endpoints after the other instead of all at once.
    #[serde(default)]
    pub in_turn: bool,
    /// What counts as good.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// The endpoints.
    #[serde(default)]
    pub endpoints: Vec<EndpointConfig>,
}

/// One endpoint. With a rate, a concurrency or a number of requests of its own it is loaded by
/// itself; all others share those of the file by their weights.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// Its name in reports. Default: method and path.
    pub name: Option<String>,
    /// The path with its query.
    pub path: String,
    /// The method. Default: GET.
    pub method: Option<String>,
    /// Headers in addition to those of the file, or instead of them.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderConfig>,
    /// A bearer token instead of the file's.
    pub token: Option<SecretRef>,
    /// The request body.
    pub body: Option<String>,
    /// The request body as JSON, sent with that content type.
    pub json: Option<serde_json::Value>,
    /// How often it is requested relative to the others. Default: 1.
    pub weight: Option<u32>,
    /// Its own requests per second.
    pub rate: Option<f64>,
    /// Its own concurrency.
    pub concurrency: Option<u32>,
    /// Its own number of requests.
    pub requests: Option<u64>,
    /// Which statuses are good. Default: 200 to 399.
    #[serde(default)]
    pub expect: Vec<u16>,
}

/// The value of a header: text, or the place of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderConfig {
    /// The value itself.
    Text(String),
    /// Where the value is found.
    Secret(SecretRef),
}

impl<'de> Deserialize<'de> for HeaderConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self::Text(text)),
            other => SecretRef::deserialize(other).map(Self::Secret).map_err(|_| {
                de::Error::custom(
                    "a header is a text, or { env = … }, { file = … }, { command = […] }",
                )
            }),
        }
    }
}

/// The version of HTTP to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/1.1 with keep-alive.
    #[default]
    #[serde(rename = "1.1")]
    Http1,
    /// HTTP/2; without TLS, with prior knowledge.
    #[serde(rename = "2")]
    Http2,
}

/// What counts as good.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Thresholds {
    /// The smallest share of good responses that passes, in percent. Default: 95.
    pub pass: f64,
    /// The smallest share of good responses that is only a warning, in percent. Default: 90.
    pub warn: f64,
    /// The largest allowed 95th percentile of the response times.
    pub p95: Option<Time>,
    /// The largest allowed 99th percentile of the response times.
    pub p99: Option<Time>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { pass: 95.0, warn: 90.0, p95: None, p99: None }
    }
}

/// A time that may be short: `250ms`, `2s`, `5m`.
///
/// ```
/// use seaworthy_load_test::Time;
/// assert_eq!("250ms".parse::<Time>()?.duration().as_millis(), 250);
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(Duration);

impl Time {
    /// This long.
    pub fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// How long it is.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl std::str::FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let millis = text.strip_suffix("ms").and_then(|number| number.parse().ok());
        if let Some(millis) = millis {
            return Ok(Self(Duration::from_millis(millis)));
        }
        text.parse::<seaworthy_core::Span>().map(|span| Self(span.as_duration())).map_err(|_| {
            let message = format!("{text:?} is not a duration");
            Error::new(ErrorKind::InvalidInput, "load_test.time", message)
                .remedy_is("write it like 250ms, 30s or 5m")
        })
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| {
            de::Error::custom(format!("{error}; {}", error.remedy().unwrap_or_default()))
        })
    }
}

impl LoadConfig {
    /// A test of one URL.
    pub fn of_url(url: &str) -> Self {
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let split = url[after_scheme..].find(['/', '?']).map_or(url.len(), |at| after_scheme + at);
        let (base, path) = url.split_at(split);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let endpoint = EndpointConfig { path, ..EndpointConfig::default() };
        Self { base: base.to_owned(), endpoints: vec![endpoint], ..Self::default() }
    }

    /// Reads a file's `text`; `path` is named in errors.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a file that is wrong, with line and column.
    pub fn from_toml(text: &str, path: &std::path::Path) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let before = text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            // The line itself is not shown: it may contain a secret.
            let message = format!("{}:{line}:{column}: {}", path.display(), error.message());
            Error::new(ErrorKind::Config, "load_test.config", message)
                .with("line", line)
                .with("column", column)
        })
    }

    /// The places of all secrets that the test needs: the frontend reads them.
    pub fn secrets(&self) -> Vec<SecretRef> {
        let headers = self.endpoints.iter().flat_map(|endpoint| endpoint.headers.values());
        let headers = headers.chain(self.headers.values()).filter_map(|value| match value {
            HeaderConfig::Secret(place) => Some(place.clone()),
            HeaderConfig::Text(_) => None,
        });
        let tokens = self.endpoints.iter().map(|endpoint| &endpoint.token).chain([&self.token]);
        headers.chain(tokens.flatten().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LoadConfig> {
        LoadConfig::from_toml(text, "plan.toml".as_ref())
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_without_its_line() {
        for (text, words) in [
            ("base = \"x\"\ntoken = \"hunter2\"", "plan.toml:2:9: a secret is never written"),
            ("base = \"x\"\nbase_url = \"hunter2\"", "unknown field `base_url`"),
            ("base = \"x\"\nduration = \"5\"", "write it like 250ms"),
            ("base = \"x\"\nheaders = { A = 5 }", "a header is a text"),
            ("", "missing field `base`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_url_alone_is_a_whole_test() {
        for (url, base, path) in [
            ("http://127.0.0.1:80/a?b", "http://127.0.0.1:80", "/a?b"),
            ("https://localhost", "https://localhost", "/"),
            ("http://[::1]?x", "http://[::1]", "/?x"),
        ] {
            let config = LoadConfig::of_url(url);
            assert_eq!((config.base.as_str(), config.endpoints[0].path.as_str()), (base, path));
        }
    }

    #[test]
    fn all_places_of_secrets_are_told() {
        let config = read(
            "base = \"x\"\ntoken = { env = \"A\" }\nheaders = { X = { env = \"B\" }, Y = \"plain\" }\n\
             [[endpoints]]\npath = \"/\"\ntoken = { env = \"C\" }\nheaders = { Z = { env = \"D\" } }",
        );
        let mut secrets = config.unwrap().secrets();
        secrets.sort_by_key(|place| format!("{place:?}"));
        assert_eq!(secrets, ["A", "B", "C", "D"].map(|name| SecretRef::Env(name.into())));
    }
}
