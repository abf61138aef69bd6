//! The routes of a site as locations.

use seaworthy_core::Origin;

use super::{SiteJob, headers::max_age};
use crate::{
    model::{Action, Answer, Files, LogFormat, ProxyTo, Redirect, Route, UrlPath},
    syntax::{Node, Word, set},
};

/// What browsers may keep forever, since its name changes with its content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

impl SiteJob<'_> {
    /// All locations, in the order of the model.
    pub(super) fn locations(&self) -> Vec<Node> {
        let routes = self.site.routes.iter().enumerate();
        routes.flat_map(|(i, route)| self.location(i, route)).collect()
    }

    /// The pools that this site alone uses.
    pub(super) fn own_pools(&self) -> Vec<Node> {
        let routes = self.site.routes.iter().enumerate();
        routes
            .filter(|(i, _)| self.pool_index(*i) == *i)
            .filter_map(|(i, route)| {
                let origin = self.route_origin(i).field("proxy.to");
                self.job.pool_of(route.proxy.as_ref()?, self.pool_name(i), &origin).1
            })
            .collect()
    }

    fn pool_name(&self, index: usize) -> String {
        format!("seaworthy_{}_r{}", self.id, self.pool_index(index))
    }

    /// The first route that passes on to the same servers: they share a pool.
    fn pool_index(&self, index: usize) -> usize {
        let servers = |i: usize| self.site.routes[i].proxy.as_ref().map(|proxy| &proxy.to);
        (0..index).find(|first| servers(*first) == servers(index)).unwrap_or(index)
    }

    fn route_origin(&self, index: usize) -> Origin {
        self.origin.field("routes").index(index)
    }

    fn location(&self, index: usize, route: &Route) -> Vec<Node> {
        let mut guards = self.guards(index, route);
        if let Some(size) = route.max_body {
            guards.push(set("client_max_body_size", size.bytes().to_string()));
        }
        let mut nodes = match route.action() {
            Some(Action::Proxy(proxy)) => self.proxy(index, route, proxy, guards),
            Some(Action::Files(files)) => self.files(index, route, files, guards),
            Some(Action::Redirect(redirect)) => {
                let answer = vec![redirect_node(redirect)];
                self.fixed(index, route, guards, answer)
            }
            Some(Action::Answer(answer)) => self.fixed(index, route, guards, answer_nodes(answer)),
            // The check refuses it.
            None => Vec::new(),
        };
        if let (Some(snippet), Some(first)) = (&route.snippet, nodes.first_mut()) {
            let origin = self.route_origin(index).field("snippet");
            let block = first.block.get_or_insert_default();
            block.extend(snippet.nodes().map(|node| node.of(&origin)));
        }
        let origin = self.route_origin(index);
        nodes.into_iter().map(|node| node.of(&origin)).collect()
    }

    fn proxy(&self, index: usize, route: &Route, proxy: &ProxyTo, guards: Vec<Node>) -> Vec<Node> {
        let origin = self.route_origin(index).field("proxy");
        let (pool, _) = self.job.pool_of(proxy, self.pool_name(index), &origin);
        let mut block = guards;
        let path = if proxy.strip_path { "/" } else { "" };
        block.push(set("proxy_pass", format!("http://{pool}{path}")).of(&origin.field("to")));
        block.push(set("proxy_http_version", "1.1").because("keeps connections open"));
        let header =
            |name: &'static str, value: Word| Node::new("proxy_set_header", [name.into(), value]);
        block.extend([
            header("Host", Word::variable("host")),
            header("X-Real-IP", Word::variable("remote_addr")),
            header("X-Forwarded-For", Word::variable("remote_addr"))
                .because("not what the client says of itself"),
            header("X-Forwarded-Proto", Word::variable("scheme")),
            header("X-Forwarded-Host", Word::variable("host")),
        ]);
        // Generating one takes time: it is only worth it if the log has it, too.
        if self.log_format() == Some(LogFormat::Json) {
            block.push(
                header("X-Request-ID", Word::variable("request_id"))
                    .because("the access log has it too"),
            );
        }
        if proxy.websocket {
            block.push(header("Upgrade", Word::variable("http_upgrade")));
            block.push(header("Connection", Word::variable("seaworthy_connection")));
        } else {
            block.push(header("Connection", "".into()));
        }
        block.extend(self.timeout_nodes(route, proxy.websocket));
        if !proxy.buffering {
            block.push(set("proxy_buffering", "off").of(&origin.field("buffering")));
        }
        block.extend(self.header_nodes(Some(route), None));
        block.extend(self.hidden_headers(route));
        vec![Node::block("location", place(route), block)]
    }

    fn files(&self, index: usize, route: &Route, files: &Files, guards: Vec<Node>) -> Vec<Node> {
        let origin = self.route_origin(index).field("files");
        let cache = files.cache.map_or("no-cache".into(), |span| max_age(span).into());
        let mut block = guards.clone();
        block.push(self.root(route, files).of(&origin.field("root")));
        block.extend(self.precompressed(files));
        if files.spa {
            // After `alias`, nginx uses a constant as it is: relative to the folder.
            let index_file = if route.path.as_str() == "/" { "/index.html" } else { "index.html" };
            block.push(
                Node::new("try_files", [Word::variable("uri"), index_file.into(), "=404".into()])
                    .because("the application knows its own paths")
                    .of(&origin.field("spa")),
            );
        } else if !route.exact {
            block.push(set("index", "index.html"));
        }
        block.extend(self.header_nodes(Some(route), Some(cache)));
        if !route.exact {
            block.push(hidden_files());
        }
        let mut nodes = vec![Node::block("location", place(route), block)];
        for (i, path) in files.immutable.iter().enumerate() {
            let mut block = guards.clone();
            block.push(self.root_at(path, route, files));
            block.extend(self.precompressed(files));
            block.extend(self.header_nodes(Some(route), Some(IMMUTABLE.into())));
            block.push(hidden_files());
            let node = Node::block("location", [path.to_string()], block)
                .because("no `always`: a 404 is never kept for a year");
            nodes.push(node.of(&origin.field("immutable").index(i)));
        }
        nodes
    }

    /// The folder that the route's path maps to.
    fn root(&self, route: &Route, files: &Files) -> Node {
        let root = files.root.as_str();
        if route.exact {
            set("alias", root.to_owned())
        } else {
            self.root_at(&route.path, route, files)
        }
    }

    /// The folder that `path` maps to, which is below the route's path.
    fn root_at(&self, path: &UrlPath, route: &Route, files: &Files) -> Node {
        let root = files.root.as_str().trim_end_matches('/');
        if route.path.as_str() == "/" {
            return set("root", if root.is_empty() { "/".to_owned() } else { root.to_owned() });
        }
        let below = path.as_str().strip_prefix(route.path.as_str()).unwrap_or_default();
        set("alias", format!("{root}/{below}"))
    }

    fn precompressed(&self, files: &Files) -> Vec<Node> {
        let mut nodes = Vec::new();
        if files.precompressed {
            let has = |module| self.job.target.has(module);
            if has("http_gzip_static_module") {
                nodes.push(set("gzip_static", "on"));
            }
            if has("http_brotli_static_module") {
                nodes.push(set("brotli_static", "on"));
            }
        }
        nodes
    }

    /// A fixed answer. If there are access rules, it goes into a location of its own behind them,
    /// because a `return` next to them would run first.
    fn fixed(
        &self,
        index: usize,
        route: &Route,
        guards: Vec<Node>,
        answer: Vec<Node>,
    ) -> Vec<Node> {
        let headers = self.header_nodes(Some(route), None);
        if guards.is_empty() {
            let block = headers.into_iter().chain(answer).collect();
            return vec![Node::block("location", place(route), block)];
        }
        let name = format!("@answer_{index}");
        let mut block = guards;
        block.extend(headers.clone());
        block.push(
            Node::new("try_files", ["/.seaworthy/none".to_owned(), name.clone()])
                .because("a return here would come before the lists and limits"),
        );
        let behind = headers.into_iter().chain(answer).collect();
        vec![Node::block("location", place(route), block), Node::block("location", [name], behind)]
    }
}

fn place(route: &Route) -> Vec<String> {
    let path = route.path.to_string();
    if route.exact { vec!["=".to_owned(), path] } else { vec![path] }
}

/// Files whose names begin with a dot are not served, except `/.well-known/`.
fn hidden_files() -> Node {
    // Not `return`: that would run before lists and limits.
    let nothing = Node::new("try_files", ["/.seaworthy/none", "=404"]);
    let words = ["~".into(), Word::raw(r"/\.(?!well-known/)")];
    Node::block("location", words, vec![nothing])
        .because("files whose names begin with a dot are not for the world")
}

fn redirect_node(redirect: &Redirect) -> Node {
    let to = redirect.to.as_str();
    let word = if redirect.keep_path {
        Word::text(to.trim_end_matches('/').to_owned()).then_variable("request_uri")
    } else {
        Word::text(to.to_owned())
    };
    Node::new("return", [redirect.status.get().to_string().into(), word])
}

fn answer_nodes(answer: &Answer) -> Vec<Node> {
    let media_type =
        answer.media_type.as_ref().map_or("text/plain".into(), |t| t.as_str().to_owned());
    let mut words = vec![Word::from(answer.status.get().to_string())];
    words.extend(answer.body.as_ref().map(|body| Word::text(body.as_str().to_owned())));
    vec![set("default_type", media_type), set("charset", "utf-8"), Node::new("return", words)]
}
