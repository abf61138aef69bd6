//! What all sites share, and what answers unknown hosts.

use super::{Job, limits::CLIENT};
use crate::{
    model::{LogFormat, Logrotate, Switch, Web},
    syntax::{Node, Word, set},
};

/// The name of the log format that writes JSON.
pub(super) const JSON_LOG: &str = "seaworthy_json";
/// One line in JSON; `escape=json` makes values safe.
const JSON_LOG_LINE: &str = concat!(
    r#"{"time":"$time_iso8601","host":"$host","client":"$remote_addr","method":"$request_method","#,
    r#""uri":"$request_uri","protocol":"$server_protocol","status":$status,"#,
    r#""bytes":$body_bytes_sent,"seconds":$request_time,"upstream_seconds":"$upstream_response_time","#,
    r#""upstream":"$upstream_addr","referer":"$http_referer","user_agent":"$http_user_agent","#,
    r#""tls":"$ssl_protocol","id":"$request_id"}"#,
);

/// nginx's hash bucket for server names holds names up to about this many bytes.
const NAMES_IN_64: usize = 44;

impl Job<'_> {
    pub(super) fn shared(&self) -> Vec<Node> {
        let mut nodes = vec![
            Node::block(
                "map",
                [Word::variable("binary_remote_addr"), Word::variable(CLIENT)],
                vec![
                    Node::new("default", [Word::variable("binary_remote_addr")]),
                    Node {
                        words: vec![
                            Word::raw(r"~(?s)^(?<seaworthy_net>.{8}).{8}$"),
                            Word::variable("seaworthy_net"),
                        ],
                        ..Node::new("", [""; 0])
                    }
                    .because("16 bytes are IPv6: who has one address of a /64 has them all"),
                ],
            ),
            Node::block(
                "map",
                [Word::variable("http_upgrade"), Word::variable("seaworthy_connection")],
                vec![
                    Node::new("default", ["upgrade"]),
                    Node::new("", [""]).because("keeps connections to upstreams open"),
                ],
            ),
        ];
        let json = |log: &Option<Switch<LogFormat>>| {
            matches!(log, Some(Switch::On(LogFormat::Json)))
                || (log.is_none() && self.web.proxy.log_format == LogFormat::Json)
        };
        if self.web.sites.values().any(|site| json(&site.log)) {
            let words = [JSON_LOG.into(), "escape=json".into(), Word::raw(JSON_LOG_LINE)];
            nodes.push(Node::new("log_format", words));
        }
        nodes.extend(self.name_tables());
        if let Some(snippet) = &self.web.proxy.snippet {
            nodes.extend(snippet.nodes());
        }
        nodes
    }

    /// Larger hash tables if long or many host names need them; nginx refuses to start or warns
    /// otherwise.
    fn name_tables(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let hosts = || self.web.sites.values().flat_map(|site| &site.hosts);
        // `www.` may come in front.
        let longest = hosts().map(|host| host.as_str().len() + 4).max().unwrap_or(0);
        if longest > NAMES_IN_64 {
            let size = if longest > 104 { 512 } else { 128 };
            nodes.push(
                set("server_names_hash_bucket_size", size.to_string())
                    .because("for long host names"),
            );
        }
        let many = hosts().count() * 2 + 2;
        if many > 256 {
            let size = (many * 4).next_power_of_two();
            nodes.push(
                set("server_names_hash_max_size", size.to_string()).because("for many host names"),
            );
        }
        nodes
    }

    /// The servers for unknown hosts.
    pub(super) fn unknown_hosts(&self) -> Vec<Node> {
        if !self.web.proxy.refuse_unknown
            || self.default_site().is_some_and(|s| s.certificate.is_some())
        {
            return Vec::new();
        }
        let mut nodes = Vec::new();
        let refuse = || {
            let mut nodes = vec![
                set("server_name", "_"),
                set("access_log", "off"),
                set("server_tokens", "off"),
            ];
            let misdirected = set("return", "421").because("misdirected: no site has this host");
            nodes.push(Node::block("location", ["/"], vec![misdirected]));
            nodes
        };
        if self.default_site().is_none() {
            let mut server = self.listen(false, true);
            server.extend(refuse());
            nodes.push(Node::block("server", [""; 0], server));
        }
        let first = self.web.sites.values().find_map(|site| site.certificate.as_ref());
        if let Some(files) = first.and_then(|name| self.web.certificates.get(name)) {
            let mut server = self.listen(true, true);
            if self.target.since(1, 19, 4) {
                server.push(
                    set("ssl_reject_handshake", "on").because("unknown names see no certificate"),
                );
            } else {
                server.push(
                    set("ssl_certificate", files.chain.as_str().to_owned()).because(
                        "this nginx cannot refuse the handshake: some certificate it needs",
                    ),
                );
                server.push(set("ssl_certificate_key", files.key.as_str().to_owned()));
            }
            server.extend(self.tls_profile());
            server.extend(refuse());
            nodes.push(Node::block("server", [""; 0], server));
        }
        nodes
    }
}

/// A cache of open files: looking for a file costs no system call most of the time.
pub(super) fn open_files() -> Vec<Node> {
    vec![
        Node::new("open_file_cache", ["max=1000", "inactive=20s"]),
        set("open_file_cache_valid", "2s").because("a new release shows after two seconds"),
        set("open_file_cache_errors", "off"),
    ]
}

/// The file for logrotate.
pub(super) fn logrotate(web: &Web, options: &Logrotate) -> String {
    let logs = web.proxy.logs.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    let pid = web.proxy.pid.as_str().replace('\'', r"'\''");
    format!(
        "# Written by Seaworthy: link to it from /etc/logrotate.d/.\n\
         \"{logs}/*.log\" {{\n    daily\n    rotate {}\n    missingok\n    notifempty\n    \
         compress\n    delaycompress\n    sharedscripts\n    postrotate\n        \
         [ ! -f '{pid}' ] || kill -USR1 \"$(cat '{pid}')\"\n    endscript\n}}\n",
        options.keep
    )
}
