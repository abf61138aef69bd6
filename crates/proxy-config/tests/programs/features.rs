//! What the examples do not use, in a real nginx.

use std::io::{Read, Write};

use crate::lab::{Lab, run, upstream};

/// A lab with the site `a.example`, of these lines, without TLS unless `certificate` is in them.
fn booted(proxy: &str, site: &str) -> Lab {
    let mut lab = Lab::new();
    lab.write("srv/www/index.html", "index");
    lab.write("srv/www/hello.txt", "hello");
    lab.write("srv/errors/404.html", "<p>nothing here</p>");
    lab.write("srv/errors/work.html", "<p>maintenance</p>");
    let hash = run("openssl", &["passwd", "-apr1", "-salt", "saltsalt", "secret"]);
    let hash = String::from_utf8(hash.stdout).unwrap();
    lab.write("srv/htpasswd", format!("ann:{hash}"));
    let text = format!(
        "[proxy]\nown_root = true\n{proxy}\n[certificate.c]\n[site.a]\nhosts = [\"a.example\"]\n{site}"
    );
    let web = lab.web(&text);
    lab.boot(&web);
    lab
}

const FILES: &str = "[[site.a.routes]]\npath = \"/\"\nfiles = { root = \"/srv/www\" }\n";

#[test]
fn passwords_are_asked_for() {
    let text =
        format!("basic_auth = {{ realm = \"A \\\"b\\\" c\", file = \"/srv/htpasswd\" }}\n{FILES}");
    let open = "[[site.a.routes]]\npath = \"/open\"\nexact = true\nbasic_auth = false\nanswer = { body = \"open\" }\n";
    let lab = booted("", &(text + open));
    let refused = lab.get("http://a.example/", &[]).expect(401);
    assert_eq!(refused.header("WWW-Authenticate"), "Basic realm=\"A \"b\" c\"");
    assert_eq!(refused.header("X-Frame-Options"), "DENY");
    lab.get("http://a.example/", &["-u", "ann:wrong"]).expect(401);
    assert_eq!(lab.get("http://a.example/", &["-u", "ann:secret"]).expect(200).text(), "index");
    assert_eq!(lab.get("http://a.example/open", &[]).expect(200).text(), "open");
}

#[test]
fn maintenance_hides_the_site_but_from_some() {
    let text = format!(
        "maintenance = {{ page = \"/srv/errors/work.html\", retry_after = \"10m\", allow = [\"192.0.2.0/24\"] }}\n{FILES}"
    );
    let lab =
        booted("real_ip = { from = [\"127.0.0.1\"] }\nacme_webroot = \"/var/www/acme\"", &text);
    let answer = lab.get("http://a.example/hello.txt", &[]).expect(503);
    assert_eq!(answer.text(), "<p>maintenance</p>");
    assert_eq!(answer.header("Retry-After"), "600");
    assert_eq!(answer.header("X-Frame-Options"), "DENY");
    let friend = ["-H", "X-Forwarded-For: 192.0.2.4"];
    assert_eq!(lab.get("http://a.example/hello.txt", &friend).expect(200).text(), "hello");
    let all = booted("", &format!("maintenance = {{ }}\n{FILES}"));
    all.get("http://a.example/", &[]).expect(503);
}

#[test]
fn errors_have_pages_with_their_own_status() {
    let lab = booted("", &format!("error_pages = {{ 404 = \"/srv/errors/404.html\" }}\n{FILES}"));
    let answer = lab.get("http://a.example/none", &[]).expect(404);
    assert_eq!(answer.text(), "<p>nothing here</p>");
    assert_eq!(answer.header("X-Content-Type-Options"), "nosniff");
    assert_eq!(answer.header("Cache-Control"), "");
}

#[test]
fn the_other_form_of_a_host_leads_to_the_first() {
    let lab = booted("", &format!("certificate = \"c\"\nwww_redirect = true\n{FILES}"));
    let answer = lab.get("https://www.a.example/x?y", &[]).expect(308);
    assert_eq!(answer.header("location"), format!("https://a.example:{}/x?y", lab.https));
    assert!(answer.header("Strict-Transport-Security").starts_with("max-age="));
    let answer = lab.get("http://www.a.example/x", &[]).expect(301);
    assert_eq!(answer.header("location"), format!("https://www.a.example:{}/x", lab.https));
    lab.get("https://a.example/", &[]).expect(200);
}

#[test]
fn fixed_answers_stand_behind_lists_and_limits() {
    let lab = booted(
        "",
        "[[site.a.routes]]\npath = \"/\"\nanswer = { body = \"{\\\"a;}\\\": \\\"\\\\\\\\n\\\"}\", type = \"application/json\" }\n\
         [[site.a.routes]]\npath = \"/closed\"\nallow = [\"192.0.2.0/24\"]\nanswer = { body = \"in\" }\n\
         [[site.a.routes]]\npath = \"/slow\"\nrate_limit = { rate = \"1r/m\" }\nredirect = { to = \"/x\" }\n\
         [[site.a.routes]]\npath = \"/old/\"\nredirect = { to = \"https://b.example/new/\", status = 301, keep_path = true }\n\
         [[site.a.routes]]\npath = \"/gone\"\nanswer = { status = 410 }\n",
    );
    let answer = lab.get("http://a.example/any", &[]).expect(200);
    assert_eq!(answer.text(), "{\"a;}\": \"\\\\n\"}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("X-Frame-Options"), "DENY");
    lab.get("http://a.example/closed", &[]).expect(403);
    assert_eq!(lab.get("http://a.example/slow", &[]).expect(308).header("location"), "/x");
    lab.get("http://a.example/slow", &[]).expect(429);
    let old = lab.get("http://a.example/old/17?q=1", &[]).expect(301);
    assert_eq!(old.header("location"), "https://b.example/new/old/17?q=1");
    lab.get("http://a.example/gone", &[]).expect(410);
}

#[test]
fn networks_can_be_exempt_from_a_limit() {
    let site = format!(
        "certificate = \"c\"\nrate_limit = {{ rate = \"1r/m\", burst = 1, exempt = [\"192.0.2.0/24\"] }}\n{FILES}"
    );
    let lab = booted("real_ip = { from = [\"127.0.0.1\"] }", &site);
    let friend = ["-H", "X-Forwarded-For: 192.0.2.4"];
    assert_eq!(lab.burst("a.example", "/", 20, &friend), [200; 20]);
    let other = ["-H", "X-Forwarded-For: 198.51.100.4"];
    let statuses = lab.burst("a.example", "/", 6, &other);
    assert_eq!(statuses, [200, 200, 429, 429, 429, 429]);
}

#[test]
fn a_dead_server_of_a_pool_is_passed_over() {
    let (alive, spare) = (upstream("alive"), upstream("spare"));
    let dead = crate::lab::free_port();
    let pool = format!(
        "[[site.a.routes]]\npath = \"/\"\nproxy = {{ to = [{{ upstream = \"p\" }}] }}\n\
         [[site.a.routes]]\npath = \"/cut/\"\nproxy = {{ to = [\"127.0.0.1:{alive}\"], strip_path = true, buffering = false }}\n\
         [upstream.p]\nservers = [\"127.0.0.1:{alive}\", {{ address = \"127.0.0.1:{dead}\", max_fails = 1, fail_timeout = \"10s\" }}, {{ address = \"127.0.0.1:{spare}\", backup = true }}]\n"
    );
    let lab = booted("", &pool);
    for _ in 0..8 {
        let text = lab.get("http://a.example/x", &[]).expect(200).text();
        assert!(text.starts_with("alive\n"), "{text}");
    }
    let text = lab.get("http://a.example/cut/x?y", &[]).expect(200).text();
    assert!(text.starts_with("alive\nGET /x?y HTTP/1.1"), "{text}");
    let only = format!(
        "[[site.a.routes]]\npath = \"/\"\nproxy = {{ to = [{{ upstream = \"p\" }}] }}\n\
         [upstream.p]\nactive = \"green\"\npools = {{ blue = [\"127.0.0.1:{alive}\"], green = [\"127.0.0.1:{spare}\"] }}\n"
    );
    let lab = booted("", &only);
    assert!(lab.get("http://a.example/", &[]).expect(200).text().starts_with("spare\n"));
}

#[test]
fn folders_stand_for_paths() {
    let lab = booted(
        "",
        "[[site.a.routes]]\npath = \"/docs/\"\nfiles = { root = \"/srv/www\", cache = \"1h\", immutable = [\"/docs/v/\"] }\n\
         [[site.a.routes]]\npath = \"/spa/\"\nfiles = { root = \"/srv/www\", spa = true }\n\
         [[site.a.routes]]\npath = \"/robots.txt\"\nexact = true\nfiles = { root = \"/srv/www/hello.txt\" }\n\
         [[site.a.routes]]\npath = \"/\"\nanswer = { status = 404 }\n",
    );
    lab.write("srv/www/v/a.js", "1");
    let answer = lab.get("http://a.example/docs/hello.txt", &[]).expect(200);
    assert_eq!(
        (answer.text().as_str(), answer.header("cache-control")),
        ("hello", "public, max-age=3600")
    );
    let kept = lab.get("http://a.example/docs/v/a.js", &[]).expect(200);
    assert!(kept.header("cache-control").ends_with("immutable"));
    assert_eq!(lab.get("http://a.example/docs/", &[]).expect(200).text(), "index");
    assert_eq!(lab.get("http://a.example/spa/any/where", &[]).expect(200).text(), "index");
    assert_eq!(lab.get("http://a.example/spa/hello.txt", &[]).expect(200).text(), "hello");
    assert_eq!(lab.get("http://a.example/robots.txt", &[]).expect(200).text(), "hello");
    lab.get("http://a.example/docs../errors/404.html", &[]).expect(404);
    lab.get("http://a.example/none", &[]).expect(404);
}

#[test]
fn one_client_cannot_take_all_connections() {
    let route = format!(
        "connection_limit = 1\n[[site.a.routes]]\npath = \"/\"\nproxy = {{ to = [\"127.0.0.1:{}\"] }}\n",
        upstream("app")
    );
    let lab = booted("", &route);
    lab.get("http://a.example/", &[]).expect(200);
    let mut first = std::net::TcpStream::connect(("127.0.0.1", lab.http)).unwrap();
    let head =
        b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    first.write_all(head).unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).unwrap();
    // The first request is in progress, and waits for its body.
    assert_eq!(&answer, b"HTTP/1.1 100");
    lab.get("http://a.example/", &[]).expect(429);
}

#[test]
fn snippets_and_headers_are_taken_as_written() {
    let lab = booted(
        "log_format = \"json\"",
        "csp = \"default-src 'none'; report-uri /r\"\nlog = \"combined\"\n\
         headers = { X-Team = \"a; \\\"b\\\" {c} \\\\d #e\", Permissions-Policy = false }\n\
         snippet = \"location = /snippet { return 200 \\\"$host;\\\"; }\"\n\
         [[site.a.routes]]\npath = \"/\"\nheaders = { x-team = \"route\" }\nanswer = { body = \"x\" }\n",
    );
    let answer = lab.get("http://a.example/", &[]).expect(200);
    assert_eq!(answer.header("X-Team"), "route");
    assert_eq!(answer.header("Permissions-Policy"), "");
    let snippet = lab.get("http://a.example/snippet", &[]).expect(200);
    assert_eq!(snippet.text(), "a.example;");
    assert_eq!(snippet.header("X-Team"), "a; \"b\" {c} \\d #e");
    assert!(lab.log("a.access.log").contains("\"GET / HTTP/1.1\" 200"));
}

#[test]
fn a_default_site_answers_everybody() {
    let lab = booted("", &format!("default = true\ncertificate = \"c\"\n{FILES}"));
    let answer = lab.get("http://whoever.example/x", &[]).expect(301);
    // Not to where the client says.
    assert_eq!(answer.header("location"), format!("https://a.example:{}/x", lab.https));
    let stranger = lab.get("https://a.example/", &["-H", "Host: anyone.example"]).expect(200);
    assert_eq!(stranger.text(), "index");
}
