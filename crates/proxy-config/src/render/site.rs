//! One site: its servers.

use super::{SiteJob, headers::seconds, limits};
use crate::{
    model::{Compression, Host, LogFormat, Switch, Trusted},
    render::{cdn, shared},
    syntax::{Node, Word, set},
};

impl SiteJob<'_> {
    /// Everything in this site's file.
    pub(super) fn nodes(&self) -> Vec<Node> {
        let mut nodes = self.zones();
        if let Some(maintenance) = self.site.maintenance.as_ref().filter(|m| !m.allow.is_empty()) {
            let origin = self.origin.field("maintenance.allow");
            nodes.push(
                limits::networks(&self.maintenance_variable(), &maintenance.allow).of(&origin),
            );
        }
        nodes.extend(self.own_pools());
        let tls = self.site.certificate.is_some();
        if tls {
            nodes.push(self.server(self.to_https(), false, self.hosts()));
        }
        if self.site.www_redirect {
            let others: Vec<_> = self.site.hosts.iter().map(Host::other_form).collect();
            let first = &self.site.hosts[0];
            let scheme = if tls { "https" } else { "http" };
            let to = Word::text(format!("{scheme}://{first}{}", self.job.port_suffix(tls)))
                .then_variable("request_uri");
            let mut server = self.job.listen(tls, false);
            server.extend(names(&others, self));
            server.extend(self.log_nodes());
            server.extend(self.tls_nodes());
            server.push(set("server_tokens", "off"));
            server.extend(self.header_nodes(None, None));
            server.push(Node::new("return", ["308".into(), to]));
            nodes.push(
                Node::block("server", [""; 0], server).of(&self.origin.field("www_redirect")),
            );
        }
        nodes.push(self.server(self.content(), tls, self.site.hosts.clone()));
        nodes
    }

    /// A server on the port of `tls`.
    fn server(&self, content: Vec<Node>, tls: bool, hosts: Vec<Host>) -> Node {
        let mut server = self.job.listen(tls, self.site.default);
        server.extend(names(&hosts, self));
        server.extend(self.log_nodes());
        if tls {
            server.extend(self.tls_nodes());
        }
        server.push(set("server_tokens", "off"));
        server.push(set("absolute_redirect", "off").because("also right behind another port"));
        server.extend(self.acme(tls));
        server.extend(content);
        Node::block("server", [""; 0], server).of(&self.origin)
    }

    /// The server on plain HTTP: challenges, and the redirect to HTTPS.
    fn to_https(&self) -> Vec<Node> {
        let target = match &self.site.hosts[0] {
            // Only hosts of the site get here, unless it is the default site.
            first if self.site.default && !first.is_wildcard() => {
                Word::text(format!("https://{first}"))
            }
            _ => Word::text("https://").then_variable("host"),
        };
        let target = target.then_text(self.job.port_suffix(true)).then_variable("request_uri");
        vec![Node::block("location", ["/"], vec![Node::new("return", ["301".into(), target])])]
    }

    fn hosts(&self) -> Vec<Host> {
        let mut hosts = self.site.hosts.clone();
        if self.site.www_redirect {
            hosts.extend(self.site.hosts.iter().map(Host::other_form));
        }
        hosts
    }

    /// Certificate authorities ask on plain HTTP.
    fn acme(&self, tls: bool) -> Option<Node> {
        let webroot = self.job.web.proxy.acme_webroot.as_ref().filter(|_| !tls)?;
        Some(
            Node::block(
                "location",
                ["^~", "/.well-known/acme-challenge/"],
                vec![set("root", webroot.as_str().to_owned()), set("default_type", "text/plain")],
            )
            .because("certificate authorities ask here, without redirects, limits and lists"),
        )
    }

    /// The content of the site.
    fn content(&self) -> Vec<Node> {
        let mut nodes = self.real_ip();
        nodes.extend(self.compression());
        nodes.extend(shared::open_files());
        if let Some(size) = self.site.max_body {
            let origin = self.origin.field("max_body");
            nodes.push(set("client_max_body_size", size.bytes().to_string()).of(&origin));
        }
        nodes.extend(self.header_nodes(None, None));
        nodes.extend(self.retry_after());
        nodes.extend(self.maintenance());
        nodes.extend(self.error_pages());
        if let Some(snippet) = &self.site.snippet {
            nodes.extend(snippet.nodes().map(|node| node.of(&self.origin.field("snippet"))));
        }
        nodes.extend(self.locations());
        nodes
    }

    fn real_ip(&self) -> Vec<Node> {
        let Some(real_ip) = &self.job.web.proxy.real_ip else { return Vec::new() };
        let mut nodes = Vec::new();
        let mut header = "X-Forwarded-For";
        for trusted in &real_ip.from {
            let networks: Vec<String> = match trusted {
                Trusted::Network(network) => vec![network.to_string()],
                Trusted::Cloudflare => {
                    header = "CF-Connecting-IP";
                    cdn::CLOUDFLARE.map(str::to_owned).into()
                }
                // Fastly-Client-IP is not safe: clients can send one of their own.
                Trusted::Fastly => cdn::FASTLY.map(str::to_owned).into(),
            };
            nodes.extend(networks.into_iter().map(|network| set("set_real_ip_from", network)));
        }
        let header =
            real_ip.header.as_ref().map_or(header.into(), |header| header.as_str().to_owned());
        nodes.push(set("real_ip_header", header));
        nodes.push(set("real_ip_recursive", "on"));
        let origin = seaworthy_core::Origin::new("proxy.real_ip");
        nodes.into_iter().map(|node| node.of(&origin)).collect()
    }

    fn compression(&self) -> Vec<Node> {
        let proxy = &self.job.web.proxy;
        let mut nodes = Vec::new();
        if let Some(options) = proxy.gzip.options() {
            nodes.extend(compression("gzip", options));
            nodes.push(set("gzip_vary", "on"));
            nodes.push(set("gzip_proxied", "any"));
        }
        if self.job.target.has("http_brotli_module") {
            match &proxy.brotli {
                None => nodes.extend(compression("brotli", &Compression::default())),
                Some(Switch::On(options)) => nodes.extend(compression("brotli", options)),
                Some(Switch::Off) => {}
            }
        }
        nodes
    }

    fn maintenance_variable(&self) -> String {
        format!("seaworthy_{}_at_work", self.id)
    }

    fn retry_after(&self) -> Option<Node> {
        let after = self.site.maintenance.as_ref()?.retry_after?;
        let after = after.as_duration().as_secs().to_string();
        Some(Node::new("add_header", ["Retry-After".to_owned(), after, "always".to_owned()]))
    }

    fn maintenance(&self) -> Vec<Node> {
        let Some(maintenance) = &self.site.maintenance else { return Vec::new() };
        let origin = self.origin.field("maintenance");
        let mut nodes = Vec::new();
        let refuse = Node::new("return", ["503"]);
        if let Some(page) = &maintenance.page {
            let (folder, name) = page.split();
            nodes.push(Node::new("error_page", ["503", "@maintenance"]));
            let mut location =
                vec![set("root", folder.to_owned()), set("default_type", "text/html")];
            location.push(Node::new("try_files", [format!("/{name}"), "=503".to_owned()]));
            nodes.push(Node::block("location", ["@maintenance"], location));
        }
        if maintenance.allow.is_empty() {
            nodes.push(refuse.because("maintenance: nothing else is answered"));
        } else {
            let words = [
                Word::text("(").then_variable(self.maintenance_variable()),
                "=".into(),
                "0)".into(),
            ];
            nodes.push(
                Node::block("if", words, vec![refuse])
                    .because("maintenance: only some networks see the site"),
            );
        }
        nodes.into_iter().map(|node| node.of(&origin)).collect()
    }

    fn error_pages(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (status, file) in &self.site.error_pages {
            if status.get() == 503
                && self.site.maintenance.as_ref().is_some_and(|m| m.page.is_some())
            {
                continue;
            }
            let origin = self.origin.field("error_pages").field(status);
            let name = format!("@error_{status}");
            let (folder, file) = file.split();
            nodes.push(Node::new("error_page", [status.to_string(), name.clone()]).of(&origin));
            let mut location =
                vec![set("root", folder.to_owned()), set("default_type", "text/html")];
            location.push(Node::new("try_files", [format!("/{file}"), format!("={status}")]));
            nodes.push(Node::block("location", [name], location).of(&origin));
        }
        nodes
    }

    /// How requests are logged; `None` if they are not.
    pub(super) fn log_format(&self) -> Option<LogFormat> {
        match &self.site.log {
            None => Some(self.job.web.proxy.log_format),
            Some(log) => log.options().copied(),
        }
    }

    pub(super) fn log_nodes(&self) -> Vec<Node> {
        let (logs, name) = (self.job.web.proxy.logs.as_str(), self.name);
        let access = match self.log_format() {
            None => set("access_log", "off"),
            Some(format) => {
                let format = match format {
                    LogFormat::Combined => "combined",
                    LogFormat::Json => shared::JSON_LOG,
                };
                let path = format!("{logs}/{name}.access.log");
                Node::new("access_log", [path, format.to_owned()])
            }
        };
        let error = Node::new("error_log", [format!("{logs}/{name}.error.log"), "warn".to_owned()]);
        vec![access, error]
    }

    fn tls_nodes(&self) -> Vec<Node> {
        let files = self.site.certificate.as_ref().and_then(|n| self.job.web.certificates.get(n));
        let Some(files) = files else { return Vec::new() };
        let origin = self.origin.field("certificate");
        let mut nodes = vec![
            set("ssl_certificate", files.chain.as_str().to_owned()).of(&origin),
            set("ssl_certificate_key", files.key.as_str().to_owned()).of(&origin),
        ];
        nodes.extend(self.job.tls_profile());
        nodes
    }

    /// The timeouts for upstream servers, in a route.
    pub(super) fn timeout_nodes(&self, route: &crate::model::Route, websocket: bool) -> Vec<Node> {
        let (own, site) = (&route.timeouts, &self.site.timeouts);
        let hour = websocket.then(|| seaworthy_core::Span::hours(1));
        let connect = own.connect.or(site.connect).map_or_else(|| "5s".into(), seconds);
        let mut nodes = vec![set("proxy_connect_timeout", connect)];
        for (name, time) in [
            ("proxy_read_timeout", own.read.or(site.read).or(hour)),
            ("proxy_send_timeout", own.send.or(site.send).or(hour)),
        ] {
            nodes.extend(time.map(|time| set(name, seconds(time))));
        }
        nodes
    }
}

fn names(hosts: &[Host], site: &SiteJob<'_>) -> Option<Node> {
    let node = Node::new("server_name", hosts.iter().map(Host::to_string));
    Some(node.of(&site.origin.field("hosts")))
}

fn compression(name: &'static str, options: &Compression) -> Vec<Node> {
    let mut nodes = vec![
        set(name, "on"),
        set(format!("{name}_comp_level"), options.level.to_string()),
        set(format!("{name}_min_length"), options.min_length.bytes().to_string()),
    ];
    if !options.types.is_empty() {
        let types = options.types.iter().map(|kind| kind.to_string().to_owned());
        nodes.push(Node::new(format!("{name}_types"), types));
    }
    nodes
}
