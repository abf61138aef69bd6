//! Response headers. Every location gets the full set, because one `add_header` in a location drops
//! all that it would inherit.

use std::{borrow::Cow, collections::BTreeMap};

use seaworthy_core::Span;

use super::SiteJob;
use crate::{
    model::{HeaderChoice, HeaderName, Hsts, Route, Switch},
    syntax::{Node, Word, set},
};

/// A name and a value.
type Header = (Cow<'static, str>, Cow<'static, str>);

/// The headers of every response unless the model says otherwise.
const DEFAULTS: [(&str, &str); 6] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("X-Frame-Options", "DENY"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

impl SiteJob<'_> {
    /// The headers of a route, or those of the site if it has none, in order.
    fn headers(&self, route: Option<&Route>) -> Vec<Header> {
        let mut headers: Vec<Header> = Vec::new();
        if self.site.certificate.is_some() {
            let default = Switch::On(Hsts::default());
            if let Switch::On(hsts) = self.site.hsts.as_ref().unwrap_or(&default) {
                headers.push(("Strict-Transport-Security".into(), hsts_value(hsts).into()));
            }
        }
        headers.extend(DEFAULTS.map(|(name, value)| (name.into(), value.into())));
        let csp = route.and_then(|r| r.csp.as_ref()).or(self.site.csp.as_ref());
        headers.extend(csp.map(|csp| ("Content-Security-Policy".into(), csp.to_string().into())));
        let mut change = |changes: &BTreeMap<HeaderName, HeaderChoice>| {
            for (name, choice) in changes {
                let same = |(other, _): &Header| other.eq_ignore_ascii_case(name.as_str());
                let place = headers.iter().position(same);
                match (choice, place) {
                    (HeaderChoice::Value(value), Some(i)) => {
                        headers[i].1 = value.to_string().into()
                    }
                    (HeaderChoice::Value(value), None) => {
                        headers.push((name.to_string().into(), value.to_string().into()));
                    }
                    (HeaderChoice::Off, Some(i)) => {
                        headers.remove(i);
                    }
                    (HeaderChoice::Off, None) => {}
                }
            }
        };
        change(&self.site.headers);
        if let Some(route) = route {
            change(&route.headers);
        }
        headers
    }

    /// `add_header` for all of them; `cache` applies to successful responses only.
    pub(super) fn header_nodes(
        &self,
        route: Option<&Route>,
        cache: Option<Cow<'static, str>>,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        if let Some(cache) = cache {
            nodes.push(Node::new("add_header", ["Cache-Control".into(), cache]));
        }
        for (name, value) in self.headers(route) {
            nodes.push(Node::new("add_header", [name, value, "always".into()]));
        }
        let proxy = &self.job.web.proxy;
        if self.site.certificate.is_some() && proxy.http3 {
            let value = format!("h3=\":{}\"; ma=86400", proxy.https_port);
            nodes.push(Node::new("add_header", ["Alt-Svc".to_owned(), value, "always".to_owned()]));
        }
        nodes
    }

    /// Headers that an upstream server must not repeat.
    pub(super) fn hidden_headers(&self, route: &Route) -> Vec<Node> {
        let headers = self.headers(Some(route));
        let mut nodes: Vec<_> =
            headers.into_iter().map(|(name, _)| set("proxy_hide_header", name)).collect();
        if let Some(first) = nodes.first_mut() {
            *first = first.clone().because("said once, above");
        }
        nodes.push(set("proxy_hide_header", "X-Powered-By"));
        nodes
    }
}

pub(super) fn max_age(span: Span) -> String {
    format!("public, max-age={}", span.as_duration().as_secs())
}

fn hsts_value(hsts: &Hsts) -> String {
    let mut value = format!("max-age={}", hsts.max_age.as_duration().as_secs());
    if hsts.subdomains {
        value.push_str("; includeSubDomains");
    }
    if hsts.preload {
        value.push_str("; preload");
    }
    value
}

/// A time as nginx reads it.
pub(super) fn seconds(span: Span) -> Word {
    format!("{}s", span.as_duration().as_secs()).into()
}
