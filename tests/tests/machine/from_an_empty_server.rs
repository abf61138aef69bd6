//! The guide's "From an empty server", walked through: its commands, the examples' files, sites over
//! TLS from an authority of the server's own.

use std::{fs, path::PathBuf};

use seaworthy_tests::server::{Init, Server};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The file of an example, with an authority of the server's own.
fn example(name: &str) -> String {
    let path = repository().join("examples").join(name).join("seaworthy.toml");
    let text = fs::read_to_string(path).unwrap();
    let begin = text.find("[ca.letsencrypt]").unwrap();
    let end = begin + text[begin..].find("\n\n").unwrap();
    format!("{}[ca.letsencrypt]\ntype = \"local\"{}", &text[..begin], &text[end..])
}

/// The commands of the guide's page, in order.
fn commands() -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/from-an-empty-server.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// Names of the examples lead here.
const HOSTS: &str = "for name in api app partner driver admin; do \
     echo 127.0.0.1 $name.flotteq.example; done >> /etc/hosts; echo 127.0.0.1 gw2.example >> /etc/hosts";

const CURL: &str = "curl -sS --max-time 20 --cacert /etc/seaworthy/tls/ca/letsencrypt/root.pem";

#[test]
fn flotteq_from_the_guide() {
    let mut server = Server::start(Init::Shell);
    server.ok(HOSTS);
    server.write("/root/flotteq.toml", &example("flotteq"));
    server.write("/root/flotteq.env", "DATABASE_URL=postgres://flotteq@localhost/flotteq\n");
    server.write("/root/seaworthy.env", "DATABASE_URL=postgres://flotteq@localhost/flotteq\n");
    // The four applications, and a release of the API.
    for site in ["app", "partner", "driver", "admin"] {
        server.write(&format!("/srv/flotteq/{site}/index.html"), &format!("the {site} page"));
        server.write(&format!("/srv/flotteq/{site}/assets/a.1.js"), "let a;");
    }
    server.write(
        "/root/release/backend/dist/main.js",
        "require('node:http').createServer((q, r) => { r.statusCode = q.url === '/api/health' ? 200 : 404; \
         r.end('well\\n'); }).listen(Number(process.env.PORT), '127.0.0.1');\n",
    );
    let package = r#"{"name":"api","version":"1.0.0","scripts":{"migrate":"true"}}"#;
    server.write("/root/release/backend/package.json", package);
    let lock = r#"{"name":"api","version":"1.0.0","lockfileVersion":3,"requires":true,
        "packages":{"":{"name":"api","version":"1.0.0"}}}"#;
    server.write("/root/release/backend/package-lock.json", lock);
    let mut said = String::new();
    for block in commands() {
        said.push_str(&server.ok(&block));
    }
    assert!(said.contains("well"), "{said}");
    assert!(
        said.contains("added    /etc/nginx/seaworthy/current/conf.d/50-site-api.conf"),
        "{said}"
    );

    for site in ["app", "partner", "driver"] {
        let page = server.ok(&format!("{CURL} https://{site}.flotteq.example/any/route"));
        assert_eq!(page.trim(), format!("the {site} page"));
    }
    // Only from the office.
    let code = "-o /dev/null -w '%{http_code}'";
    assert_eq!(server.ok(&format!("{CURL} {code} https://admin.flotteq.example/")).trim(), "403");
    let head = server.ok(&format!("{CURL} -I https://app.flotteq.example/assets/a.1.js"));
    assert!(head.to_lowercase().contains("immutable"), "{head}");
    let redirect =
        server.ok("curl -sS -o /dev/null -w '%{redirect_url}' http://app.flotteq.example/x");
    assert_eq!(redirect.trim(), "https://app.flotteq.example/x");
    let (code, again) = server.sh("seaworthy apply --detailed-exit-code");
    assert_eq!(code, 4, "{again}");
}

#[test]
fn gw2_beside_the_packages_own_tree() {
    let mut server = Server::start(Init::Shell);
    server.ok(HOSTS);
    server.ok("adduser --system --group --quiet gw2");
    server.ok(
        "sed -i 's|^http {|&\\n    include /etc/nginx/seaworthy/current/conf.d/*.conf;|' /etc/nginx/nginx.conf\n\
         rm /etc/nginx/sites-enabled/default",
    );
    server.write("/etc/seaworthy/seaworthy.toml", &example("gw2"));
    server.write("/etc/gw2/env", "GW2_ENV=production\n");
    server.write("/srv/gw2/dist/index.html", "builds");
    let planned = server.ok("seaworthy apply --dry-run");
    assert!(planned.contains("runs     /usr/sbin/nginx -c /etc/nginx/nginx.conf"), "{planned}");
    server.ok("seaworthy apply");
    // A wheel that brings a program of uvicorn's name, for a machine without a network.
    server.write("/root/wheel.py", WHEEL);
    server.ok("mkdir -p release/backend/vendor && python3 wheel.py release/backend/vendor");
    server.write(
        "/root/release/backend/requirements.txt",
        "./vendor/uvicorn-0.0.1-py3-none-any.whl\n",
    );
    server.ok("seaworthy deploy gw2 --from release");
    assert_eq!(server.ok(&format!("{CURL} https://gw2.example/")).trim(), "builds");
    assert_eq!(server.ok(&format!("{CURL} https://gw2.example/health")).trim(), "/health");
    assert_eq!(server.ok(&format!("{CURL} https://gw2.example/api/x")).trim(), "/api/x");
    // The week's backup of the database, and its restore.
    server.ok(
        "mkdir -p /opt/gw2/data; python3 -c \"import sqlite3; c = sqlite3.connect('/opt/gw2/data/gw2.db'); \
         c.execute('create table builds (name)'); c.execute('insert into builds values (1)'); c.commit()\"",
    );
    let run = server.ok("seaworthy run");
    assert!(run.contains("backup") && run.contains("1 database"), "{run}");
    assert!(server.ok("seaworthy run").starts_with("nothing is due"));
    let (code, again) = server.sh("seaworthy apply --detailed-exit-code");
    assert_eq!(code, 4, "{again}");
}

const WHEEL: &str = r#"
import sys, zipfile
MODULE = '''
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.path + "\\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
def main():
    word = lambda name: sys.argv[sys.argv.index(name) + 1]
    http.server.ThreadingHTTPServer((word("--host"), int(word("--port"))), Answer).serve_forever()
'''
info = "uvicorn-0.0.1.dist-info/"
with zipfile.ZipFile(sys.argv[1] + "/uvicorn-0.0.1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("uvicorn.py", MODULE)
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: uvicorn\nVersion: 0.0.1\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\nuvicorn = uvicorn:main\n")
    wheel.writestr(info + "RECORD", "".join(f"{name},,\n" for name in
        ["uvicorn.py", info + "METADATA", info + "WHEEL", info + "entry_points.txt", info + "RECORD"]))
"#;
