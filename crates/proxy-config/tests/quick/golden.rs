//! Both examples for each version, compared with the files in `tests/golden`. After a change that
//! is meant: `SEAWORTHY_BLESS=1 cargo test -p seaworthy-proxy-config --test quick golden`.

use std::{fs, path::Path};

use seaworthy_core::FileSet;

use crate::support::{VERSIONS, all_text, example, render, target, web};

/// What the examples do not use.
const REST: &str = r#"
[proxy]
http3 = true
tls = "modern"
addresses = ["192.0.2.1", "2001:db8::1"]
real_ip = { from = ["cloudflare"] }

[upstream.pool]
pools = { blue = ["10.0.0.1:80", { address = "10.0.0.2:80", weight = 2 }], green = ["10.0.0.3:80"] }
active = "blue"
balance = "least-connections"
health = "/health"

[certificate.c]
names = ["a.example"]

[site.a-b]
hosts = ["a.example"]
certificate = "c"
www_redirect = true
hsts = { subdomains = true, preload = true }
basic_auth = { realm = "A \"b\" \\ c", file = "/etc/nginx/htpasswd" }
connection_limit = 10
error_pages = { 404 = "/srv/errors/404.html" }
maintenance = { page = "/srv/errors/work.html", retry_after = "10m", allow = ["10.0.0.0/8"] }
log = "json"
snippet = "location = /status { stub_status; allow 127.0.0.1; deny all; }"
[[site.a-b.routes]]
path = "/"
proxy = { to = [{ upstream = "pool" }], buffering = false }
rate_limit = { rate = "0.5r/s", burst = 5, exempt = ["10.0.0.0/8"] }
[[site.a-b.routes]]
path = "/old/"
redirect = { to = "https://b.example", keep_path = true }
[[site.a-b.routes]]
path = "/hello"
exact = true
basic_auth = false
answer = { body = "{\"a\": \"b;}\"}", type = "application/json" }
[[site.a-b.routes]]
path = "/down/"
files = { root = "/srv/down", cache = "1h", immutable = ["/down/v/"] }

[site.plain]
hosts = ["plain.example"]
default = true
[[site.plain.routes]]
path = "/"
answer = { status = 404 }
"#;

fn compare(name: &str, files: &FileSet) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = all_text(files);
    if std::env::var_os("SEAWORTHY_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if text != golden {
        let line = text.lines().zip(golden.lines()).position(|(a, b)| a != b);
        let line = line.unwrap_or(text.lines().count().min(golden.lines().count()));
        panic!(
            "{name} differs from line {}:\n  now:    {:?}\n  golden: {:?}",
            line + 1,
            text.lines().nth(line),
            golden.lines().nth(line)
        );
    }
}

#[test]
fn examples_render_as_agreed_for_each_version() {
    for version in VERSIONS {
        for name in ["flotteq", "gw2"] {
            let files = render(&web(&example(name)), target(version));
            compare(&format!("{name}-{version}.txt"), &files);
        }
    }
}

#[test]
fn the_rest_renders_as_agreed() {
    let with_brotli = target(VERSIONS[3])
        .with_module("http_brotli_module")
        .with_module("http_brotli_static_module");
    compare("rest-1.29.3.txt", &render(&web(REST), with_brotli));
    let without_http3 = REST.replace("http3 = true", "");
    compare("rest-1.22.1.txt", &render(&web(&without_http3), target(VERSIONS[1])));
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let web = web(&example("flotteq"));
    assert_eq!(render(&web, target(VERSIONS[1])), render(&web, target(VERSIONS[1])));
}

#[test]
fn every_line_of_a_site_knows_its_place_in_the_file() {
    let files = render(&web(&example("gw2")), target(VERSIONS[1]));
    let file = files.get("conf.d/50-site-gw2.conf").unwrap();
    let text = String::from_utf8(file.bytes.clone()).unwrap();
    let origin = |needle: &str| {
        let line = text.lines().position(|line| line.contains(needle)).unwrap() + 1;
        file.origin_of_line(line).to_string()
    };
    assert_eq!(origin("server_name"), "site.gw2.hosts");
    assert_eq!(origin("ssl_certificate "), "site.gw2.certificate");
    assert_eq!(origin("try_files"), "site.gw2.routes[0].files.spa");
    assert_eq!(origin("server 127.0.0.1:8000"), "site.gw2.routes[1].proxy.to");
}
