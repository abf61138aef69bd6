//! The example `flotteq`, booted in a real nginx: every promise of its configuration.

use std::fs;

use crate::{
    lab::{Lab, upstream},
    support::example,
};

const FRONTENDS: [&str; 4] = ["app", "partner", "driver", "admin"];

/// The example with an API behind it; `change` edits its text.
fn booted(change: impl Fn(String) -> String) -> Lab {
    let mut lab = Lab::new();
    for name in FRONTENDS {
        let file = |path: &str| format!("srv/flotteq/{name}/{path}");
        lab.write(&file("index.html"), format!("<h1>{name}</h1>"));
        lab.write(&file("assets/app-1f2e.js"), "console.log(1);".repeat(200));
        lab.write(&file(".env"), "secret");
        lab.write(&file("assets/.git/config"), "secret");
    }
    lab.write("srv/secret", "secret");
    let text = example("flotteq").replace("port = 3000", &format!("port = {}", upstream("api")));
    let web = lab.web(&change(text));
    lab.boot(&web);
    lab
}

fn plain() -> Lab {
    booted(|text| text)
}

#[test]
fn plain_http_leads_to_https_and_answers_challenges() {
    let lab = plain();
    for host in ["api", "app", "partner", "driver", "admin"] {
        let host = format!("{host}.flotteq.example");
        let answer = lab.get(&format!("http://{host}/a?b=c"), &[]).expect(301);
        assert_eq!(answer.header("location"), format!("https://{host}:{}/a?b=c", lab.https));
    }
    lab.write("acme/.well-known/acme-challenge/token", "proof");
    let url = "http://admin.flotteq.example/.well-known/acme-challenge/token";
    assert_eq!(lab.get(url, &[]).expect(200).text(), "proof");
}

#[test]
fn unknown_names_get_no_certificate_and_no_answer() {
    let lab = plain();
    lab.get("http://evil.example/", &[]).expect(421);
    let (made, said) = lab.handshake("evil.example", &[]);
    assert!(!made && said.contains("unrecognized name"), "{said}");
    // A known name in the handshake, another one in the request.
    lab.get("https://app.flotteq.example/", &["-H", "Host: evil.example"]).expect(421);
}

#[test]
fn every_answer_carries_every_header_once() {
    let lab = plain();
    let app = "https://app.flotteq.example";
    let api = "https://api.flotteq.example";
    for (url, status) in [
        (format!("{app}/"), 200),
        (format!("{app}/some/page"), 200),
        (format!("{app}/assets/app-1f2e.js"), 200),
        (format!("{app}/assets/none.js"), 404),
        (format!("{app}/.env"), 404),
        ("https://admin.flotteq.example/".to_owned(), 403),
        (format!("{api}/vehicles"), 200),
        (format!("{api}/missing"), 404),
        (format!("{api}/api/health"), 200),
    ] {
        let answer = lab.get(&url, &[]).expect(status);
        for (name, value) in [
            ("Strict-Transport-Security", "max-age=63072000"),
            ("X-Frame-Options", "DENY"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "strict-origin-when-cross-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{name} of {url}");
        }
        assert!(answer.header("Content-Security-Policy").starts_with("default-src"), "{url}");
        assert_eq!(answer.header("Server"), "nginx", "{url}");
        assert_eq!(answer.header("X-Powered-By"), "", "{url}");
    }
    let driver = lab.get("https://driver.flotteq.example/", &[]);
    assert!(driver.header("Permissions-Policy").starts_with("camera=(self)"));
}

#[test]
fn the_api_is_limited_and_its_health_is_not() {
    let lab = plain();
    let count = |statuses: &[u16], code| statuses.iter().filter(|s| **s == code).count();
    let statuses = lab.burst("api.flotteq.example", "/vehicles", 100, &[]);
    let (good, limited) = (count(&statuses, 200), count(&statuses, 429));
    assert_eq!(good + limited, 100, "{statuses:?}");
    assert!(good >= 21 && limited > 0, "{good} good, {limited} limited");
    // The limit of the API is used up: health still responds.
    assert_eq!(count(&lab.burst("api.flotteq.example", "/api/health", 60, &[]), 200), 60);
    let statuses = lab.burst("partner.flotteq.example", "/", 200, &[]);
    assert!(count(&statuses, 200) >= 41 && count(&statuses, 429) > 0, "{statuses:?}");
}

#[test]
fn websockets_pass_both_ways() {
    let lab = plain();
    let mut tls = lab.tls("api.flotteq.example");
    tls.send(
        b"GET /live HTTP/1.1\r\nHost: api.flotteq.example\r\nUpgrade: websocket\r\n\
          Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
          Sec-WebSocket-Version: 13\r\n\r\n",
    );
    assert!(tls.head().starts_with("HTTP/1.1 101 "));
    for message in [&b"\x81\x05hello"[..], b"\x82\x03\x00\xff\n"] {
        tls.send(message);
        assert_eq!(tls.receive(message.len()), message);
    }
}

#[test]
fn the_server_behind_learns_who_asks_and_not_what_the_client_claims() {
    let lab = plain();
    let claims = ["-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Real-IP: 6.6.6.6"];
    let text = lab.get("https://api.flotteq.example/x", &claims).expect(200).text().to_lowercase();
    for line in [
        "x-forwarded-for: 127.0.0.1\r\n",
        "x-real-ip: 127.0.0.1\r\n",
        "x-forwarded-proto: https\r\n",
        "host: api.flotteq.example\r\n",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    assert!(!text.contains("6.6.6.6"), "{text}");
}

#[test]
fn applications_know_their_own_paths_and_assets_stay_for_a_year() {
    let lab = plain();
    for name in ["app", "partner", "driver"] {
        let site = format!("https://{name}.flotteq.example");
        for path in ["/", "/index.html", "/orders/17", "/deep/er/page.html"] {
            let answer = lab.get(&format!("{site}{path}"), &[]).expect(200);
            assert_eq!(answer.text(), format!("<h1>{name}</h1>"));
            assert_eq!(answer.header("cache-control"), "no-cache");
            assert_eq!(answer.header("content-type"), "text/html");
        }
        let asset = lab.get(&format!("{site}/assets/app-1f2e.js"), &[]).expect(200);
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(asset.header("content-type"), "application/javascript");
        let gone = lab.get(&format!("{site}/assets/gone.js"), &[]).expect(404);
        assert_eq!(gone.header("cache-control"), "");
    }
}

#[test]
fn hidden_files_and_ways_out_lead_nowhere() {
    let lab = plain();
    for path in [
        "/.env",
        "/assets/.git/config",
        "/%2eenv",
        "/../../secret",
        "/assets/../../../secret",
        "/assets/..%2f..%2f..%2fsecret",
        "/assets../app-1f2e.js",
        "//etc/passwd",
        "/assets/%00",
    ] {
        let answer = lab.get(&format!("https://app.flotteq.example{path}"), &[]);
        assert!(!answer.text().contains("secret") && !answer.text().contains("root:"), "{path}");
        let fallback = answer.status == 200 && answer.text() == "<h1>app</h1>";
        assert!(fallback || [400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    lab.get("https://app.flotteq.example/.env", &[]).expect(404);
}

#[test]
fn answers_are_compressed() {
    let lab = plain();
    let accept = ["-H", "Accept-Encoding: gzip"];
    let big = lab.get("https://api.flotteq.example/big", &accept).expect(200);
    assert_eq!(big.header("content-encoding"), "gzip");
    assert_eq!(big.header("vary"), "Accept-Encoding");
    assert!(big.body.len() < 2_000, "{}", big.body.len());
    let asset = "https://app.flotteq.example/assets/app-1f2e.js";
    assert_eq!(lab.get(asset, &accept).header("content-encoding"), "gzip");
    assert_eq!(lab.get(asset, &[]).header("content-encoding"), "");
    // What was compressed before is sent as it is.
    lab.write("srv/flotteq/driver/assets/app-1f2e.js.gz", "before");
    let before = lab.get("https://driver.flotteq.example/assets/app-1f2e.js", &accept);
    assert_eq!(before.text(), "before");
}

#[test]
fn bodies_have_a_limit() {
    let lab = plain();
    let ask = |length: usize| {
        let mut tls = lab.tls("api.flotteq.example");
        let head = format!(
            "POST /upload HTTP/1.1\r\nHost: api.flotteq.example\r\nContent-Length: {length}\r\n\
             Expect: 100-continue\r\n\r\n"
        );
        tls.send(head.as_bytes());
        tls.head()
    };
    assert!(ask((25 << 20) + 1).starts_with("HTTP/1.1 413 "));
    assert!(ask(25 << 20).starts_with("HTTP/1.1 100 "));
}

#[test]
fn the_admin_site_is_for_its_networks_alone() {
    let lab = plain();
    let admin = "https://admin.flotteq.example/";
    lab.get(admin, &[]).expect(403);
    // Nobody's word is taken.
    lab.get(admin, &["-H", "X-Forwarded-For: 203.0.113.9"]).expect(403);
    let trusting = booted(|text| {
        text.replacen("[proxy]\n", "[proxy]\nreal_ip = { from = [\"127.0.0.1\"] }\n", 1)
    });
    for (address, status) in
        [("203.0.113.9", 200), ("203.0.114.9", 403), ("2001:db8::7", 200), ("2001:db9::7", 403)]
    {
        let header = format!("X-Forwarded-For: {address}");
        trusting.get(admin, &["-H", &header]).expect(status);
    }
    let open = booted(|text| text.replace("allow = [\"203.0.113.0/24\", \"2001:db8::/32\"]\n", ""));
    open.get(admin, &[]).expect(200);
}

#[test]
fn an_ipv6_network_shares_one_limit() {
    let lab = booted(|text| {
        text.replacen("[proxy]\n", "[proxy]\nreal_ip = { from = [\"127.0.0.1\"] }\n", 1)
            .replace("rate = \"10r/s\", burst = 20", "rate = \"1r/m\", burst = 1")
    });
    let ask = |address: &str| {
        let header = format!("X-Forwarded-For: {address}");
        lab.burst("api.flotteq.example", "/x", 2, &["-H", &header])
    };
    assert_eq!(ask("2001:db8:1:2::1"), [200; 2]);
    assert_eq!(ask("2001:db8:1:2:ffff::9"), [429; 2], "the same /64");
    assert_eq!(ask("2001:db8:1:3::1"), [200; 2], "another /64");
    assert_eq!(ask("192.0.2.1"), [200; 2], "an IPv4 address");
    assert_eq!(ask("192.0.2.2"), [200; 2], "another IPv4 address");
}

#[test]
fn http_2_is_spoken() {
    let lab = plain();
    let answer = lab.get("https://app.flotteq.example/", &["--http2"]).expect(200);
    assert!(answer.head.starts_with("HTTP/2 200"), "{}", answer.head);
}

#[test]
fn tls_1_2_and_1_3_are_offered_with_good_ciphers_alone() {
    let lab = plain();
    for (arguments, made, protocol) in [
        (&["-tls1_2"][..], true, "TLSv1.2"),
        (&["-tls1_3"], true, "TLSv1.3"),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], false, ""),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], false, ""),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], false, ""),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], true, "TLSv1.2"),
    ] {
        let (was, said) = lab.handshake("app.flotteq.example", arguments);
        assert_eq!(was, made, "{arguments:?}: {said}");
        assert!(said.contains(protocol), "{arguments:?}: {said}");
    }
    let modern = booted(|text| text.replace("tls = \"intermediate\"", "tls = \"modern\""));
    assert!(!modern.handshake("app.flotteq.example", &["-tls1_2"]).0);
    assert!(modern.handshake("app.flotteq.example", &["-tls1_3"]).0);
}

#[test]
fn each_site_has_its_own_logs_in_json() {
    let lab = plain();
    lab.get("https://app.flotteq.example/page?q=%22", &["-A", "agent \"7\""]).expect(200);
    lab.get("https://partner.flotteq.example/other", &[]).expect(200);
    let line = lab.log("app.access.log");
    let entry: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
    assert_eq!(entry["uri"], "/page?q=%22");
    assert_eq!(entry["status"], 200);
    assert_eq!(entry["user_agent"], "agent \"7\"");
    assert!(lab.log("partner.access.log").contains("/other"));
    assert!(!line.contains("/other"));
    let rotate = fs::read_to_string(lab.path("etc/seaworthy/current/logrotate")).unwrap();
    assert!(rotate.contains(&format!("{}/logs/*.log", lab.root().display())), "{rotate}");
}

#[test]
fn no_ocsp_answer_is_stapled() {
    let lab = plain();
    let (made, said) = lab.handshake("app.flotteq.example", &["-status"]);
    assert!(made && said.contains("OCSP response: no response sent"), "{said}");
}

#[test]
fn there_is_a_worker_for_each_processor() {
    let lab = plain();
    lab.get("https://app.flotteq.example/", &[]).expect(200);
    let main = fs::read_to_string(lab.path("nginx.pid")).unwrap();
    let children = format!("/proc/{0}/task/{0}/children", main.trim());
    let workers = fs::read_to_string(children).unwrap().split_whitespace().count();
    // nginx counts those of the machine, whatever this process may use.
    let processors = crate::lab::run("getconf", &["_NPROCESSORS_ONLN"]).stdout;
    assert_eq!(workers.to_string(), String::from_utf8(processors).unwrap().trim());
}

#[test]
fn each_kind_of_site_counts_by_itself() {
    // The API's 10 a second are used up; the frontends have 20 of their own.
    let lab = plain();
    assert!(lab.burst("api.flotteq.example", "/x", 80, &[]).contains(&429));
    assert_eq!(lab.burst("driver.flotteq.example", "/", 30, &[]), [200; 30]);
    let shared = fs::read_to_string(lab.path("etc/seaworthy/current/conf.d/50-site-api.conf"))
        .unwrap()
        + &fs::read_to_string(lab.path("etc/seaworthy/current/conf.d/50-site-driver.conf"))
            .unwrap();
    assert!(shared.contains("rate=10r/s;") && shared.contains("rate=20r/s;"), "{shared}");
}
