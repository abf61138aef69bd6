//! `[site.*]`: hosts and what they serve.

use std::collections::BTreeMap;

use seaworthy_core::{ByteSize, Name, Span};
use serde::Deserialize;

use super::{
    Cidr, ErrorStatus, FilePath, HeaderName, HeaderValue, Host, LogFormat, PlainText, RequestRate,
    Route, Snippet, Switch, Switched, Timeouts,
};

/// The section `[site.<name>]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Site {
    /// The names that it answers to.
    pub hosts: Vec<Host>,
    /// The `[certificate.*]` to serve; without one the site is plain HTTP.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub certificate: Option<Name>,
    /// Whether it also answers unknown hosts; at most one site can.
    #[serde(default)]
    pub default: bool,
    /// Whether the other form of each host, with or without `www.`, is redirected here.
    #[serde(default)]
    pub www_redirect: bool,
    /// Strict-Transport-Security. Default: on if there is a certificate.
    pub hsts: Option<Switch<Hsts>>,
    /// Content-Security-Policy.
    pub csp: Option<HeaderValue>,
    /// More headers, or other values; `false` removes one of the defaults.
    #[serde(default)]
    pub headers: BTreeMap<HeaderName, HeaderChoice>,
    /// How many requests are answered; the others get 429.
    pub rate_limit: Option<Switch<RateLimit>>,
    /// How many connections one client may have at once.
    pub connection_limit: Option<u32>,
    /// The largest request body; nginx's default is 1 MiB.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub max_body: Option<ByteSize>,
    /// How long to wait for upstreams.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// The only networks that are allowed.
    #[serde(default)]
    pub allow: Vec<Cidr>,
    /// Asks for a name and a password.
    pub basic_auth: Option<Switch<BasicAuth>>,
    /// As long as this is set, a maintenance page is the only response.
    pub maintenance: Option<Maintenance>,
    /// The files that are sent for errors.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, FilePath>"))]
    pub error_pages: BTreeMap<ErrorStatus, FilePath>,
    /// How requests are logged, if different from `[proxy]`; `false` disables the log.
    pub log: Option<Switch<LogFormat>>,
    /// Directives of nginx's own, in `server`. Not checked beyond their form: the escape hatch.
    pub snippet: Option<Snippet>,
    /// What is answered, path by path.
    #[serde(default)]
    pub routes: Vec<Route>,
}

impl Site {
    /// A site without routes.
    pub fn new(hosts: impl IntoIterator<Item = Host>) -> Self {
        Self {
            hosts: hosts.into_iter().collect(),
            certificate: None,
            default: false,
            www_redirect: false,
            hsts: None,
            csp: None,
            headers: BTreeMap::new(),
            rate_limit: None,
            connection_limit: None,
            max_body: None,
            timeouts: Timeouts::default(),
            allow: Vec::new(),
            basic_auth: None,
            maintenance: None,
            error_pages: BTreeMap::new(),
            log: None,
            snippet: None,
            routes: Vec::new(),
        }
    }

    /// Serves the certificate `name`.
    #[must_use]
    pub fn with_certificate(self, name: Name) -> Self {
        Self { certificate: Some(name), ..self }
    }

    /// Adds a route.
    #[must_use]
    pub fn with_route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }
}

impl Switched for LogFormat {
    fn on() -> Option<Self> {
        None
    }
}

/// A header's value, or `false` for leaving it out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderChoice {
    /// It is left out.
    Off,
    /// Its value.
    Value(HeaderValue),
}

impl Switched for HeaderValue {
    fn on() -> Option<Self> {
        None
    }
}

impl<'de> Deserialize<'de> for HeaderChoice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Switch::deserialize(deserializer)? {
            Switch::Off => Self::Off,
            Switch::On(value) => Self::Value(value),
        })
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for HeaderChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HeaderChoice".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "const": false }, { "type": "string" }] })
    }
}

/// Strict-Transport-Security.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Hsts {
    /// How long browsers remember it: two years by default.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub max_age: Span,
    /// Whether it applies to all subdomains.
    pub subdomains: bool,
    /// Whether browsers may include it in their preload lists. Hard to undo: never on by default.
    pub preload: bool,
}

impl Default for Hsts {
    fn default() -> Self {
        Self { max_age: Span::days(730), subdomains: false, preload: false }
    }
}

impl Switched for Hsts {
    fn on() -> Option<Self> {
        Some(Self::default())
    }
}

/// How many requests are answered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimit {
    /// The average rate.
    pub rate: RequestRate,
    /// How many requests above the rate are accepted in a burst.
    #[serde(default)]
    pub burst: u32,
    /// Which clients share a limit.
    #[serde(default)]
    pub key: LimitKey,
    /// Networks without a limit.
    #[serde(default)]
    pub exempt: Vec<Cidr>,
}

impl Switched for RateLimit {
    fn on() -> Option<Self> {
        None
    }
}

/// Which clients share a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LimitKey {
    /// Requests from one IPv4 address, or from one IPv6 network of 64 bits: a client with one
    /// address there has all of them.
    #[default]
    Client,
    /// All requests.
    Site,
}

/// Asks for a name and a password.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BasicAuth {
    /// The realm that the browser shows.
    #[serde(default = "restricted")]
    pub realm: PlainText,
    /// The file of names and hashed passwords, as `htpasswd` writes it.
    pub file: FilePath,
}

fn restricted() -> PlainText {
    PlainText::constant("Restricted")
}

impl Switched for BasicAuth {
    fn on() -> Option<Self> {
        None
    }
}

/// A maintenance page, with status 503.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Maintenance {
    /// The page. Default: nginx's own.
    pub page: Option<FilePath>,
    /// The value of Retry-After.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub retry_after: Option<Span>,
    /// Networks that see the normal site.
    pub allow: Vec<Cidr>,
}
