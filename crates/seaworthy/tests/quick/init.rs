//! `init` on a made-up machine: what it finds, what it writes, and what it never does.

use std::{fs, os::unix::fs::symlink, path::Path};

use seaworthy::{
    Config, Outcome,
    core::{Context, ErrorKind},
    init::{InitPart, InitRequest, InitResult, init},
};

const MAIN: &str = "
events { worker_connections 64; }
http {
    include mime.types;
    upstream app { server 127.0.0.1:3000; server 127.0.0.1:3001; keepalive 8; }
    include /etc/nginx/sites-enabled/*;
}
";

const SHOP: &str = r#"
server { listen 80; server_name shop.example www.shop.example; return 301 https://$host$request_uri; }
server {
    listen 443 ssl;
    server_name shop.example www.shop.example;
    ssl_certificate /etc/letsencrypt/live/shop/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/shop/privkey.pem;
    root /srv/shop;
    location / { try_files $uri $uri/ /index.html; }
    location = /health { proxy_pass http://127.0.0.1:9000; }
    location /api/ {
        proxy_pass http://app;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Authorization "Bearer hunter2-in-nginx";
    }
    location /media { alias /data/media; }
    location /old/ { proxy_pass http://user:hunter2-in-url@10.0.0.9:80; }
    location ~ \.php$ { fastcgi_pass unix:/run/php.sock; }
}
server { listen 80; server_name _; return 444; }
"#;

const EVIL: &str =
    "server { listen 80; server_name \"evil.example\"; root '/srv/x\"]\n[backup.y]\\\\'; }\n";

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        machine
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn nginx(&self) {
        self.write("etc/nginx/nginx.conf", MAIN);
        self.write("etc/nginx/mime.types", "types { text/html html; }\n");
        self.write("etc/nginx/sites-enabled/shop", SHOP);
    }

    /// A program that listens on port 3000 of 127.0.0.1.
    fn program(&self) {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let line = "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1\n";
        self.write("proc/net/tcp", format!("{head}{line}"));
        self.write("proc/77/comm", "node\n");
        let command = "/usr/bin/node\0server.js\0--token=hunter2-in-option\0hunter2-behind\0";
        self.write("proc/77/cmdline", command);
        self.write("proc/77/environ", "DATABASE_URL=postgres://u:hunter2-in-environment@db/x\0");
        fs::create_dir_all(self.0.path().join("proc/77/fd")).unwrap();
        symlink("socket:[4242]", self.0.path().join("proc/77/fd/9")).unwrap();
        symlink(self.0.path().join("opt/app"), self.0.path().join("proc/77/cwd")).unwrap();
    }

    async fn init(&self, parts: &[InitPart]) -> InitResult {
        let mut request = InitRequest::new(self.0.path().join("made/seaworthy.toml"));
        request.root = self.0.path().to_owned();
        let reply = init(&request, &|_| Ok(parts.to_vec()), &Context::new()).await;
        assert_eq!(reply.outcome, Outcome::Done, "{:?}", reply.error);
        let result = reply.result.unwrap();
        assert_eq!(fs::read_to_string(&result.file).unwrap(), result.text);
        result
    }
}

fn config(result: &InitResult) -> Config {
    Config::from_text(&result.text, &result.file).unwrap()
}

#[tokio::test]
async fn an_empty_machine_gets_a_file_that_is_right() {
    let machine = Machine::new();
    let result = machine.init(&InitPart::ALL).await;
    let config = config(&result);
    assert_eq!((config.sink.len(), config.backup.len(), config.site.len()), (1, 0, 0));
    assert!(result.text.contains("# [backup.nightly]"), "{}", result.text);
    // Never a second time.
    let mut request = InitRequest::new(&result.file);
    request.root = machine.0.path().to_owned();
    let never = |_: &_| panic!("nothing is asked about a file that is there");
    let reply = init(&request, &never, &Context::new()).await;
    assert_eq!(reply.error.unwrap().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&result.file).unwrap(), result.text);
}

#[tokio::test]
async fn what_is_found_is_written_and_no_secret_is() {
    let machine = Machine::new();
    machine.nginx();
    machine.program();
    machine.write("opt/app/data/app.db", b"SQLite format 3\0 and more");
    machine.write("opt/app/node_modules/x/test.db", b"SQLite format 3\0 and more");
    machine.write("opt/app/.env", "TOKEN=hunter2-in-file\n");
    machine.write("opt/app/notes.db", "no database");
    machine.write("run/postgresql/.s.PGSQL.5432", "");
    let result = machine.init(&InitPart::ALL).await;
    assert!(!result.text.contains("hunter2"), "{}", result.text);
    let document = serde_json::to_string(&result).unwrap();
    assert!(!document.contains("hunter2"), "{document}");

    let config = config(&result);
    let job = config.backup.get("nightly").unwrap();
    assert_eq!(job.sources.names().map(|n| n.as_str()).collect::<Vec<_>>(), ["app"]);
    assert!(result.text.contains("PostgreSQL is there and did not tell"), "{}", result.text);

    let table: toml::Table = result.text.parse().unwrap();
    let site = &table["site"]["shop-example"];
    assert_eq!(site["hosts"].as_array().unwrap().len(), 2);
    let routes = site["routes"].as_array().unwrap();
    let brief: Vec<_> = routes
        .iter()
        .map(|route| {
            let what = if route.get("proxy").is_some() { "proxy" } else { "files" };
            format!("{} {what}", route["path"].as_str().unwrap())
        })
        .collect();
    assert_eq!(brief, ["/ files", "/health proxy", "/api/ proxy", "/media/ files"]);
    let web = config.web().unwrap();
    assert_eq!(web.sites.len(), 1);
    for words in [
        "files = { root = \"/srv/shop\", spa = true }",
        "exact = true",
        "proxy = { to = [\"127.0.0.1:3000\", \"127.0.0.1:3001\"], websocket = true }",
        "files = { root = \"/data/media\" }",
        "# By hand: line 17: location /old/ has special proxy settings",
        "# By hand: line 18: location ~ \\.php$ has no path of its own",
        "external = { chain = \"/etc/letsencrypt/live/shop/fullchain.pem\"",
        "# [service.node]\n# command = [\"/usr/bin/node\", \"server.js\"]           # and its options\n# port = 3000",
    ] {
        assert!(result.text.contains(words), "no {words:?} in {}", result.text);
    }
    // What is commented out is right as well, once the # is gone.
    let begin = result.text.find("# [service.node]").unwrap();
    let service: String = result.text[begin..]
        .lines()
        .map(|line| format!("{}\n", line.trim_start_matches("# ")))
        .collect();
    Config::from_text(&format!("{}\n{service}", result.text), Path::new("/x/seaworthy.toml"))
        .unwrap();
}

#[tokio::test]
async fn parts_can_be_left_out() {
    let machine = Machine::new();
    machine.nginx();
    machine.write("srv/app.db", b"SQLite format 3\0");
    let result = machine.init(&[InitPart::Databases]).await;
    let config = config(&result);
    assert_eq!((config.backup.len(), config.site.len()), (1, 0));
    assert!(!result.text.contains("shop.example"));
}

#[tokio::test]
async fn what_others_wrote_cannot_break_out() {
    let machine = Machine::new();
    machine.nginx();
    machine.write("etc/nginx/sites-enabled/evil", EVIL);
    machine.write("etc/nginx/sites-enabled/half", "server { server_name half.example;");
    let result = machine.init(&InitPart::ALL).await;
    let config = config(&result);
    assert_eq!(config.backup.len(), 0, "{}", result.text);
    // A file that cannot be read is said, and takes no other along.
    assert!(config.site.get("shop-example").is_some());
    assert!(result.text.contains("# Not looked at: nginx: /etc/nginx/sites-enabled/half"));
}

#[tokio::test]
async fn many_databases_have_names_of_their_own() {
    let machine = Machine::new();
    for place in ["srv/a/app.db", "srv/b/app.db", "opt/Ünï.db", "var/www/app.sqlite"] {
        machine.write(place, b"SQLite format 3\0");
    }
    let result = machine.init(&InitPart::ALL).await;
    let config = config(&result);
    let names: Vec<_> =
        config.backup.get("nightly").unwrap().sources.names().map(ToString::to_string).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.contains(&"app".to_owned()) && names.contains(&"app-2".to_owned()), "{names:?}");
}
