//! The sites of an nginx, from the configuration that it prints: hosts, folders and addresses.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, Result};
use seaworthy_proxy_config::syntax::{Directive, parse};
use serde::Serialize;

/// How `nginx -T` begins each file.
const FILE: &str = "# configuration file ";
/// The deepest nesting of includes.
const DEEPEST: usize = 8;

/// The sites of an nginx.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NginxTree {
    /// The folder of its configuration.
    pub root: PathBuf,
    /// Its sites.
    pub sites: Vec<FoundSite>,
    /// Files that cannot be read here.
    pub notes: Vec<String>,
}

/// A site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FoundSite {
    /// Its names.
    pub hosts: Vec<String>,
    /// The files of its certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// What it serves.
    pub routes: Vec<FoundRoute>,
    /// What must be written by hand.
    pub notes: Vec<String>,
    /// Its place.
    pub place: String,
}

/// A path and what serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FoundRoute {
    /// The path, or its prefix.
    pub path: String,
    /// Whether only that path matches.
    pub exact: bool,
    /// What serves it.
    pub answer: FoundAnswer,
}

/// What serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FoundAnswer {
    /// Upstream servers.
    Proxy {
        /// Their addresses.
        to: Vec<String>,
        /// Whether connections may be upgraded.
        websocket: bool,
    },
    /// A folder.
    Files {
        /// The folder that the path maps to.
        root: PathBuf,
        /// Whether unknown paths get its index.html.
        spa: bool,
    },
}

/// The same text as `nginx -T` prints, for the tree below `root`; `None` if there is none.
pub(super) fn dump_below(root: &Path) -> Result<Option<String>> {
    let main = root.join("etc/nginx/nginx.conf");
    if !main.exists() {
        return Ok(None);
    }
    let mut text = String::new();
    append(root, &main, 0, &mut text)?;
    Ok(Some(text))
}

fn append(root: &Path, file: &Path, depth: usize, text: &mut String) -> Result<()> {
    let fail = |e| Error::io("init.nginx", format!("cannot read {}", file.display()), e);
    let own = fs::read_to_string(file).map_err(fail)?;
    let shown = Path::new("/").join(file.strip_prefix(root).unwrap_or(file));
    text.push_str(&format!("{FILE}{}:\n{own}\n", shown.display()));
    if depth == DEEPEST {
        return Ok(());
    }
    let mut patterns = Vec::new();
    // An unreadable file is noted by the caller.
    for directive in parse(&own).unwrap_or_default() {
        directive.walk(&mut |d| {
            if d.name() == "include" {
                patterns.extend(d.arguments().first().cloned());
            }
        });
    }
    for pattern in patterns {
        let whole = Path::new("/etc/nginx").join(&pattern);
        let whole = root.join(whole.strip_prefix("/").unwrap_or(&whole));
        for file in matching(&whole) {
            append(root, &file, depth + 1, text)?;
        }
    }
    Ok(())
}

/// The files that match a path with one star in its name, sorted.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((begin, end)) = name.split_once('*') else {
        return if pattern.is_file() { vec![pattern.to_owned()] } else { Vec::new() };
    };
    let folder = pattern.parent().unwrap_or(Path::new("/"));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end)
        })
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// Parses the output of `nginx -T`.
pub(super) fn read(text: &str) -> NginxTree {
    let mut tree = NginxTree { root: "/etc/nginx".into(), ..NginxTree::default() };
    let mut files = Vec::new();
    // The first piece is the text before any file.
    for (n, piece) in text.split(FILE).skip(1).enumerate() {
        let (head, body) = piece.split_once('\n').unwrap_or((piece, ""));
        let name = head.trim_end().trim_end_matches(':').to_owned();
        if n == 0
            && let Some(folder) = Path::new(&name).parent()
        {
            tree.root = folder.to_owned();
        }
        // What we wrote ourselves is already in the file.
        if name.contains("/seaworthy/current/") {
            continue;
        }
        match parse(body) {
            Ok(directives) => files.push((name, directives)),
            Err(error) => tree.notes.push(format!("{name}: {error}")),
        }
    }
    let mut upstreams = BTreeMap::new();
    for (_, directives) in &files {
        each(directives, "upstream", &mut |upstream| {
            let name = upstream.arguments().first().cloned().unwrap_or_default();
            let servers = named(upstream, "server").filter_map(|s| s.arguments().first().cloned());
            upstreams.insert(name, servers.collect::<Vec<_>>());
        });
    }
    for (file, directives) in &files {
        each(directives, "server", &mut |server| {
            if server.block.is_some()
                && let Some(site) = read_site(server, file, &upstreams)
            {
                tree.add(site);
            }
        });
    }
    tree.sites.retain(|site| !site.routes.is_empty() || !site.notes.is_empty());
    tree
}

impl NginxTree {
    /// Plain HTTP and HTTPS of the same hosts are one site.
    fn add(&mut self, site: FoundSite) {
        let same = self.sites.iter_mut().find(|known| known.hosts == site.hosts);
        match same {
            Some(known) if known.certificate.is_none() && site.certificate.is_some() => {
                *known = site
            }
            Some(known) if known.routes.is_empty() => *known = site,
            Some(_) => {}
            None => self.sites.push(site),
        }
    }
}

fn each<'a>(directives: &'a [Directive], name: &str, found: &mut dyn FnMut(&'a Directive)) {
    for directive in directives {
        directive.walk(&mut |d| {
            if d.name() == name {
                found(d);
            }
        });
    }
}

fn named<'a>(block: &'a Directive, name: &str) -> impl Iterator<Item = &'a Directive> {
    block.block.iter().flatten().filter(move |directive| directive.name() == name)
}

fn first<'a>(block: &'a Directive, name: &str) -> Option<&'a str> {
    named(block, name).next()?.arguments().first().map(String::as_str)
}

fn read_site(
    server: &Directive,
    file: &str,
    upstreams: &BTreeMap<String, Vec<String>>,
) -> Option<FoundSite> {
    let is_host = |host: &&String| {
        !host.is_empty()
            && host.contains('.')
            && !host.starts_with(['~', '_', '.'])
            && !host.contains('$')
    };
    let hosts: Vec<_> = named(server, "server_name")
        .flat_map(Directive::arguments)
        .filter(is_host)
        .map(|host| host.to_lowercase())
        .collect();
    if hosts.is_empty() {
        return None;
    }
    let mut site =
        FoundSite { hosts, place: format!("{file}:{}", server.line), ..FoundSite::default() };
    if let (Some(chain), Some(key)) =
        (first(server, "ssl_certificate"), first(server, "ssl_certificate_key"))
    {
        site.certificate = Some((chain.into(), key.into()));
    }
    let root = first(server, "root").map(PathBuf::from);
    for location in named(server, "location") {
        read_location(location, root.as_deref(), upstreams, &mut site);
    }
    let has_root = site.routes.iter().any(|route| route.path == "/" && !route.exact);
    if let (Some(root), false) = (root, has_root) {
        let spa = is_spa(server);
        let answer = FoundAnswer::Files { root, spa };
        site.routes.push(FoundRoute { path: "/".into(), exact: false, answer });
    }
    Some(site)
}

fn read_location(
    location: &Directive,
    root: Option<&Path>,
    upstreams: &BTreeMap<String, Vec<String>>,
    site: &mut FoundSite,
) {
    let line = location.line;
    let (path, exact) = match location.arguments() {
        [path] if path.starts_with('/') => (path.clone(), false),
        [how, path] if how == "^~" => (path.clone(), false),
        [how, path] if how == "=" => (path.clone(), true),
        // Only reached from other locations.
        [name] if name.starts_with('@') => return,
        other => {
            let what = other.join(" ");
            site.notes.push(format!("line {line}: location {what} has no path of its own"));
            return;
        }
    };
    if path.starts_with("/.well-known/acme-challenge") {
        return;
    }
    let answer = if let Some(target) = first(location, "proxy_pass") {
        let Some(to) = addresses(target, upstreams) else {
            site.notes.push(format!("line {line}: location {path} has special proxy settings"));
            return;
        };
        let upgrades = named(location, "proxy_set_header").any(|header| {
            header.arguments().first().is_some_and(|n| n.eq_ignore_ascii_case("upgrade"))
        });
        FoundAnswer::Proxy { to, websocket: upgrades }
    } else if let Some(folder) = first(location, "alias") {
        FoundAnswer::Files { root: folder.into(), spa: is_spa(location) }
    } else if let Some(root) = first(location, "root").map(Path::new).or(root)
        && is_static(location)
        && !exact
    {
        let below = path.trim_matches('/');
        let root = if below.is_empty() { root.to_owned() } else { root.join(below) };
        FoundAnswer::Files { root, spa: is_spa(location) }
    } else {
        site.notes.push(format!("line {line}: location {path} does something else"));
        return;
    };
    let path = match &answer {
        FoundAnswer::Files { .. } if !exact && !path.ends_with('/') => format!("{path}/"),
        _ => path,
    };
    site.routes.push(FoundRoute { path, exact, answer });
}

/// Whether unknown paths get index.html.
fn is_spa(block: &Directive) -> bool {
    named(block, "try_files")
        .any(|d| d.arguments().last().is_some_and(|l| l.ends_with("/index.html")))
}

/// Whether only files are served.
fn is_static(location: &Directive) -> bool {
    let others = ["return", "rewrite", "fastcgi_pass", "uwsgi_pass", "grpc_pass", "if", "deny"];
    location.block.iter().flatten().all(|directive| !others.contains(&directive.name()))
}

/// The addresses of `http://…` without a path: an upstream's servers, or the host itself.
fn addresses(target: &str, upstreams: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    let rest = target.strip_prefix("http://")?;
    // A path, a variable or a password is a special setting.
    if rest.contains(['/', '$', '@', ' ']) {
        return None;
    }
    let with_port = |address: &String| {
        let address = address.replace("localhost", "127.0.0.1");
        let has_port =
            address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if has_port || address.starts_with("unix:") { address } else { format!("{address}:80") }
    };
    let all = match upstreams.get(rest) {
        Some(servers) => servers.iter().map(with_port).collect(),
        None => vec![with_port(&rest.to_owned())],
    };
    Some(all)
}
