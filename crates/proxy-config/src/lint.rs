//! Likely mistakes in a model that renders.

use std::{collections::BTreeSet, fmt};

use seaworthy_core::Origin;

use crate::{
    model::{Action, Address, LimitKey, Server, Site, Switch, Web},
    syntax::Directive,
};

/// Something that is probably a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Its stable name, such as `unused-upstream`.
    pub rule: &'static str,
    /// Where it is.
    pub origin: Origin,
    /// What it is, and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.origin, self.message, self.rule)
    }
}

/// Looks for likely mistakes in a model that [`check`](Web::check) accepts.
pub fn lint(web: &Web) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |rule, origin: Origin, message: String| {
        found.push(Finding { rule, origin, message });
    };
    let servers = || {
        let routes = web.sites.values().flat_map(|site| &site.routes);
        routes.filter_map(|route| route.proxy.as_ref()).flat_map(|proxy| &proxy.to)
    };
    for (name, upstream) in &web.upstreams {
        let origin = Origin::new("upstream").field(name);
        if !servers().any(|server| matches!(server, Server::Upstream(used) if used == name)) {
            say("unused-upstream", origin.clone(), "no route passes on to it".into());
        }
        if !upstream.pools.is_empty() && upstream.health.is_none() {
            let message = "without `health` a switch cannot tell whether a pool is healthy";
            say("switch-without-health", origin, message.into());
        }
    }
    for name in web.certificates.keys() {
        if !web.sites.values().any(|site| site.certificate.as_ref() == Some(name)) {
            let origin = Origin::new("certificate").field(name);
            say("unused-certificate", origin, "no site serves it".into());
        }
    }
    let some_tls = web.sites.values().any(|site| site.certificate.is_some());
    if some_tls && web.proxy.acme_webroot.is_none() {
        let message = "nothing answers http-01 challenges; set the folder, or use dns-01";
        say("no-acme-webroot", Origin::new("proxy.acme_webroot"), message.into());
    }
    for (name, site) in &web.sites {
        lint_site(site, &Origin::new("site").field(name), web, &mut say);
    }
    found
}

fn lint_site(
    site: &Site,
    origin: &Origin,
    web: &Web,
    say: &mut dyn FnMut(&'static str, Origin, String),
) {
    if site.certificate.is_none() && site.basic_auth.as_ref().is_some_and(|a| a.options().is_some())
    {
        let message = "passwords travel in plain HTTP: give the site a certificate";
        say("password-in-the-clear", origin.field("basic_auth"), message.into());
    }
    if let Some(Switch::On(hsts)) = &site.hsts
        && hsts.preload
        && (!hsts.subdomains || hsts.max_age.as_duration().as_secs() < 31_536_000)
    {
        let message = "browsers' preload lists require subdomains = true and a max_age of a year";
        say("useless-preload", origin.field("hsts.preload"), message.into());
    }
    let html = site.routes.iter().any(|route| route.files.is_some());
    let csp = |route: &crate::model::Route| route.csp.is_some() || site.csp.is_some();
    if html && !site.routes.iter().filter(|route| route.files.is_some()).all(csp) {
        let message = "pages without a Content-Security-Policy: write `csp`";
        say("no-csp", origin.field("csp"), message.into());
    }
    if !site.routes.iter().any(|route| route.path.as_str() == "/" && !route.exact) {
        let message = "no route is for \"/\": nginx answers the rest with files of its own";
        say("no-root-route", origin.field("routes"), message.into());
    }
    let mut nets = BTreeSet::new();
    for (i, network) in site.allow.iter().enumerate() {
        if !nets.insert(network) {
            say(
                "double-network",
                origin.field("allow").index(i),
                format!("{network} is listed twice"),
            );
        }
        if network.to_string().ends_with("/0") {
            let message = format!("{network} lets everybody in");
            say("open-list", origin.field("allow").index(i), message);
        }
    }
    for (i, route) in site.routes.iter().enumerate() {
        let origin = origin.field("routes").index(i);
        let path = route.path.as_str();
        if path.starts_with("/.well-known/acme-challenge")
            && web.proxy.acme_webroot.is_some()
            && site.certificate.is_none()
        {
            let message = "the ACME location answers there: this route is never used";
            say("shadowed-route", origin.field("path"), message.into());
        }
        if let Some(Action::Redirect(redirect)) = route.action()
            && redirect.to.as_str().starts_with(path)
            && !route.exact
            && redirect.to.as_str().starts_with('/')
        {
            let message = format!("{} is below {path}: this redirects forever", redirect.to);
            say("redirect-loop", origin.field("redirect.to"), message);
        }
        if let Some(Switch::On(limit)) = &route.rate_limit
            && limit.key == LimitKey::Site
            && limit.burst == 0
        {
            let message = "one limit for all clients without a burst refuses two simultaneous \
                     requests";
            say("no-burst", origin.field("rate_limit.burst"), message.into());
        }
        if let Some(proxy) = &route.proxy {
            for (j, server) in proxy.to.iter().enumerate() {
                if let Server::Address(options) = server
                    && matches!(options.address, Address::Name(..))
                    && web.proxy.resolver.is_empty()
                {
                    let message = format!(
                        "{} is resolved once, when nginx starts; nginx does not start if that \
                         fails",
                        options.address
                    );
                    say("name-at-start", origin.field("proxy.to").index(j), message);
                }
            }
        }
        for directive in route.snippet.iter().flat_map(|snippet| snippet.directives()) {
            lint_directive(directive, &origin.field("snippet"), say);
        }
    }
    for directive in site.snippet.iter().flat_map(|snippet| snippet.directives()) {
        lint_directive(directive, &origin.field("snippet"), say);
    }
}

/// Known traps in snippets.
fn lint_directive(
    directive: &Directive,
    origin: &Origin,
    say: &mut dyn FnMut(&'static str, Origin, String),
) {
    directive.walk(&mut |directive| {
        let arguments = directive.arguments();
        match (directive.name(), arguments, &directive.block) {
            ("location", [path], Some(block)) if !path.ends_with('/') && !path.starts_with('@') => {
                let alias = block.iter().find(|inner| inner.name() == "alias");
                if alias.is_some_and(|a| a.arguments().first().is_some_and(|to| to.ends_with('/')))
                {
                    let message = format!("{path}../ leaves the folder of alias: write {path}/");
                    say("alias-traversal", origin.clone(), message);
                }
            }
            ("add_header", _, _) => {
                let message = "add_header drops all headers of Seaworthy there: use `headers`";
                say("headers-dropped", origin.clone(), message.into());
            }
            ("if", _, Some(_)) => {
                say("if-in-snippet", origin.clone(), "`if` has many traps: use `map`".into());
            }
            ("return" | "rewrite", arguments, _)
                if arguments.iter().any(|word| word.contains("$uri")) =>
            {
                let message = "$uri is decoded: a line break in it makes a header";
                say("header-injection", origin.clone(), message.into());
            }
            _ => {}
        }
    });
}
