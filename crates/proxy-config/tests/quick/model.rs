//! Contradictions are refused with their place; likely mistakes is found.

use seaworthy_core::{ConfigRenderer, Error, ErrorKind};
use seaworthy_proxy_config::{NginxRenderer, Target, Version, lint};

use crate::support::{VERSIONS, example, target, web};

const ROUTE: &str = "[[site.a.routes]]\npath = \"/\"\nproxy = { to = [\"127.0.0.1:1\"] }\n";

fn refused(text: &str, target: Target) -> Error {
    match NginxRenderer::new(target).render(&web(text)) {
        Ok(_) => panic!("it is rendered: {text}"),
        Err(error) => error,
    }
}

#[track_caller]
fn assert_refused(text: &str, field: &str, word: &str) {
    let error = refused(text, target(VERSIONS[1]));
    assert_eq!(error.kind(), ErrorKind::Config);
    let place = error.place().map(|place| place.as_str());
    assert_eq!(place, Some(field), "{error:?}");
    let said = format!("{error}; {}", error.remedy().unwrap_or_default());
    assert!(said.contains(word), "no {word:?} in {said}");
}

/// A file with the site `a`, these lines in it, and more behind.
fn site(lines: &str, more: &str) -> String {
    format!("[certificate.c]\n[site.a]\nhosts = [\"a.example\"]\n{lines}\n{more}")
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_place() {
    let b = "[site.b]\nhosts = [\"b.example\"]\ndefault = true\n[[site.b.routes]]\npath = \"/\"\nanswer = { }\n";
    let routes = |lines: &str| site("", &format!("[[site.a.routes]]\npath = \"/x\"\n{lines}"));
    let to = |server: &str| site("", &ROUTE.replace("\"127.0.0.1:1\"", server));
    for (text, field, word) in [
        (site("default = true", &format!("{ROUTE}{b}")), "site.b.default", "two default sites"),
        (
            site("", &format!("{ROUTE}{}", b.replace("b.example", "a.example"))),
            "site.b.hosts[0]",
            "already used in site.a.hosts[0]",
        ),
        (
            site(
                "www_redirect = true",
                &format!("{ROUTE}{}", b.replace("b.example", "www.a.example")),
            ),
            "site.b.hosts[0]",
            "www.a.example is already",
        ),
        (site("certificate = \"d\"", ROUTE), "site.a.certificate", "the certificates are c"),
        (site("hsts = true", ROUTE), "site.a.hsts", "needs a certificate"),
        (site("", ""), "site.a.routes", "needs a route"),
        (site("", &format!("{ROUTE}{ROUTE}")), "site.a.routes[1].path", "routes[0]"),
        (routes(""), "site.a.routes[0]", "exactly one of"),
        (routes("answer = { }\nredirect = { to = \"/y\" }"), "site.a.routes[0]", "exactly one of"),
        (routes("files = { root = \"/srv\" }"), "site.a.routes[0].path", "write /x/"),
        (
            routes("exact = true\nfiles = { root = \"/srv\", spa = true }"),
            "site.a.routes[0].exact",
            "one file",
        ),
        (
            site(
                "",
                "[[site.a.routes]]\npath = \"/x/\"\nfiles = { root = \"/srv\", immutable = [\"/y/\"] }",
            ),
            "site.a.routes[0].files.immutable[0]",
            "begin with /x/",
        ),
        (
            routes("redirect = { to = \"/y?z\", keep_path = true }"),
            "site.a.routes[0].redirect.to",
            "without a query",
        ),
        (
            routes("files = { root = \"srv\" }\nexact = true"),
            "site.a.routes[0].files.root",
            "relative",
        ),
        (to(""), "site.a.routes[0].proxy.to", "no server"),
        (to("{ upstream = \"p\" }"), "site.a.routes[0].proxy.to[0]", "no [upstream.p]"),
        (to("{ service = \"s\" }"), "site.a.routes[0].proxy.to[0]", "[service.…]"),
        (
            to("{ address = \"127.0.0.1:1\", backup = true }"),
            "site.a.routes[0].proxy.to",
            "one must not be",
        ),
        (
            to("{ address = \"127.0.0.1:1\", weight = 0 }"),
            "site.a.routes[0].proxy.to[0]",
            "at least 1",
        ),
        (
            site(
                "",
                &format!(
                    "{ROUTE}[upstream.p]\nactive = \"red\"\npools = {{ blue = [\"127.0.0.1:1\"] }}\n"
                ),
            ),
            "upstream.p.active",
            "the pools are blue",
        ),
        (
            site("", &format!("{ROUTE}[upstream.p]\npools = {{ blue = [\"127.0.0.1:1\"] }}\n")),
            "upstream.p.active",
            "need each other",
        ),
        (
            site("", &format!("{ROUTE}[upstream.p]\nservers = [{{ upstream = \"p\" }}]\n")),
            "upstream.p.servers[0]",
            "must stand alone",
        ),
        (site("connection_limit = 0", ROUTE), "site.a.connection_limit", "refuse everybody"),
        (
            format!("[proxy]\ngzip = {{ level = 10 }}\n{}", site("", ROUTE)),
            "proxy.gzip.level",
            "1 to 9",
        ),
        (format!("[proxy]\nhttp_port = 443\n{}", site("", ROUTE)), "proxy.https_port", "different"),
        (
            format!(
                "[proxy]\nreal_ip = {{ from = [\"cloudflare\", \"fastly\"] }}\n{}",
                site("", ROUTE)
            ),
            "proxy.real_ip.header",
            "X-Forwarded-For",
        ),
        (format!("[proxy]\naddresses = []\n{}", site("", ROUTE)), "proxy.addresses", "no address"),
    ] {
        assert_refused(&text, field, word);
    }
}

#[test]
fn an_nginx_that_is_too_old_is_refused_with_what_is_needed() {
    let tls = site("certificate = \"c\"", ROUTE);
    for (line, field, word) in [
        ("http3 = true", "proxy.http3", "nginx 1.25 or later"),
        ("brotli = true", "proxy.brotli", "ngx_brotli"),
        ("resolver = [\"127.0.0.53\"]", "proxy.resolver", "1.27.3"),
    ] {
        assert_refused(&format!("[proxy]\n{line}\n{tls}"), field, word);
    }
    let ancient = refused(&tls, target(Version::new(1, 14, 0)));
    assert!(ancient.to_string().contains("1.18 or later; this is nginx 1.14.0"), "{ancient}");
    let bare = Target::parse("nginx version: nginx/1.26.0\nconfigure arguments: ").unwrap();
    assert!(refused(&tls, bare.clone()).to_string().contains("http_ssl_module"));
    let real_ip = format!("[proxy]\nreal_ip = {{ from = [\"fastly\"] }}\n{}", site("", ROUTE));
    assert!(refused(&real_ip, bare).to_string().contains("http_realip_module"));
}

fn rules(text: &str) -> Vec<(&'static str, String)> {
    let found = lint(&web(text));
    found.into_iter().map(|finding| (finding.rule, finding.origin.to_string())).collect()
}

#[test]
fn the_examples_are_clean() {
    for name in ["flotteq", "gw2"] {
        assert_eq!(rules(&example(name)), [], "{name}");
    }
}

#[test]
fn each_rule_finds_what_it_is_for() {
    let bare = "[site.a]\nhosts = [\"a.example\"]\n";
    let with = |rest: &str| format!("{bare}{rest}");
    let snippet = |text: &str| format!("{bare}snippet = '{text}'\n{ROUTE}");
    for (text, rule, place) in [
        (
            with(&format!("{ROUTE}[upstream.p]\nservers = [\"127.0.0.1:1\"]\n")),
            "unused-upstream",
            "upstream.p",
        ),
        (
            with(
                "[[site.a.routes]]\npath = \"/\"\nproxy = { to = [{ upstream = \"p\" }] }\n[upstream.p]\nactive = \"b\"\npools = { b = [\"127.0.0.1:1\"] }\n",
            ),
            "switch-without-health",
            "upstream.p",
        ),
        (with(&format!("{ROUTE}[certificate.c]\n")), "unused-certificate", "certificate.c"),
        (
            format!("[certificate.c]\n{bare}certificate = \"c\"\n{ROUTE}"),
            "no-acme-webroot",
            "proxy.acme_webroot",
        ),
        (
            with(&format!("basic_auth = {{ file = \"/x\" }}\n{ROUTE}")),
            "password-in-the-clear",
            "site.a.basic_auth",
        ),
        (
            format!(
                "[proxy]\nacme_webroot = \"/x\"\n[certificate.c]\n{bare}certificate = \"c\"\nhsts = {{ preload = true }}\n{ROUTE}"
            ),
            "useless-preload",
            "site.a.hsts.preload",
        ),
        (
            with("[[site.a.routes]]\npath = \"/\"\nfiles = { root = \"/x\" }\n"),
            "no-csp",
            "site.a.csp",
        ),
        (
            with("[[site.a.routes]]\npath = \"/x\"\nanswer = { }\n"),
            "no-root-route",
            "site.a.routes",
        ),
        (
            with(&format!("allow = [\"10.0.0.1\", \"10.0.0.1/32\"]\n{ROUTE}")),
            "double-network",
            "site.a.allow[1]",
        ),
        (with(&format!("allow = [\"::/0\"]\n{ROUTE}")), "open-list", "site.a.allow[0]"),
        (
            format!(
                "[proxy]\nacme_webroot = \"/x\"\n{bare}{ROUTE}[[site.a.routes]]\npath = \"/.well-known/acme-challenge/\"\nanswer = {{ }}\n"
            ),
            "shadowed-route",
            "site.a.routes[1].path",
        ),
        (
            with("[[site.a.routes]]\npath = \"/\"\nredirect = { to = \"/x\" }\n"),
            "redirect-loop",
            "site.a.routes[0].redirect.to",
        ),
        (
            with(&ROUTE.replace("127.0.0.1", "backend")),
            "name-at-start",
            "site.a.routes[0].proxy.to[0]",
        ),
        (snippet("location /a { alias /b/; }"), "alias-traversal", "site.a.snippet"),
        (snippet("location /a { add_header X y; }"), "headers-dropped", "site.a.snippet"),
        (snippet("if ($host) { return 404; }"), "if-in-snippet", "site.a.snippet"),
        (
            snippet("location /a { return 301 https://b$uri; }"),
            "header-injection",
            "site.a.snippet",
        ),
        (
            with(
                "[[site.a.routes]]\npath = \"/\"\nanswer = { }\nrate_limit = { rate = \"1r/s\", key = \"site\" }\n",
            ),
            "no-burst",
            "site.a.routes[0].rate_limit.burst",
        ),
    ] {
        assert_eq!(rules(&text), [(rule, place.to_owned())], "{text}");
    }
}

#[test]
fn relative_paths_are_those_of_the_file() {
    let mut web = web(&site("", "[[site.a.routes]]\npath = \"/\"\nfiles = { root = \"www\" }\n"));
    web.resolve_paths(std::path::Path::new("/opt/app")).unwrap();
    let files = crate::support::render(&web, target(VERSIONS[1]));
    assert!(crate::support::all_text(&files).contains("root /opt/app/www;"));
}

#[cfg(feature = "schema")]
#[test]
fn the_schema_knows_every_field_of_the_examples() {
    fn fields(value: &serde_json::Value, out: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (name, value) in map {
                    out.push(name.clone());
                    fields(value, out);
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| fields(value, out)),
            _ => {}
        }
    }
    let mut known = Vec::new();
    let (proxy, site) = (
        schemars::schema_for!(seaworthy_proxy_config::Proxy),
        schemars::schema_for!(seaworthy_proxy_config::Site),
    );
    for schema in [proxy, site] {
        assert_eq!(schema.get("additionalProperties"), Some(&false.into()));
        fields(schema.as_value(), &mut known);
    }
    for name in ["flotteq", "gw2"] {
        let file: toml::Table = toml::from_str(&example(name)).unwrap();
        let mut used = Vec::new();
        fields(&serde_json::to_value(&file["proxy"]).unwrap(), &mut used);
        for site in file["site"].as_table().unwrap().values() {
            fields(&serde_json::to_value(site).unwrap(), &mut used);
        }
        for field in used.iter().filter(|field| !field.contains('-')) {
            assert!(known.contains(field), "{field} is not in the schema");
        }
    }
}
