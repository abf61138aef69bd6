//! The typed model: `[proxy]`, `[site.*]`, `[upstream.*]`, and what they refer to.

mod check;
mod net;
mod proxy;
mod route;
mod site;
mod snippet;
mod switch;
mod text;
mod upstream;

use std::{collections::BTreeMap, path::Path};

use seaworthy_core::{Name, Origin, Result};

pub use net::{Address, Cidr, ErrorStatus, RequestRate};
pub use proxy::{
    Compression, LogFormat, Logrotate, Proxy, ProxyKind, RealIp, Timeouts, TlsProfile, Trusted,
};
pub(crate) use route::{Action, service_names};
pub use route::{Answer, AnswerStatus, Files, ProxyTo, Redirect, RedirectStatus, Route};
pub use site::{BasicAuth, HeaderChoice, Hsts, LimitKey, Maintenance, RateLimit, Site};
pub use snippet::Snippet;
pub use switch::{Switch, Switched};
pub(crate) use text::identifier;
pub use text::{
    Destination, FilePath, HeaderName, HeaderValue, Host, MediaType, PlainText, UrlPath, UserName,
};
pub(crate) use upstream::DEFAULT_KEEPALIVE;
pub use upstream::{Balance, Server, ServerOptions, Upstream};

/// Everything that is rendered: the sections of the file, and what other sections say about
/// certificates and services.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Web {
    /// `[proxy]`.
    pub proxy: Proxy,
    /// `[site.*]`.
    pub sites: BTreeMap<Name, Site>,
    /// `[upstream.*]`.
    pub upstreams: BTreeMap<Name, Upstream>,
    /// The files of each certificate.
    pub certificates: BTreeMap<Name, CertificateFiles>,
    /// Where the instances of each service listen.
    pub services: BTreeMap<Name, Vec<Address>>,
}

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFiles {
    /// The certificate and the intermediate ones.
    pub chain: FilePath,
    /// Its private key.
    pub key: FilePath,
}

impl CertificateFiles {
    /// The certificate in `chain` with the key in `key`.
    pub fn new(chain: FilePath, key: FilePath) -> Self {
        Self { chain, key }
    }
}

impl Web {
    /// A web server without sites.
    pub fn new(proxy: Proxy) -> Self {
        Self { proxy, ..Self::default() }
    }

    /// Resolves every relative path against `base`, the folder of the file.
    pub fn resolve_paths(&mut self, base: &Path) -> Result<()> {
        for (_, path) in self.paths() {
            *path = path.resolved(base)?;
        }
        Ok(())
    }

    /// Every path of a file or folder, with its place.
    fn paths(&mut self) -> Vec<(Origin, &mut FilePath)> {
        let Proxy { root, binary, pid, acme_webroot, logs, .. } = &mut self.proxy;
        let proxy = Origin::new("proxy");
        let mut paths = vec![
            (proxy.field("root"), root),
            (proxy.field("binary"), binary),
            (proxy.field("pid"), pid),
            (proxy.field("logs"), logs),
        ];
        paths.extend(acme_webroot.iter_mut().map(|path| (proxy.field("acme_webroot"), path)));
        for (name, site) in &mut self.sites {
            let origin = Origin::new("site").field(name);
            for (status, path) in &mut site.error_pages {
                paths.push((origin.field("error_pages").field(status), path));
            }
            if let Some(path) = site.maintenance.as_mut().and_then(|m| m.page.as_mut()) {
                paths.push((origin.field("maintenance.page"), path));
            }
            if let Some(Switch::On(auth)) = &mut site.basic_auth {
                paths.push((origin.field("basic_auth.file"), &mut auth.file));
            }
            for (i, route) in site.routes.iter_mut().enumerate() {
                let origin = origin.field("routes").index(i);
                if let Some(files) = &mut route.files {
                    paths.push((origin.field("files.root"), &mut files.root));
                }
                if let Some(Switch::On(auth)) = &mut route.basic_auth {
                    paths.push((origin.field("basic_auth.file"), &mut auth.file));
                }
            }
        }
        for (name, certificate) in &mut self.certificates {
            let origin = Origin::new("certificate").field(name);
            paths.push((origin.clone(), &mut certificate.chain));
            paths.push((origin, &mut certificate.key));
        }
        paths
    }

    /// Whether any route passes on to a `[service.*]` of this name.
    pub fn uses_service(&self, name: &Name) -> bool {
        let routes = self.sites.values().flat_map(|site| &site.routes);
        let pools = self
            .upstreams
            .values()
            .flat_map(|upstream| upstream.servers.iter().chain(upstream.pools.values().flatten()));
        routes.flat_map(service_names).any(|used| used == name)
            || pools.into_iter().any(|s| matches!(s, Server::Service(used) if used == name))
    }
}
