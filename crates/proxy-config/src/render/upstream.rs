//! Pools of servers.

use seaworthy_core::{Name, Origin};

use super::{Job, limits::CLIENT};
use crate::{
    model::{
        Address, Balance, DEFAULT_KEEPALIVE, ProxyTo, Server, ServerOptions, Upstream, identifier,
    },
    syntax::{Node, Word, set},
};

impl Job<'_> {
    /// The pools that more than one site may use.
    pub(super) fn upstreams(&self) -> Vec<Node> {
        let upstreams = self.web.upstreams.iter().map(|(name, upstream)| {
            let origin = Origin::new("upstream").field(name);
            self.pool(&pool_name(name), upstream, &origin)
        });
        let services = self
            .web
            .services
            .iter()
            .filter(|(name, addresses)| !addresses.is_empty() && self.web.uses_service(name));
        let services = services.map(|(name, _)| {
            let upstream = Upstream::new([Server::Service(name.clone())]);
            self.pool(&service_pool_name(name), &upstream, &Origin::new("service").field(name))
        });
        upstreams.chain(services).collect()
    }

    /// The pool that `proxy` passes on to, and its definition if nothing else uses it.
    pub(super) fn pool_of(
        &self,
        proxy: &ProxyTo,
        own_name: String,
        origin: &Origin,
    ) -> (String, Option<Node>) {
        match proxy.to.as_slice() {
            [Server::Upstream(name)] => (pool_name(name), None),
            [Server::Service(name)] => (service_pool_name(name), None),
            servers => {
                let upstream = Upstream::new(servers.to_vec());
                let node = self.pool(&own_name, &upstream, origin);
                (own_name, Some(node))
            }
        }
    }

    fn pool(&self, name: &str, upstream: &Upstream, origin: &Origin) -> Node {
        let mut nodes = vec![
            Node::new("zone", [name.to_owned(), "64k".to_owned()])
                .because("what fails is known to all workers"),
        ];
        match upstream.balance {
            Balance::RoundRobin => {}
            Balance::LeastConnections => nodes.push(Node::new("least_conn", [""; 0])),
            Balance::ClientAddress => {
                nodes.push(Node::new("hash", [Word::variable(CLIENT), "consistent".into()]));
            }
        }
        let resolver = &self.web.proxy.resolver;
        if !resolver.is_empty() {
            let words: Vec<_> = resolver
                .iter()
                .map(|ip| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() })
                .collect();
            nodes.push(Node::new("resolver", words));
        }
        for server in upstream.in_use() {
            match server {
                Server::Address(options) => nodes.push(self.server(options)),
                Server::Service(name) => {
                    let addresses = self.web.services.get(name).into_iter().flatten();
                    // systemd knows which ones are healthy. To nginx each one that is restarted has
                    // failed, and for a while none would be left.
                    nodes.extend(addresses.map(|address| {
                        let mut options = ServerOptions::new(address.clone());
                        options.max_fails = Some(0);
                        self.server(&options)
                    }));
                }
                // The check refuses pools in pools.
                Server::Upstream(_) => {}
            }
        }
        if upstream.keepalive > 0 {
            nodes.push(set("keepalive", upstream.keepalive.to_string()));
        }
        Node::block("upstream", [name.to_owned()], nodes).of(origin)
    }

    fn server(&self, options: &ServerOptions) -> Node {
        let mut words = vec![options.address.to_string()];
        words.extend(options.weight.map(|weight| format!("weight={weight}")));
        words.extend(options.max_fails.map(|fails| format!("max_fails={fails}")));
        words.extend(
            options.fail_timeout.map(|t| format!("fail_timeout={}s", t.as_duration().as_secs())),
        );
        if options.backup {
            words.push("backup".to_owned());
        }
        if matches!(options.address, Address::Name(..)) && !self.web.proxy.resolver.is_empty() {
            words.push("resolve".to_owned());
        }
        Node::new("server", words)
    }
}

fn pool_name(name: &Name) -> String {
    format!("seaworthy_pool_{}", identifier(name))
}

fn service_pool_name(name: &Name) -> String {
    format!("seaworthy_service_{}", identifier(name))
}

const _: () = assert!(DEFAULT_KEEPALIVE > 0);
