//! Routes: what a site serves below a path.

use std::collections::BTreeMap;

use seaworthy_core::{ByteSize, Name, Span};
use serde::Deserialize;

use super::{
    BasicAuth, Cidr, Destination, FilePath, HeaderChoice, HeaderName, HeaderValue, MediaType,
    PlainText, RateLimit, Server, Snippet, Switch, Timeouts, UrlPath,
};

/// One element of `[[site.<name>.routes]]`: a path and exactly one of `proxy`, `files`,
/// `redirect` and `answer`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Route {
    /// The path and, unless `exact`, all paths that begin with it. The longest match wins.
    pub path: UrlPath,
    /// Whether it is for this path alone.
    #[serde(default)]
    pub exact: bool,
    /// Passes requests on to servers.
    pub proxy: Option<ProxyTo>,
    /// Answers with files.
    pub files: Option<Files>,
    /// Redirects the client.
    pub redirect: Option<Redirect>,
    /// Answers with a fixed text.
    pub answer: Option<Answer>,
    /// As in the site, for this route.
    pub csp: Option<HeaderValue>,
    /// In addition to those of the site, for this route.
    #[serde(default)]
    pub headers: BTreeMap<HeaderName, HeaderChoice>,
    /// As in the site, for this route; `false` for none.
    pub rate_limit: Option<Switch<RateLimit>>,
    /// As in the site, for this route.
    pub connection_limit: Option<u32>,
    /// As in the site, for this route.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub max_body: Option<ByteSize>,
    /// As in the site, for this route.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// As in the site, for this route; an empty list lets everybody in.
    pub allow: Option<Vec<Cidr>>,
    /// As in the site, for this route; `false` for none.
    pub basic_auth: Option<Switch<BasicAuth>>,
    /// Directives of nginx's own, in `location`. Not checked beyond their form: the escape hatch.
    pub snippet: Option<Snippet>,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action<'a> {
    Proxy(&'a ProxyTo),
    Files(&'a Files),
    Redirect(&'a Redirect),
    Answer(&'a Answer),
}

impl Route {
    fn new(path: UrlPath) -> Self {
        Self {
            path,
            exact: false,
            proxy: None,
            files: None,
            redirect: None,
            answer: None,
            csp: None,
            headers: BTreeMap::new(),
            rate_limit: None,
            connection_limit: None,
            max_body: None,
            timeouts: Timeouts::default(),
            allow: None,
            basic_auth: None,
            snippet: None,
        }
    }

    /// Passes requests for paths that begin with `path` on.
    pub fn proxy(path: UrlPath, proxy: ProxyTo) -> Self {
        Self { proxy: Some(proxy), ..Self::new(path) }
    }

    /// Serves paths that begin with `path` from files.
    pub fn files(path: UrlPath, files: Files) -> Self {
        Self { files: Some(files), ..Self::new(path) }
    }

    /// Redirects paths that begin with `path`.
    pub fn redirect(path: UrlPath, redirect: Redirect) -> Self {
        Self { redirect: Some(redirect), ..Self::new(path) }
    }

    /// Answers paths that begin with `path` with a fixed text.
    pub fn answer(path: UrlPath, answer: Answer) -> Self {
        Self { answer: Some(answer), ..Self::new(path) }
    }

    /// What it does; `None` unless exactly one is set.
    pub(crate) fn action(&self) -> Option<Action<'_>> {
        let mut actions = [
            self.proxy.as_ref().map(Action::Proxy),
            self.files.as_ref().map(Action::Files),
            self.redirect.as_ref().map(Action::Redirect),
            self.answer.as_ref().map(Action::Answer),
        ]
        .into_iter()
        .flatten();
        actions.next().filter(|_| actions.next().is_none())
    }
}

/// Passes requests on to servers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProxyTo {
    /// The servers: addresses, `{ service = … }`, or one `{ upstream = … }`.
    pub to: Vec<Server>,
    /// Whether WebSockets are supported.
    #[serde(default)]
    pub websocket: bool,
    /// Whether the route's path is removed before passing on: `/api/x` becomes `/x`.
    #[serde(default)]
    pub strip_path: bool,
    /// Whether responses are buffered before they are sent; `false` for event streams.
    #[serde(default = "yes")]
    pub buffering: bool,
}

fn yes() -> bool {
    true
}

impl ProxyTo {
    /// Passes on to `to`.
    pub fn new(to: impl IntoIterator<Item = Server>) -> Self {
        Self { to: to.into_iter().collect(), websocket: false, strip_path: false, buffering: true }
    }
}

/// Answers with files.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Files {
    /// The folder that the route's path maps to. Names that begin with a dot are not served.
    pub root: FilePath,
    /// Whether paths without a file are answered with index.html: a single-page application.
    #[serde(default)]
    pub spa: bool,
    /// Paths whose files never change, because their names do: kept by browsers for a year.
    #[serde(default)]
    pub immutable: Vec<UrlPath>,
    /// How long browsers keep the other files. Default: they ask each time whether there is a newer
    /// one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub cache: Option<Span>,
    /// Whether `x.js.gz` next to `x.js` is sent to clients that support it, if the module is
    /// installed.
    #[serde(default)]
    pub precompressed: bool,
}

impl Files {
    /// Answers with the files of `root`.
    pub fn new(root: FilePath) -> Self {
        Self { root, spa: false, immutable: Vec::new(), cache: None, precompressed: false }
    }
}

/// Redirects the client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Redirect {
    /// The destination.
    pub to: Destination,
    /// 301 and 308 are permanent, 302, 303 and 307 temporary. Default: 308.
    #[serde(default)]
    pub status: RedirectStatus,
    /// Whether the request's path and query are appended to the destination.
    #[serde(default)]
    pub keep_path: bool,
}

/// The status of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct RedirectStatus(u16);

impl RedirectStatus {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for RedirectStatus {
    fn default() -> Self {
        Self(308)
    }
}

impl TryFrom<u16> for RedirectStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            301 | 302 | 303 | 307 | 308 => Ok(Self(status)),
            _ => Err("a redirect's status must be 301, 302, 303, 307 or 308"),
        }
    }
}

/// Answers with a fixed text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Answer {
    /// From 200 to 599. Default: 200.
    #[serde(default)]
    pub status: AnswerStatus,
    /// The text.
    #[serde(default)]
    pub body: Option<PlainText>,
    /// Its media type. Default: text/plain.
    #[serde(rename = "type")]
    pub media_type: Option<MediaType>,
}

/// The status of a fixed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct AnswerStatus(u16);

impl AnswerStatus {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for AnswerStatus {
    fn default() -> Self {
        Self(200)
    }
}

impl TryFrom<u16> for AnswerStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            // The others are redirects, which need a destination, or have no body.
            200 | 201 | 202 | 204 | 400..=498 | 500..=599 => Ok(Self(status)),
            _ => Err("the status of an answer must be 200, 201, 202, 204 or from 400 to 599"),
        }
    }
}

#[cfg(feature = "schema")]
mod schema {
    macro_rules! number {
        ($type:ident) => {
            impl schemars::JsonSchema for super::$type {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!({ "type": "integer", "minimum": 200, "maximum": 599 })
                }
            }
        };
    }
    number!(RedirectStatus);
    number!(AnswerStatus);
}

/// For services: the name is resolved by the code that joins the sections of the file.
pub(crate) fn service_names(route: &Route) -> impl Iterator<Item = &Name> {
    route.proxy.iter().flat_map(|proxy| &proxy.to).filter_map(|server| match server {
        Server::Service(name) => Some(name),
        _ => None,
    })
}
