//! Checks across the parts of the model, beyond those of each type.

use std::collections::BTreeMap;

use seaworthy_core::{Error, ErrorKind, Name, Origin, Result};

use super::{Action, Balance, Host, RealIp, Route, Server, Site, Switch, Trusted, Upstream, Web};
use crate::target::{NEWER, Target};

impl Web {
    /// Fails with [`ErrorKind::Config`] at the first part that cannot be rendered for `target`;
    /// the fact `field` of the error names the place, as in `site.api.routes[0].path`.
    pub fn check(&self, target: &Target) -> Result<()> {
        self.check_target(target)?;
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// What is wrong for every nginx: the first error of `[proxy]`, of the hosts, and of each
    /// upstream and site.
    pub fn problems(&self) -> Vec<Error> {
        let mut checks = vec![self.check_proxy(), self.check_hosts()];
        checks.extend(self.upstreams.iter().map(|(name, upstream)| {
            self.check_upstream(upstream, &Origin::new("upstream").field(name))
        }));
        checks.extend(
            self.sites
                .iter()
                .map(|(name, site)| self.check_site(site, &Origin::new("site").field(name))),
        );
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn check_upstream(&self, upstream: &Upstream, origin: &Origin) -> Result<()> {
        match (&upstream.active, upstream.pools.is_empty()) {
            (Some(active), false) if !upstream.pools.contains_key(active) => {
                let known = upstream.pools.keys().map(Name::as_str).collect::<Vec<_>>();
                return Err(wrong(&origin.field("active"), format!("no pool is called {active}"))
                    .remedy_is(format!("the pools are {}", known.join(", "))));
            }
            (Some(_), true) | (None, false) => {
                let message = "`pools` and `active` need each other";
                return Err(wrong(&origin.field("active"), message));
            }
            _ => {}
        }
        if !upstream.servers.is_empty() && !upstream.pools.is_empty() {
            return Err(wrong(origin, "write `servers` or `pools`, not both"));
        }
        let backup = |s: &Server| matches!(s, Server::Address(options) if options.backup);
        let all = upstream.servers.iter().chain(upstream.pools.values().flatten());
        if upstream.balance == Balance::ClientAddress && all.into_iter().any(backup) {
            let message = "the method client-address does not support backup servers";
            return Err(wrong(&origin.field("balance"), message));
        }
        let pools = upstream.pools.iter().map(|(n, p)| (origin.field("pools").field(n), p));
        let servers = (origin.field("servers"), &upstream.servers);
        let servers = upstream.pools.is_empty().then_some(servers);
        for (origin, servers) in pools.chain(servers) {
            self.check_servers(servers, &origin, false)?;
        }
        Ok(())
    }

    /// Fails unless this nginx can do what is asked for.
    fn check_target(&self, target: &Target) -> Result<()> {
        let origin = Origin::new("proxy");
        let proxy = &self.proxy;
        let too_old = |field: &str, need: &str| {
            Error::new(
                ErrorKind::Config,
                "proxy.check",
                format!("{field} needs {need}; this is nginx {}", target.version),
            )
            .at(origin.field(field))
        };
        if !target.since(1, 18, 0) {
            return Err(too_old("type", "nginx 1.18 or later").remedy_is(NEWER));
        }
        let tls = self.sites.values().any(|site| site.certificate.is_some());
        if tls && !target.has("http_ssl_module") {
            return Err(too_old("binary", "an nginx with http_ssl_module for certificates"));
        }
        if proxy.http3 && !(target.since(1, 25, 0) && target.has("http_v3_module")) {
            return Err(too_old("http3", "nginx 1.25 or later with http_v3_module"));
        }
        if proxy.real_ip.is_some() && !target.has("http_realip_module") {
            return Err(too_old("real_ip", "an nginx with http_realip_module"));
        }
        if matches!(proxy.brotli, Some(Switch::On(_))) && !target.has("http_brotli_module") {
            return Err(too_old("brotli", "an nginx with the module ngx_brotli")
                .remedy_is("on Debian: apt-get install libnginx-mod-http-brotli-filter"));
        }
        if !proxy.resolver.is_empty() && !target.since(1, 27, 3) {
            return Err(too_old("resolver", "nginx 1.27.3 or later"));
        }
        Ok(())
    }

    fn check_proxy(&self) -> Result<()> {
        let origin = Origin::new("proxy");
        let proxy = &self.proxy;
        if proxy.addresses.is_empty() {
            return Err(wrong(&origin.field("addresses"), "there are no addresses to listen on"));
        }
        if proxy.http_port == proxy.https_port || proxy.http_port == 0 || proxy.https_port == 0 {
            let message = "the ports of HTTP and HTTPS must be two different numbers above 0";
            return Err(wrong(&origin.field("https_port"), message));
        }
        let levels = [
            ("gzip", proxy.gzip.options(), 9),
            ("brotli", proxy.brotli.as_ref().and_then(Switch::options), 11),
        ];
        for (field, compression, most) in levels {
            if compression.is_some_and(|c| !(1..=most).contains(&c.level)) {
                let origin = origin.field(field).field("level");
                return Err(wrong(
                    &origin,
                    format!("the level of {field} must be from 1 to {most}"),
                ));
            }
        }
        if proxy.real_ip.as_ref().is_some_and(|real_ip| real_ip.from.is_empty()) {
            return Err(wrong(
                &origin.field("real_ip.from"),
                "no network is trusted to report the client's address",
            ));
        }
        let mixed = |real_ip: &&RealIp| {
            real_ip.header.is_none()
                && real_ip.from.len() > 1
                && real_ip.from.contains(&Trusted::Cloudflare)
        };
        if proxy.real_ip.as_ref().filter(mixed).is_some() {
            let message = "proxies other than Cloudflare pass on CF-Connecting-IP as the client sent \
                     it";
            return Err(wrong(&origin.field("real_ip.header"), message)
                .remedy_is("name a header that all of them set, such as X-Forwarded-For"));
        }
        let mut relative = self.clone();
        let paths = relative.paths();
        if let Some((origin, path)) = paths.iter().find(|(_, path)| !path.is_absolute()) {
            return Err(wrong(origin, format!("{path} is relative"))
                .remedy_is("resolve the paths of the model before rendering it"));
        }
        Ok(())
    }

    fn check_hosts(&self) -> Result<()> {
        let mut owners: BTreeMap<Host, Origin> = BTreeMap::new();
        let mut default: Option<Origin> = None;
        for (name, site) in &self.sites {
            let origin = Origin::new("site").field(name);
            if site.hosts.is_empty() {
                return Err(wrong(&origin.field("hosts"), "a site needs a host"));
            }
            for (i, host) in site.hosts.iter().enumerate() {
                let origin = origin.field("hosts").index(i);
                let other = site.www_redirect.then(|| host.other_form());
                if site.www_redirect && host.is_wildcard() {
                    return Err(wrong(&origin, "www_redirect does not work with a wildcard"));
                }
                for host in [Some(host.clone()), other].into_iter().flatten() {
                    if let Some(first) = owners.get(&host) {
                        return Err(wrong(&origin, format!("{host} is already used in {first}")));
                    }
                    owners.insert(host, origin.clone());
                }
            }
            if site.default {
                let origin = origin.field("default");
                if let Some(first) = default {
                    return Err(wrong(
                        &origin,
                        format!("there are two default sites: {first} is the other one"),
                    ));
                }
                default = Some(origin);
            }
        }
        Ok(())
    }

    fn check_site(&self, site: &Site, origin: &Origin) -> Result<()> {
        if let Some(name) = &site.certificate
            && !self.certificates.contains_key(name)
        {
            let known = self.certificates.keys().map(Name::as_str).collect::<Vec<_>>();
            return Err(wrong(
                &origin.field("certificate"),
                format!("there is no [certificate.{name}]"),
            )
            .remedy_is(match known.as_slice() {
                [] => "add that section, or remove the line for plain HTTP".to_owned(),
                known => format!("the certificates are {}", known.join(", ")),
            }));
        }
        if site.certificate.is_none() && matches!(site.hsts, Some(Switch::On(_))) {
            return Err(wrong(&origin.field("hsts"), "HSTS needs a certificate"));
        }
        if site.connection_limit == Some(0) {
            return Err(wrong(&origin.field("connection_limit"), "0 would refuse everybody"));
        }
        if site.routes.is_empty() {
            return Err(wrong(&origin.field("routes"), "a site needs a route"));
        }
        let mut paths = BTreeMap::new();
        for (i, route) in site.routes.iter().enumerate() {
            let origin = origin.field("routes").index(i);
            if let Some(first) = paths.insert((&route.path, route.exact), i) {
                let message = format!("routes[{first}] has the same path {}", route.path);
                return Err(wrong(&origin.field("path"), message));
            }
            self.check_route(route, &origin)?;
        }
        for (i, route) in site.routes.iter().enumerate() {
            let files = route.files.iter().flat_map(|files| &files.immutable);
            for (j, path) in files.enumerate() {
                if let Some(first) = paths.insert((path, false), i) {
                    let origin = origin.field("routes").index(i).field("files.immutable").index(j);
                    return Err(wrong(&origin, format!("routes[{first}] has the path {path} too")));
                }
            }
        }
        Ok(())
    }

    fn check_route(&self, route: &Route, origin: &Origin) -> Result<()> {
        let Some(action) = route.action() else {
            let message = "a route must have exactly one of proxy, files, redirect and answer";
            return Err(wrong(origin, message));
        };
        if route.connection_limit == Some(0) {
            return Err(wrong(&origin.field("connection_limit"), "0 would refuse everybody"));
        }
        match action {
            Action::Proxy(proxy) => {
                let field = origin.field("proxy");
                self.check_servers(&proxy.to, &field.field("to"), true)?;
                if proxy.strip_path && !(route.path.as_str().ends_with('/') || route.exact) {
                    let message = "strip_path needs a path that ends with a slash";
                    return Err(wrong(&origin.field("path"), message));
                }
            }
            Action::Files(files) => {
                let path = route.path.as_str();
                if !route.exact && !path.ends_with('/') {
                    let message = format!("a path of files ends with a slash: write {path}/");
                    return Err(wrong(&origin.field("path"), message));
                }
                if route.exact && (files.spa || !files.immutable.is_empty()) {
                    let message = "an exact route serves one file: no spa, no immutable";
                    return Err(wrong(&origin.field("exact"), message));
                }
                for (i, immutable) in files.immutable.iter().enumerate() {
                    let immutable = immutable.as_str();
                    let inside = immutable.starts_with(path) && immutable.len() > path.len();
                    if !inside || !immutable.ends_with('/') {
                        let message = format!("it must begin with {path} and end with a slash");
                        return Err(wrong(&origin.field("files.immutable").index(i), message));
                    }
                }
            }
            Action::Redirect(redirect) => {
                let to = redirect.to.as_str();
                if redirect.keep_path && to.contains(['?', '#']) {
                    let message = "keep_path needs a destination without a query";
                    return Err(wrong(&origin.field("redirect.to"), message));
                }
            }
            Action::Answer(_) => {}
        }
        Ok(())
    }

    fn check_servers(&self, servers: &[Server], origin: &Origin, pools: bool) -> Result<()> {
        if servers.is_empty() {
            return Err(wrong(origin, "there are no servers"));
        }
        for (i, server) in servers.iter().enumerate() {
            let origin = origin.index(i);
            let known = |names: Vec<&str>, kind: &str| match names.as_slice() {
                [] => format!("write a section [{kind}.…]"),
                names => format!("the known ones are {}", names.join(", ")),
            };
            match server {
                Server::Address(options) if options.weight == Some(0) => {
                    return Err(wrong(&origin, "a weight is at least 1"));
                }
                Server::Address(_) => {}
                Server::Service(name) => match self.services.get(name).map(Vec::as_slice) {
                    None | Some([]) => {
                        let names = self.services.keys().map(Name::as_str).collect();
                        return Err(wrong(
                            &origin,
                            format!("there is no service {name} with a port"),
                        )
                        .remedy_is(known(names, "service")));
                    }
                    Some(_) => {}
                },
                Server::Upstream(name) if !pools || servers.len() > 1 => {
                    let message = format!("the upstream {name} must stand alone in a route's `to`");
                    return Err(wrong(&origin, message));
                }
                Server::Upstream(name) if !self.upstreams.contains_key(name) => {
                    let names = self.upstreams.keys().map(Name::as_str).collect();
                    return Err(wrong(&origin, format!("there is no [upstream.{name}]"))
                        .remedy_is(known(names, "upstream")));
                }
                Server::Upstream(_) => {}
            }
        }
        if servers.iter().all(|s| matches!(s, Server::Address(options) if options.backup)) {
            return Err(wrong(origin, "all servers are backups: at least one must not be"));
        }
        Ok(())
    }
}

fn wrong(origin: &Origin, message: impl Into<String>) -> Error {
    let message = format!("{origin}: {}", message.into());
    Error::new(ErrorKind::Config, "proxy.check", message).at(origin)
}
