//! Turns the file into requests that are ready to be sent.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Uri, Version,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT},
};
use seaworthy_core::{Error, ErrorKind, Result, Secret, SecretRef};

use crate::{
    config::{EndpointConfig, HeaderConfig, HttpVersion, LoadConfig},
    pace::Pace,
    wire::{FRAMING, Wire},
};

/// Reads the secret at a place.
pub(crate) type Secrets<'a> = &'a dyn Fn(&SecretRef) -> Option<Secret>;

/// Scheme, host and port of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    authority: String,
}

impl Base {
    pub(crate) fn new(text: &str) -> Result<Self> {
        let wrong = || {
            let message = format!("{text:?} is not the address of a server");
            Error::new(ErrorKind::InvalidInput, "load_test.config", message)
                .remedy_is("write it like http://127.0.0.1:8000 or https://example.com")
        };
        let uri: Uri = text.parse().map_err(|e| wrong().caused_by(e))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let plain_path = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if authority.as_str().contains('@') || !plain_path {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let (host, authority) = (authority.host().to_owned(), authority.as_str().to_owned());
        Ok(Self { tls, host, port, authority })
    }
}

/// A request that is ready to be sent again and again.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    body: Bytes,
    /// The same for HTTP/1.1, as bytes.
    pub(crate) wire: Wire,
    expect: Vec<u16>,
    weight: u32,
}

impl Endpoint {
    pub(crate) fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers.clone();
        request
    }

    pub(crate) fn is_good(&self, status: u16) -> bool {
        if self.expect.is_empty() {
            (200..400).contains(&status)
        } else {
            self.expect.contains(&status)
        }
    }

    fn new(
        one: &EndpointConfig,
        config: &LoadConfig,
        base: &Base,
        secrets: Secrets<'_>,
    ) -> Result<Self> {
        let method = one.method.as_deref().unwrap_or("GET").to_uppercase();
        let name = one.name.clone().unwrap_or_else(|| format!("{method} {}", one.path));
        let wrong = |what: String| {
            let message = format!("endpoint {name:?}: {what}");
            Error::new(ErrorKind::InvalidInput, "load_test.config", message)
        };
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| wrong(format!("{method:?} is not an HTTP method")))?;
        let uri: Uri = one
            .path
            .parse()
            .map_err(|e| wrong(format!("{:?} is not a path", one.path)).caused_by(e))?;
        if uri.scheme().is_some() || !one.path.starts_with('/') {
            return Err(wrong(format!("the path {:?} does not begin with /", one.path)));
        }
        let http2 = config.http == HttpVersion::Http2;
        let mut headers = HeaderMap::new();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("seaworthy/", env!("CARGO_PKG_VERSION"))),
        );
        let (uri, version) = if http2 {
            let scheme = if base.tls { "https" } else { "http" };
            let whole = format!("{scheme}://{}{}", base.authority, one.path);
            let whole =
                whole.parse().map_err(|e| wrong(format!("{whole:?} is not a URL")).caused_by(e))?;
            (whole, Version::HTTP_2)
        } else {
            let host = HeaderValue::from_str(&base.authority)
                .map_err(|_| wrong(format!("{:?} is not a host", base.authority)))?;
            headers.insert(HOST, host);
            (uri, Version::HTTP_11)
        };
        let body = match (&one.body, &one.json) {
            (Some(_), Some(_)) => return Err(wrong("set body or json, not both".into())),
            (Some(body), None) => body.clone().into(),
            (None, Some(json)) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let json = serde_json::to_vec(json);
                json.map_err(|e| {
                    wrong("the value of json cannot be written as JSON".into()).caused_by(e)
                })?
                .into()
            }
            (None, None) => Bytes::new(),
        };
        if let Some(place) = one.token.as_ref().or(config.token.as_ref()) {
            let token = find(place, secrets)?;
            let value = Secret::new(format!("Bearer {}", token.expose()));
            headers.insert(AUTHORIZATION, header(&value, "the token", &wrong)?);
        }
        let all: BTreeMap<_, _> = config.headers.iter().chain(&one.headers).collect();
        for (key, value) in all {
            let name: HeaderName =
                key.parse().map_err(|_| wrong(format!("{key:?} is not the name of a header")))?;
            if FRAMING.contains(&name) {
                return Err(wrong(format!(
                    "the header {key} must not be set: it follows from the body"
                )));
            }
            let value = match value {
                HeaderConfig::Text(text) => HeaderValue::from_str(text)
                    .map_err(|_| wrong(format!("the header {key} has an invalid value")))?,
                HeaderConfig::Secret(place) => header(&find(place, secrets)?, key, &wrong)?,
            };
            headers.insert(name, value);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let wire = Wire::new(&method, path, &headers, &body);
        let (expect, weight) = (one.expect.clone(), one.weight.unwrap_or(1));
        Ok(Self { name, method, uri, version, headers, body, wire, expect, weight })
    }
}

fn find(place: &SecretRef, secrets: Secrets<'_>) -> Result<Secret> {
    secrets(place).ok_or_else(|| {
        let message = "a secret that the test needs was not found";
        Error::new(ErrorKind::InvalidInput, "load_test.config", message)
    })
}

fn header(secret: &Secret, what: &str, wrong: &dyn Fn(String) -> Error) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(secret.expose())
        .map_err(|_| wrong(format!("{what} has a value that a header cannot have")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Endpoints that are loaded together.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The indexes of the endpoints, in the order in which they are requested, over and over.
    pub(crate) order: Vec<usize>,
    pub(crate) concurrency: u32,
    /// The open model's rate; `None` for the closed model.
    pub(crate) pace: Option<Pace>,
    pub(crate) ramp: Duration,
    pub(crate) warm_up: Duration,
    /// How many requests are measured.
    pub(crate) requests: Option<u64>,
    /// How long is measured.
    pub(crate) duration: Option<Duration>,
}

/// Reads a whole configuration.
pub(crate) fn prepare(
    config: &LoadConfig,
    base: &Base,
    secrets: Secrets<'_>,
) -> Result<(Vec<Endpoint>, Vec<Group>)> {
    let wrong = |message: String| Error::new(ErrorKind::InvalidInput, "load_test.config", message);
    if config.endpoints.is_empty() {
        return Err(wrong("there are no endpoints to load".into())
            .remedy_is("add [[endpoints]] with a path"));
    }
    let endpoints: Result<Vec<_>> =
        config.endpoints.iter().map(|one| Endpoint::new(one, config, base, secrets)).collect();
    let endpoints = endpoints?;
    let mut groups = Vec::new();
    let mut shared = Vec::new();
    for (number, one) in config.endpoints.iter().enumerate() {
        if one.rate.is_some() || one.concurrency.is_some() || one.requests.is_some() {
            groups.push(group(vec![number], config, one)?);
        } else {
            shared.push(number);
        }
    }
    let order = by_weight(&shared, &endpoints);
    if !order.is_empty() {
        groups.push(group(order, config, &EndpointConfig::default())?);
    } else if !shared.is_empty() {
        return Err(wrong("every endpoint has the weight 0".into()));
    }
    Ok((endpoints, groups))
}

fn group(order: Vec<usize>, config: &LoadConfig, one: &EndpointConfig) -> Result<Group> {
    let wrong =
        |message: &str| Err(Error::new(ErrorKind::InvalidInput, "load_test.config", message));
    let ramp = config.ramp.map_or(Duration::ZERO, |time| time.duration());
    let rate = one.rate.or(config.rate);
    if rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0 && rate <= 1e7)) {
        return wrong("a rate must be a number of requests per second above 0");
    }
    let usual = if rate.is_some() { 100 } else { 10 };
    let concurrency = one.concurrency.or(config.concurrency).unwrap_or(usual);
    if !(1..=100_000).contains(&concurrency) {
        return wrong("the concurrency must be a number from 1 to 100000");
    }
    let requests = one.requests.or(config.requests);
    if requests == Some(0) {
        return wrong("the number of requests must be at least 1");
    }
    let usual = requests.is_none().then_some(Duration::from_secs(10));
    Ok(Group {
        order,
        concurrency: concurrency
            .min(requests.map_or(u32::MAX, |n| n.try_into().unwrap_or(u32::MAX))),
        pace: rate.map(|rate| Pace::new(rate, ramp)),
        ramp,
        warm_up: config.warm_up.map_or(Duration::ZERO, |time| time.duration()),
        requests,
        duration: config.duration.map(|time| time.duration()).or(usual),
    })
}

/// The endpoints in an order in which each occurs as often as its weight says, spread evenly.
fn by_weight(numbers: &[usize], endpoints: &[Endpoint]) -> Vec<usize> {
    let weight = |number: &usize| u64::from(endpoints[*number].weight);
    let total: u64 = numbers.iter().map(weight).sum();
    let length = usize::try_from(total).unwrap_or(usize::MAX).min(10_000);
    let mut credit: Vec<i128> = vec![0; numbers.len()];
    let mut order = Vec::with_capacity(length);
    for _ in 0..length {
        for (credit, number) in credit.iter_mut().zip(numbers) {
            *credit += i128::from(weight(number));
        }
        let Some(richest) = (0..numbers.len()).max_by_key(|at| (credit[*at], usize::MAX - at))
        else {
            break;
        };
        credit[richest] -= i128::from(total);
        order.push(numbers[richest]);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str) -> Result<(Vec<Endpoint>, Vec<Group>)> {
        let config = LoadConfig::from_toml(text, "plan.toml".as_ref())?;
        prepare(&config, &Base::new(&config.base)?, &|_| Some(Secret::new("hunter2")))
    }

    #[test]
    fn weights_are_spread_and_own_numbers_make_own_groups() {
        let (endpoints, groups) = prepared(
            "base = \"http://127.0.0.1\"\nconcurrency = 4\nduration = \"5s\"\n\
             [[endpoints]]\npath = \"/a\"\nweight = 3\n[[endpoints]]\npath = \"/b\"\n\
             [[endpoints]]\npath = \"/c\"\nrequests = 3\nconcurrency = 20\n",
        )
        .unwrap();
        assert_eq!(endpoints.len(), 3);
        assert_eq!(groups[1].order, [0, 0, 1, 0]);
        assert_eq!((groups[1].concurrency, groups[1].requests), (4, None));
        assert_eq!((groups[0].order.as_slice(), groups[0].concurrency), (&[2][..], 3));
        assert_eq!(groups[0].requests, Some(3));
    }

    #[test]
    fn requests_carry_headers_tokens_and_bodies() {
        let text = "base = \"http://127.0.0.1:81\"\ntoken = { env = \"T\" }\nheaders = { X-A = \"1\" }\n\
             [[endpoints]]\npath = \"/a?b\"\nmethod = \"post\"\njson = { n = 1 }\nheaders = { X-A = \"2\" }\n";
        let (endpoints, _) = prepared(text).unwrap();
        let request = endpoints[0].request();
        assert_eq!((request.method(), request.uri().to_string()), (&Method::POST, "/a?b".into()));
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(header("authorization"), "Bearer hunter2");
        assert_eq!((header("x-a"), header("host")), ("2", "127.0.0.1:81"));
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(endpoints[0].body, "{\"n\":1}");
        assert!(!format!("{endpoints:?}").contains("hunter2"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, words) in [
            ("base = \"127.0.0.1\"", "is not the address"),
            ("base = \"http://a:b@127.0.0.1\"", "is not the address"),
            ("base = \"http://127.0.0.1\"", "no endpoints"),
            (
                "base = \"http://127.0.0.1\"\nrate = 0.0\n[[endpoints]]\npath = \"/\"",
                "a rate must be",
            ),
            (
                "base = \"http://127.0.0.1\"\nconcurrency = 0\n[[endpoints]]\npath = \"/\"",
                "concurrency",
            ),
            ("base = \"http://127.0.0.1\"\n[[endpoints]]\npath = \"a\"", "begin with /"),
            (
                "base = \"http://127.0.0.1\"\n[[endpoints]]\npath = \"/\"\nheaders = { A = \"x\\n\" }",
                "header A",
            ),
            (
                "base = \"http://127.0.0.1\"\nheaders = { Content-Length = \"9\" }\n[[endpoints]]\npath = \"/\"",
                "follows from the body",
            ),
        ] {
            let error = prepared(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
