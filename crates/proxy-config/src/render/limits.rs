//! Rate limits, connection limits, allow lists and passwords.

use seaworthy_core::Origin;

use super::SiteJob;
use crate::{
    model::{Cidr, LimitKey, RateLimit, Route, Switch},
    syntax::{Node, Word, set},
};

/// Memory for the state of about 80,000 clients.
const ZONE_SIZE: &str = "10m";
/// The client of a limit: an IPv4 address or an IPv6 network of 64 bits.
pub(super) const CLIENT: &str = "seaworthy_client";

impl SiteJob<'_> {
    /// The zones of this site's limits, which belong in `http`.
    pub(super) fn zones(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        if let Some(Switch::On(limit)) = &self.site.rate_limit {
            let origin = self.origin.field("rate_limit");
            nodes.extend(rate_zone(&self.zone(None), limit, &origin));
        }
        for (i, route) in self.site.routes.iter().enumerate() {
            if let Some(Switch::On(limit)) = &route.rate_limit {
                let origin = self.origin.field("routes").index(i).field("rate_limit");
                nodes.extend(rate_zone(&self.zone(Some(i)), limit, &origin));
            }
        }
        let routes = self.site.routes.iter();
        if self.site.connection_limit.is_some()
            || routes.into_iter().any(|route| route.connection_limit.is_some())
        {
            let zone = format!("zone={}_connections:{ZONE_SIZE}", self.zone(None));
            nodes.push(Node::new("limit_conn_zone", [Word::variable(CLIENT), zone.into()]));
        }
        nodes
    }

    fn zone(&self, route: Option<usize>) -> String {
        match route {
            Some(i) => format!("seaworthy_{}_r{i}", self.id),
            None => format!("seaworthy_{}", self.id),
        }
    }

    /// Who may use a route, and how often. All of these come after `return`.
    pub(super) fn guards(&self, index: usize, route: &Route) -> Vec<Node> {
        let mut nodes = Vec::new();
        let origin = self.origin.field("routes").index(index);
        let (allow, from) = match &route.allow {
            Some(allow) => (allow, &origin),
            None => (&self.site.allow, &self.origin),
        };
        nodes.extend(allow_nodes(allow, &from.field("allow")));
        let (auth, from) = match &route.basic_auth {
            Some(auth) => (auth.options(), &origin),
            None => (self.site.basic_auth.as_ref().and_then(Switch::options), &self.origin),
        };
        if let Some(auth) = auth {
            let origin = from.field("basic_auth");
            nodes.push(set("auth_basic", auth.realm.as_str().to_owned()).of(&origin));
            nodes.push(set("auth_basic_user_file", auth.file.as_str().to_owned()).of(&origin));
        }
        let (limit, zone) = match &route.rate_limit {
            Some(limit) => (limit.options(), self.zone(Some(index))),
            None => (self.site.rate_limit.as_ref().and_then(Switch::options), self.zone(None)),
        };
        if let Some(limit) = limit {
            let mut words = vec![format!("zone={zone}")];
            if limit.burst > 0 {
                words.extend([format!("burst={}", limit.burst), "nodelay".to_owned()]);
            }
            nodes.push(Node::new("limit_req", words));
            nodes.push(set("limit_req_status", "429"));
        }
        if let Some(most) = route.connection_limit.or(self.site.connection_limit) {
            let zone = format!("{}_connections", self.zone(None));
            nodes.push(Node::new("limit_conn", [zone, most.to_string()]));
            nodes.push(set("limit_conn_status", "429"));
        }
        nodes
    }
}

fn allow_nodes(allow: &[Cidr], origin: &Origin) -> Vec<Node> {
    let mut nodes: Vec<_> =
        allow.iter().map(|network| set("allow", network.to_string()).of(origin)).collect();
    if !nodes.is_empty() {
        nodes.push(set("deny", "all").of(origin));
    }
    nodes
}

fn rate_zone(zone: &str, limit: &RateLimit, origin: &Origin) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut key = match limit.key {
        LimitKey::Client => Word::variable(CLIENT),
        LimitKey::Site => Word::variable("server_name"),
    };
    if !limit.exempt.is_empty() {
        let (exempt, keyed) = (format!("{zone}_exempt"), format!("{zone}_key"));
        nodes.push(networks(&exempt, &limit.exempt).of(origin));
        nodes.push(
            Node::block(
                "map",
                [Word::variable(exempt), Word::variable(keyed.clone())],
                vec![
                    Node::new("0", [key]),
                    Node::new("1", [""]).because("an empty key is not counted"),
                ],
            )
            .of(origin),
        );
        key = Word::variable(keyed);
    }
    let words =
        [key, format!("zone={zone}:{ZONE_SIZE}").into(), format!("rate={}", limit.rate).into()];
    nodes.push(Node::new("limit_req_zone", words).of(origin));
    nodes
}

/// A variable that is 1 for clients of `networks`, else 0.
pub(super) fn networks(variable: &str, networks: &[Cidr]) -> Node {
    let mut block = vec![Node::new("default", ["0"])];
    block.extend(networks.iter().map(|network| Node::new(network.to_string(), ["1"])));
    Node::block("geo", [Word::variable(variable.to_owned())], block)
}
