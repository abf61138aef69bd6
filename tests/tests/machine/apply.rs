//! `apply` on an empty server: everything up, nothing to do the second time, taken back when it fails.

use seaworthy_tests::server::{Init, Server};

const FILE: &str = r#"
[proxy]
type = "nginx"
own_root = true
acme_webroot = "/var/www/acme"
[site.app]
hosts = ["app.example"]
certificate = "app"
[[site.app.routes]]
path = "/"
proxy = { to = [{ service = "api" }] }
[ca.own]
type = "local"
[certificate.app]
names = ["app.example"]
ca = ["own"]
deploy = [["systemctl", "reload", "nginx"]]
[service.api]
command = ["/usr/bin/node", "server.js"]
directory = "/opt/api"
port = 3000
health = "/"
start_timeout = "20s"
writable = ["/opt/api/data"]
"#;

const PROGRAM: &str = "require('node:http').createServer((_, r) => r.end('here I am\\n'))\
     .listen(Number(process.env.PORT), '127.0.0.1');\n";

fn server() -> Server {
    let mut server = Server::start(Init::Shell);
    server.ok("mv /etc/nginx/nginx.conf /etc/nginx/nginx.conf.package");
    server.write("/etc/seaworthy/seaworthy.toml", FILE);
    server.write("/opt/api/server.js", PROGRAM);
    server.ok("echo 127.0.0.1 app.example >> /etc/hosts");
    server
}

const CURL: &str = "curl -sS --max-time 20 --cacert /etc/seaworthy/tls/ca/own/root.pem \
     --resolve app.example:443:127.0.0.1 https://app.example/";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn states(document: &serde_json::Value) -> Vec<String> {
    let steps = document["result"]["steps"].as_array().unwrap();
    let word = |step: &serde_json::Value, key| step[key].as_str().unwrap().to_owned();
    steps.iter().map(|step| format!("{} {}", word(step, "kind"), word(step, "state"))).collect()
}

/// Everything that `apply` could touch.
const TREE: &str = "{ find /etc/nginx /etc/systemd /etc/seaworthy /etc/cron.d /opt /srv /var/www \
     /var/lib/seaworthy \\( -name lock -o -name .lock \\) -prune -o -printf '%p %y %m %l.\\n' \
     2>/dev/null || true; } | sort";

#[test]
fn one_command_brings_everything_up() {
    let mut server = server();
    let before = server.ok(TREE);
    let planned = server.ok("seaworthy apply --dry-run");
    for words in [
        "added    /var/www/acme",
        "added    /etc/seaworthy/tls/live/app",
        "added    /etc/nginx/seaworthy/current/conf.d/50-site-app.conf",
        "    +    server_name app.example;",
        "runs     /usr/sbin/nginx -t -c /etc/nginx/nginx.conf",
        "runs     systemctl reload nginx",
        "added    /etc/systemd/seaworthy/current/seaworthy-api.service",
        "runs     systemctl daemon-reload",
        "runs     systemctl restart seaworthy.timer",
        "runs     systemctl start seaworthy-api.service",
        "this was a dry run",
    ] {
        assert!(planned.contains(words), "no {words:?} in {planned}");
    }
    assert_eq!(server.ok(TREE), before, "a dry run changes nothing");

    let done = server.ok("seaworthy apply --json");
    let all = [
        "folders changed",
        "stand_ins changed",
        "proxy changed",
        "certificates changed",
        "services changed",
    ];
    assert_eq!(states(&json(&done)), all, "{done}");
    assert_eq!(server.ok(CURL).trim(), "here I am");
    server.ok("seaworthy cert check app && test ! -e /etc/seaworthy/tls/stand-ins/app");

    let (code, again) = server.sh("seaworthy apply --detailed-exit-code");
    assert_eq!(code, 4, "{again}");
    assert_eq!(again.matches("nothing to do").count(), 5, "{again}");
    let planned = server.ok("seaworthy apply --dry-run");
    assert!(planned.contains("nothing would change"), "{planned}");

    // nginx was stopped: what is not served is no longer as the file says.
    server.ok("nginx -s quit; while test -e /run/nginx.pid; do :; done");
    let done = server.ok("seaworthy apply --json");
    assert!(states(&json(&done)).contains(&"proxy changed".to_owned()), "{done}");
    assert_eq!(server.ok(CURL).trim(), "here I am");
}

/// Six clients that ask over TLS until the file `stop` is there, and say how they fared.
const CLIENTS: &str = r#"
import http.client, os, ssl, threading
context = ssl.create_default_context(cafile="/etc/seaworthy/tls/ca/own/root.pem")
asked, lost = [0] * 6, []
def client(n):
    while not os.path.exists("stop"):
        asked[n] += 1
        try:
            connection = http.client.HTTPSConnection("app.example", timeout=20, context=context)
            connection.request("GET", "/")
            answer = connection.getresponse()
            if (answer.status, answer.read()) != (200, b"here I am\n"):
                lost.append(answer.status)
            connection.close()
        except Exception as error:
            lost.append(repr(error))
        if n == 0 and asked[0] == 20:
            open("going", "w").close()
threads = [threading.Thread(target=client, args=(n,)) for n in range(6)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sum(asked), len(lost), lost[:1])
"#;

/// Ends what it has begun.
const PATIENT: &str = r#"
const server = require("node:http").createServer((_, response) => {
  if (closing) response.shouldKeepAlive = false;
  setTimeout(() => response.end("here I am\n"), 3);
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.env.PORT), "127.0.0.1");
let closing = false;
process.on("SIGTERM", () => {
  closing = true;
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
"#;

/// A site's `{ service = "api" }` knows all instances: while each is restarted the others answer.
#[test]
fn a_rolling_restart_behind_a_site_loses_no_request() {
    let mut server = server();
    server.write("/opt/api/server.js", PATIENT);
    let file = FILE.replace("port = 3000", "port = 3000\ninstances = 3\nstop_timeout = \"10s\"");
    server.write("/etc/seaworthy/seaworthy.toml", &file);
    server.ok("seaworthy apply");
    let processes = "seaworthy service status api --json | grep '\"process\"' | sort";
    let before = server.ok(processes);
    assert_eq!(before.lines().filter(|line| line.contains("process")).count(), 3, "{before}");
    server.write("/root/clients.py", CLIENTS);
    let said = server.ok("python3 clients.py > fared 2>&1 & while ! test -e going; do :; done\n\
         seaworthy service restart api\ntouch stop\nwait\ncat fared");
    let fared = said.trim().lines().last().unwrap().to_owned();
    println!("{fared}");
    let mut words = fared.split(' ');
    let asked: usize = words.next().unwrap().parse().unwrap();
    assert!(asked > 100 && words.next() == Some("0"), "{said}");
    let after = server.ok(processes);
    assert!(
        before.lines().all(|line| line.is_empty() || !after.contains(line)),
        "{before} {after}"
    );
}

#[test]
fn what_fails_leaves_what_was_there() {
    let mut server = server();
    // The service never becomes well.
    server.write("/opt/api/server.js", "process.exit(1);\n");
    server.ok(
        "sed -i 's/\"20s\"/\"2s\"/' /etc/seaworthy/seaworthy.toml; mkdir -p /var/lib/seaworthy",
    );
    let before = server.ok(TREE);
    let (code, said) = server.sh("seaworthy apply --json 2>/dev/null");
    assert_eq!(code, 1, "{said}");
    let document = json(&said);
    let states = states(&document);
    assert!(states.contains(&"services failed".to_owned()), "{states:?}");
    assert!(states.contains(&"proxy undone".to_owned()), "{states:?}");
    server.ok("test ! -e /etc/nginx/nginx.conf && test ! -e /var/www/acme");
    // What was started for it ends.
    server.ok("while test -e /run/nginx.pid; do :; done");
    // A certificate that was issued stays: authorities count them.
    let kept = "grep -v -e /etc/seaworthy/tls -e /var/lib/seaworthy/ -e '^/etc/nginx/seaworthy' -e '^/etc/systemd'";
    let after = server.ok(&format!("{TREE} | {kept}"));
    let expected = server.ok(&format!("{kept} <<'E'\n{}\nE", before.trim_end()));
    assert_eq!(after, expected);
    server.ok("test ! -e /etc/nginx/seaworthy/current && test ! -e /etc/systemd/seaworthy/current");

    // Up, and then a change that fails: the old state is served on.
    server.write("/opt/api/server.js", PROGRAM);
    server.ok("seaworthy apply");
    let live = server.ok("readlink /etc/nginx/seaworthy/current /etc/systemd/seaworthy/current");
    server.write(
        "/etc/seaworthy/seaworthy.toml",
        &FILE
            .replace("20s", "2s")
            .replace(
                "health = \"/\"",
                "health = \"/\"\nenvironment = { NODE_OPTIONS = \"--no-such-option\" }",
            )
            .replace("[[site.app.routes]]", "max_body = \"7MiB\"\n[[site.app.routes]]"),
    );
    let (code, said) = server.sh("seaworthy apply");
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("web server: rolled back") && said.contains("services: FAILED"),
        "{said}"
    );
    assert_eq!(
        server.ok("readlink /etc/nginx/seaworthy/current /etc/systemd/seaworthy/current"),
        live
    );
    assert_eq!(server.ok(CURL).trim(), "here I am");
}

#[test]
fn a_placeholder_is_served_until_the_authority_answers() {
    let mut server = server();
    // Nobody listens there.
    let acme = "type = \"acme\"\ndirectory = \"https://127.0.0.1:14000/dir\"\nagree_tos = true";
    let challenge =
        "ca = [\"own\"]\nchallenge = { type = \"http-01\", webroot = \"/var/www/acme\" }";
    let file = FILE.replace("type = \"local\"", acme).replace("ca = [\"own\"]", challenge);
    server.write("/etc/seaworthy/seaworthy.toml", &file);
    let (code, said) = server.sh("seaworthy apply");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("certificates: FAILED") && said.contains("services: done"), "{said}");
    // Visitors get an answer, and nobody takes the placeholder for a certificate.
    let insecure = CURL.replace("--cacert /etc/seaworthy/tls/ca/own/root.pem", "-k");
    assert_eq!(server.ok(&insecure).trim(), "here I am");
    assert!(server.ok("seaworthy cert list").contains("app: not issued yet"));
    let (code, checked) = server.sh("seaworthy cert check app");
    assert!(code == 1 && checked.contains("only a placeholder is there"), "{checked}");
    // Renewing tries again, later; a person may ask at once.
    let planned = json(&server.ok("seaworthy cert show app --json"));
    assert_eq!(planned["result"]["certificates"][0]["not_after"], serde_json::Value::Null);
    // Another authority answers: the real one takes its place.
    server.write("/etc/seaworthy/seaworthy.toml", FILE);
    server.ok("seaworthy apply");
    assert_eq!(server.ok(CURL).trim(), "here I am");
    server.ok("seaworthy cert check app");
    // One that is issued and not deployed has an exit code of its own.
    let file = FILE
        .replace("names = [\"app.example\"]", "names = [\"app.example\", \"www.app.example\"]")
        .replace("[[\"systemctl\", \"reload\", \"nginx\"]]", "[[\"false\"]]");
    server.write("/etc/seaworthy/seaworthy.toml", &file);
    let (code, said) = server.sh("seaworthy apply");
    assert_eq!(code, 5, "{said}");
    assert_eq!(server.ok(CURL).trim(), "here I am");
}

/// Where there is no systemd, cron calls what is due.
#[test]
fn without_systemd_cron_gets_the_timer() {
    let mut server = Server::start(Init::Shell);
    server.write(
        "/etc/seaworthy/seaworthy.toml",
        "[sink.local]\ntype = \"local\"\npath = \"/var/backups/a\"\n[backup.nightly]\nsinks = [\"local\"]\n\
         schedule = \"30 2 * * *\"\nsources.etc = { type = \"files\", paths = [\"/etc/seaworthy\"] }\n",
    );
    server.ok("rm /usr/local/bin/systemctl");
    server.ok("seaworthy apply --type cron");
    let line = server.ok("grep -v '^#' /etc/cron.d/seaworthy | grep root");
    let (fields, command) = line.trim().split_once(" root ").unwrap();
    assert_eq!(fields, "0,5,10,15,20,25,30,35,40,45,50,55 * * * *");
    // As cron runs it.
    let said = server.ok(&format!("env -i PATH=/usr/bin:/bin /bin/sh -c \"{command}\""));
    assert!(said.contains("nightly@"), "{said}");
    assert_eq!(server.sh("seaworthy apply --type cron --detailed-exit-code").0, 4);
}
