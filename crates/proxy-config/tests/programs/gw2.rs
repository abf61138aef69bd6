//! The example `gw2`, booted in a real nginx next to a configuration that is not ours.

use crate::{
    lab::{Lab, upstream},
    support::example,
};

fn booted() -> Lab {
    let mut lab = Lab::new();
    lab.write("srv/gw2/dist/index.html", "<h1>builds</h1>");
    lab.write("srv/gw2/dist/assets/app-77.css", "a { color: red }".repeat(100));
    let behind = format!("127.0.0.1:{}", upstream("uvicorn"));
    let web = lab.web(&example("gw2").replace("127.0.0.1:8000", &behind));
    assert!(!web.proxy.own_root);
    lab.boot(&web);
    lab
}

#[test]
fn each_path_reaches_its_place() {
    let lab = booted();
    let site = "https://gw2.example";
    for path in ["/", "/builder/17"] {
        assert_eq!(lab.get(&format!("{site}{path}"), &[]).expect(200).text(), "<h1>builds</h1>");
    }
    for path in ["/api/builds?x=1", "/docs", "/docs/oauth2-redirect", "/openapi.json", "/health"] {
        let text = lab.get(&format!("{site}{path}"), &[]).expect(200).text();
        assert!(text.starts_with(&format!("uvicorn\nGET {path} HTTP/1.1\r\n")), "{text}");
    }
    let plain = lab.get("http://gw2.example/x", &[]).expect(301);
    assert_eq!(plain.header("location"), format!("https://gw2.example:{}/x", lab.https));
}

#[test]
fn headers_are_those_of_the_list() {
    let lab = booted();
    for (path, status) in
        [("/", 200), ("/assets/app-77.css", 200), ("/assets/none", 404), ("/api/missing", 404)]
    {
        let answer = lab.get(&format!("https://gw2.example{path}"), &[]).expect(status);
        assert_eq!(answer.header("Strict-Transport-Security"), "max-age=31536000", "{path}");
        assert_eq!(answer.header("X-Frame-Options"), "SAMEORIGIN", "{path}");
        assert_eq!(answer.header("X-Content-Type-Options"), "nosniff", "{path}");
        assert_eq!(answer.header("Referrer-Policy"), "strict-origin-when-cross-origin", "{path}");
    }
    let docs = lab.get("https://gw2.example/docs", &[]);
    assert!(docs.header("Content-Security-Policy").contains("cdn.jsdelivr.net"));
}

#[test]
fn files_are_kept_for_a_year_and_compressed() {
    let lab = booted();
    let accept = ["-H", "Accept-Encoding: gzip"];
    let asset = lab.get("https://gw2.example/assets/app-77.css", &accept).expect(200);
    assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(asset.header("content-encoding"), "gzip");
}

#[test]
fn websockets_pass_below_api() {
    let lab = booted();
    let mut tls = lab.tls("gw2.example");
    tls.send(
        b"GET /api/ws HTTP/1.1\r\nHost: gw2.example\r\nUpgrade: websocket\r\n\
          Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    assert!(tls.head().starts_with("HTTP/1.1 101 "));
    tls.send(b"ping");
    assert_eq!(tls.receive(4), b"ping");
}

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let lab = booted();
    assert!(lab.handshake("gw2.example", &["-tls1_2"]).0);
    assert!(lab.handshake("gw2.example", &["-tls1_3"]).0);
    assert!(!lab.handshake("gw2.example", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]).0);
}

#[test]
fn requests_are_logged_by_site() {
    let lab = booted();
    lab.get("https://gw2.example/page", &[]).expect(200);
    assert!(lab.log("gw2.access.log").contains("\"GET /page HTTP/1.1\" 200 "));
}
