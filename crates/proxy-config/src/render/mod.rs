//! The model as nginx's files.

mod cdn;
mod headers;
mod limits;
mod location;
mod main_file;
mod shared;
mod site;
mod tls;
mod upstream;

use std::fmt::Write;

use seaworthy_core::{ConfigRenderer, FileSet, Name, Origin, RenderedFile, Result};
use sha2::Digest;

use crate::{
    model::{Site, Web, identifier},
    syntax::{Node, Word, print, set},
    target::Target,
};

/// The host of the server that reports which files nginx uses. `.invalid` can belong to nobody.
pub(crate) const PROOF_HOST: &str = "seaworthy.invalid";
const PROOF_FILE: &str = "conf.d/90-proof.conf";

/// Renders a [`Web`] for one nginx.
///
/// ```
/// use seaworthy_core::ConfigRenderer;
/// use seaworthy_proxy_config::{
///     Host, NginxRenderer, Proxy, ProxyTo, Route, Server, Site, Target, UrlPath, Version, Web,
/// };
/// let app = ProxyTo::new([Server::from("127.0.0.1:3000".parse::<seaworthy_proxy_config::Address>()?)]);
/// let mut web = Web::new(Proxy::default());
/// let site = Site::new([Host::new("example.com")?]);
/// web.sites.insert("app".parse()?, site.with_route(Route::proxy(UrlPath::new("/")?, app)));
/// let files = NginxRenderer::new(Target::new(Version::new(1, 26, 3))).render(&web)?;
/// let site = String::from_utf8_lossy(&files.get("conf.d/50-site-app.conf").unwrap().bytes);
/// assert!(site.contains("proxy_pass http://seaworthy_app_r0;"), "{site}");
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NginxRenderer {
    target: Target,
}

impl NginxRenderer {
    /// Renders for `target`.
    pub fn new(target: Target) -> Self {
        Self { target }
    }
}

impl ConfigRenderer for NginxRenderer {
    type Model = Web;

    fn render(&self, web: &Web) -> Result<FileSet> {
        web.check(&self.target)?;
        let job = Job { web, target: &self.target };
        let mut files = FileSet::new();
        let proxy = Origin::new("proxy");
        if web.proxy.own_root {
            files.insert("nginx.conf", file(&job.main_file(), &proxy)?)?;
        }
        files.insert("conf.d/00-shared.conf", file(&job.shared(), &proxy)?)?;
        let upstreams = job.upstreams();
        if !upstreams.is_empty() {
            let origin = Origin::new("upstream");
            files.insert("conf.d/10-upstreams.conf", file(&upstreams, &origin)?)?;
        }
        let unknown = job.unknown_hosts();
        if !unknown.is_empty() {
            let origin = proxy.field("refuse_unknown");
            files.insert("conf.d/20-unknown-hosts.conf", file(&unknown, &origin)?)?;
        }
        for (name, site) in &web.sites {
            let origin = Origin::new("site").field(name);
            let site = SiteJob { job: &job, site, id: identifier(name), name, origin };
            let path = format!("conf.d/50-site-{name}.conf");
            files.insert(path, file(&site.nodes(), &site.origin)?)?;
        }
        if let Some(options) = web.proxy.logrotate.options() {
            let text = shared::logrotate(web, options);
            let origin = proxy.field("logrotate");
            files.insert("logrotate", RenderedFile::new(text, origin))?;
        }
        let mark = digest(&files);
        files.insert(PROOF_FILE, file(&job.proof(&mark), &proxy)?)?;
        Ok(files)
    }
}

/// What a running nginx responds for [`PROOF_HOST`] if it uses `files`.
pub(crate) fn mark(files: &FileSet) -> Option<String> {
    let text = String::from_utf8_lossy(&files.get(PROOF_FILE)?.bytes).into_owned();
    let mut mark = None;
    for directive in crate::syntax::parse(&text).ok()? {
        directive.walk(&mut |directive| {
            if let ("return", [_, text]) = (directive.name(), directive.arguments()) {
                mark = Some(text.clone());
            }
        });
    }
    mark
}

fn digest(files: &FileSet) -> String {
    let mut digest = sha2::Sha256::new();
    for (path, file) in files.iter() {
        digest.update((path.len() as u64).to_le_bytes());
        digest.update(path);
        digest.update((file.bytes.len() as u64).to_le_bytes());
        digest.update(&file.bytes);
    }
    digest.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn file(nodes: &[Node], origin: &Origin) -> Result<RenderedFile> {
    let printed = print("# Written by Seaworthy: edits are lost.\n\n", nodes)?;
    Ok(RenderedFile::new(printed.text, origin.clone()).with_lines(printed.lines))
}

/// One rendering.
pub(crate) struct Job<'a> {
    pub(crate) web: &'a Web,
    pub(crate) target: &'a Target,
}

impl Job<'_> {
    /// `listen` on every address, for plain HTTP or for TLS.
    fn listen(&self, tls: bool, default: bool) -> Vec<Node> {
        let proxy = &self.web.proxy;
        let port = if tls { proxy.https_port } else { proxy.http_port };
        let words = |parameters: &[&'static str], address: &std::net::IpAddr| {
            let place = match address {
                std::net::IpAddr::V4(v4) if v4.is_unspecified() => port.to_string(),
                address => std::net::SocketAddr::new(*address, port).to_string(),
            };
            let mut words = vec![Word::from(place)];
            words.extend(parameters.iter().map(|p| Word::from(*p)));
            if default {
                words.push("default_server".into());
            }
            Node::new("listen", words)
        };
        let mut parameters = Vec::new();
        if tls {
            parameters.push("ssl");
            if proxy.http2 && !self.target.since(1, 25, 1) {
                parameters.push("http2");
            }
        }
        let mut nodes: Vec<_> = proxy.addresses.iter().map(|a| words(&parameters, a)).collect();
        if tls && proxy.http3 {
            // Only one server may request a socket in each worker: the default one.
            let parameters: &[&'static str] =
                if default { &["quic", "reuseport"] } else { &["quic"] };
            nodes.extend(proxy.addresses.iter().map(|a| words(parameters, a)));
        }
        if tls && proxy.http2 && self.target.since(1, 25, 1) {
            nodes.push(set("http2", "on"));
        }
        nodes
    }

    /// The port in a URL, if it is not the default one.
    fn port_suffix(&self, tls: bool) -> String {
        let proxy = &self.web.proxy;
        match if tls { (proxy.https_port, 443) } else { (proxy.http_port, 80) } {
            (port, usual) if port == usual => String::new(),
            (port, _) => format!(":{port}"),
        }
    }

    /// The site that also answers unknown hosts.
    fn default_site(&self) -> Option<&Site> {
        self.web.sites.values().find(|site| site.default)
    }

    /// The server that reports which files nginx uses, to this machine only.
    fn proof(&self, mark: &str) -> Vec<Node> {
        let mut guards = vec![
            Node::new("allow", ["127.0.0.0/8"])
                .because("for this machine alone: which files nginx works with"),
            Node::new("allow", ["::1"]),
        ];
        for address in &self.web.proxy.addresses {
            if !address.is_unspecified() && !address.is_loopback() {
                guards.push(Node::new("allow", [address.to_string()]));
            }
        }
        guards.push(Node::new("deny", ["all"]));
        guards.push(
            Node::new("try_files", ["/.seaworthy/none", "@mark"])
                .because("a return here would come before allow and deny"),
        );
        let mut server = self.listen(false, false);
        server.extend([
            set("server_name", PROOF_HOST),
            set("access_log", "off"),
            set("server_tokens", "off"),
            Node::block("location", ["=", "/"], guards),
            Node::block(
                "location",
                ["@mark"],
                vec![
                    set("default_type", "text/plain"),
                    Node::new("return", ["200".to_owned(), mark.to_owned()]),
                ],
            ),
        ]);
        server.extend(shared::open_files());
        vec![Node::block("server", [""; 0], server)]
    }
}

/// The rendering of one site.
pub(crate) struct SiteJob<'a> {
    pub(crate) job: &'a Job<'a>,
    pub(crate) site: &'a Site,
    pub(crate) name: &'a Name,
    /// The name as an identifier of nginx.
    pub(crate) id: String,
    pub(crate) origin: Origin,
}
