//! nginx.conf itself, if the whole tree is ours.

use super::{Job, shared};
use crate::syntax::{Node, set};

/// Media types by file name extension.
const TYPES: [(&str, &[&str]); 30] = [
    ("application/gzip", &["gz"]),
    ("application/javascript", &["js", "mjs"]),
    ("application/json", &["json", "map"]),
    ("application/ld+json", &["jsonld"]),
    ("application/manifest+json", &["webmanifest"]),
    ("application/pdf", &["pdf"]),
    ("application/rss+xml", &["rss"]),
    ("application/wasm", &["wasm"]),
    ("application/xml", &["xml"]),
    ("application/zip", &["zip"]),
    ("audio/mpeg", &["mp3"]),
    ("audio/ogg", &["ogg", "opus"]),
    ("font/otf", &["otf"]),
    ("font/ttf", &["ttf"]),
    ("font/woff", &["woff"]),
    ("font/woff2", &["woff2"]),
    ("image/avif", &["avif"]),
    ("image/gif", &["gif"]),
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/png", &["png"]),
    ("image/svg+xml", &["svg"]),
    ("image/webp", &["webp"]),
    ("image/x-icon", &["ico"]),
    ("text/calendar", &["ics"]),
    ("text/css", &["css"]),
    ("text/csv", &["csv"]),
    ("text/html", &["html", "htm"]),
    ("text/plain", &["txt", "md"]),
    ("video/mp4", &["mp4"]),
    ("video/webm", &["webm"]),
];

impl Job<'_> {
    /// nginx.conf.
    pub(super) fn main_file(&self) -> Vec<Node> {
        let proxy = &self.web.proxy;
        let root = proxy.root.as_str();
        let types = TYPES.iter().map(|(kind, endings)| Node::new(*kind, endings.iter().copied()));
        let mut http = vec![
            Node::block("types", [""; 0], types.collect()),
            set("default_type", "application/octet-stream"),
            set("types_hash_max_size", "2048"),
            set("sendfile", "on"),
            set("tcp_nopush", "on"),
            set("keepalive_requests", "1000"),
            set("server_tokens", "off"),
            set("access_log", "off").because("each site has its own"),
        ];
        http.extend(shared::open_files());
        http.push(set("include", format!("{root}/{}", crate::install::INCLUDE)));
        vec![
            set("user", proxy.user.as_str().to_owned()),
            set("worker_processes", "auto"),
            set("worker_rlimit_nofile", (u64::from(proxy.worker_connections) * 4).to_string())
                .because("a proxied request has two connections, and files besides"),
            set("pid", proxy.pid.as_str().to_owned()),
            Node::new("error_log", [format!("{}/error.log", proxy.logs), "warn".to_owned()]),
            set("include", format!("{root}/modules-enabled/*.conf"))
                .because("modules that packages bring"),
            Node::block(
                "events",
                [""; 0],
                vec![set("worker_connections", proxy.worker_connections.to_string())],
            ),
            Node::block("http", [""; 0], http),
        ]
    }
}
