//! `[proxy]`: settings of the whole web server.

use std::net::IpAddr;

use seaworthy_core::{ByteSize, CommandLine, Span};
use serde::Deserialize;

use super::{Cidr, FilePath, HeaderName, MediaType, Snippet, Switch, Switched, UserName};

/// The section `[proxy]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Proxy {
    /// Which web server; only nginx is supported.
    #[serde(rename = "type")]
    pub kind: ProxyKind,
    /// The folder of its configuration.
    pub root: FilePath,
    /// Whether Seaworthy writes nginx.conf and everything else, too.
    pub own_root: bool,
    /// The program.
    pub binary: FilePath,
    /// The command that reloads its configuration. Default: the program itself with `-s reload`.
    pub reload: Option<CommandLine>,
    /// The user that workers run as. Only with `own_root`.
    pub user: UserName,
    /// The file with the process id of the main process: written with `own_root`, else as
    /// nginx.conf says. Log rotation and draining of old workers read it.
    pub pid: FilePath,
    /// How many connections a worker serves at once. Only with `own_root`.
    pub worker_connections: u32,
    /// The addresses to listen on. Default: all, IPv4 and IPv6.
    pub addresses: Vec<IpAddr>,
    /// The port of plain HTTP.
    pub http_port: u16,
    /// The port of HTTPS.
    pub https_port: u16,
    /// Whether requests for unknown hosts are refused; set it to `false` if the rest of the tree
    /// has a default server.
    pub refuse_unknown: bool,
    /// Mozilla's profile.
    pub tls: TlsProfile,
    /// Whether HTTP/2 is offered on HTTPS.
    pub http2: bool,
    /// Whether HTTP/3 is offered on HTTPS; nginx 1.25 or later.
    pub http3: bool,
    /// Compression of responses that benefit from it.
    pub gzip: Switch<Compression>,
    /// Better compression, if the module is installed. If it is set explicitly, a missing module is
    /// an error.
    pub brotli: Option<Switch<Compression>>,
    /// The folder below which ACME challenges are answered on plain HTTP.
    pub acme_webroot: Option<FilePath>,
    /// Which proxies are trusted to report the client's address.
    pub real_ip: Option<RealIp>,
    /// The folder of the logs.
    pub logs: FilePath,
    /// How requests are logged.
    pub log_format: LogFormat,
    /// A file for logrotate.
    pub logrotate: Switch<Logrotate>,
    /// Resolves the names of upstream servers at run time; needs nginx 1.27.3 or later.
    pub resolver: Vec<IpAddr>,
    /// Directives of nginx's own, in `http`. Not checked beyond their form: the escape hatch.
    pub snippet: Option<Snippet>,
}

impl Default for Proxy {
    fn default() -> Self {
        let path = |text: &'static str| FilePath::constant(text);
        Self {
            kind: ProxyKind::Nginx,
            root: path("/etc/nginx"),
            own_root: false,
            binary: path("/usr/sbin/nginx"),
            reload: None,
            user: UserName::constant("www-data"),
            pid: path("/run/nginx.pid"),
            worker_connections: 1024,
            addresses: vec![
                IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
                IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
            ],
            http_port: 80,
            https_port: 443,
            refuse_unknown: true,
            tls: TlsProfile::Intermediate,
            http2: true,
            http3: false,
            gzip: Switch::On(Compression::default()),
            brotli: None,
            acme_webroot: None,
            real_ip: None,
            logs: path("/var/log/nginx"),
            log_format: LogFormat::Combined,
            logrotate: Switch::Off,
            resolver: Vec::new(),
            snippet: None,
        }
    }
}

/// Which program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProxyKind {
    /// nginx.
    Nginx,
}

/// Which clients can connect, by Mozilla's guideline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TlsProfile {
    /// TLS 1.2 and 1.3: nearly all clients of the last ten years.
    Intermediate,
    /// TLS 1.3 alone.
    Modern,
}

/// How requests are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogFormat {
    /// The combined format, as Apache writes it.
    Combined,
    /// One JSON object in a line.
    Json,
}

/// Compression.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Compression {
    /// From 1 (fast) to 9 (gzip) or 11 (brotli) (small).
    pub level: u8,
    /// Responses smaller than this are not compressed.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub min_length: ByteSize,
    /// The media types in addition to text/html.
    pub types: Vec<MediaType>,
}

impl Default for Compression {
    fn default() -> Self {
        let types = [
            "application/javascript",
            "application/json",
            "application/ld+json",
            "application/manifest+json",
            "application/rss+xml",
            "application/wasm",
            "application/xml",
            "image/svg+xml",
            "text/css",
            "text/javascript",
            "text/plain",
            "text/xml",
        ];
        Self {
            level: 6,
            min_length: ByteSize::new(512),
            types: types.map(MediaType::constant).into(),
        }
    }
}

impl Switched for Compression {
    fn on() -> Option<Self> {
        Some(Self::default())
    }
}

/// Which proxies are trusted to report the client's address.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RealIp {
    /// Networks, or the name of a CDN: `cloudflare`, `fastly`.
    pub from: Vec<Trusted>,
    /// The header with the address. Default: CF-Connecting-IP if Cloudflare alone is trusted, else
    /// X-Forwarded-For.
    pub header: Option<HeaderName>,
}

/// A trusted network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trusted {
    /// This network.
    Network(Cidr),
    /// Cloudflare's.
    Cloudflare,
    /// Fastly's.
    Fastly,
}

impl std::str::FromStr for Trusted {
    type Err = seaworthy_core::Error;

    fn from_str(text: &str) -> seaworthy_core::Result<Self> {
        match text {
            "cloudflare" => Ok(Self::Cloudflare),
            "fastly" => Ok(Self::Fastly),
            _ => {
                text.parse().map(Self::Network).map_err(|error: seaworthy_core::Error| match error
                    .remedy()
                {
                    Some(_) => error,
                    None => error.remedy_is("write a network, \"cloudflare\" or \"fastly\""),
                })
            }
        }
    }
}

seaworthy_core::written_as_string!(Trusted, "Trusted", "a network, cloudflare or fastly");

/// How logs are rotated.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Logrotate {
    /// How many daily files are kept.
    pub keep: u16,
}

impl Default for Logrotate {
    fn default() -> Self {
        Self { keep: 14 }
    }
}

impl Switched for Logrotate {
    fn on() -> Option<Self> {
        Some(Self::default())
    }
}

/// How long nginx waits for an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Timeouts {
    /// For the connection. Default: 5 s.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub connect: Option<Span>,
    /// Between two reads of the response. Default: 60 s, and 1 h for WebSockets.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub read: Option<Span>,
    /// Between two writes of the request. Default: 60 s, and 1 h for WebSockets.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub send: Option<Span>,
}
