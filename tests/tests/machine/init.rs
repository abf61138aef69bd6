//! `init` on a server that already serves: a real nginx, real programs, a terminal.

use seaworthy_tests::server::{Init, Server};

const SITE: &str = r#"server {
    listen 80;
    server_name shop.example;
    root /srv/shop;
    location / { try_files $uri /index.html; }
    location /api/ { proxy_pass http://127.0.0.1:3000; proxy_set_header X-Key hunter2-in-nginx; }
}
"#;

/// nginx, a program with a secret among its options, and a database.
fn server() -> Server {
    let mut server = Server::start(Init::Shell);
    server.write("/etc/nginx/sites-enabled/shop", SITE);
    server.write("/srv/shop/index.html", "a shop");
    server.write(
        "/opt/api/server.js",
        "require('node:http').createServer().listen(3000, '127.0.0.1');\n",
    );
    server.ok(
        "nginx\ncd /opt/api\nnode server.js --key=hunter2-in-option &\n\
         python3 -c \"import sqlite3; c = sqlite3.connect('/opt/api/api.db'); c.execute('create table a (b)')\"\n\
         while ! ss -ltn | grep -q 127.0.0.1:3000; do :; done",
    );
    server
}

#[test]
fn what_serves_is_found_and_the_file_is_right() {
    let mut server = server();
    let said = server.ok("seaworthy init --yes");
    assert!(said.contains("wrote /etc/seaworthy/seaworthy.toml"), "{said}");
    let text = server.ok("cat /etc/seaworthy/seaworthy.toml");
    for words in [
        "hosts = [\"shop.example\"]",
        "files = { root = \"/srv/shop\", spa = true }",
        "proxy = { to = [\"127.0.0.1:3000\"] }",
        "type = \"sqlite\"\npath = \"/opt/api/api.db\"",
        "# [service.node]\n# command = [\"node\", \"server.js\"]           # and its options\n# port = 3000",
        "# directory = \"/opt/api\"",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    server.ok("seaworthy config check");
    server.ok("seaworthy backup && seaworthy verify");
    // Never a second time.
    let (code, again) = server.sh("seaworthy init --yes");
    assert!(code != 0 && again.contains("already exists"), "{again}");
    assert_eq!(server.ok("cat /etc/seaworthy/seaworthy.toml"), text);
}

#[test]
fn it_asks_about_each_part() {
    let mut server = server();
    let (code, said) = server.sh("seaworthy init");
    assert!(code == 2 && said.contains("--yes"), "{code} {said}");
    let ask = |answers: &str| {
        format!(
            "printf '{answers}' | script -qec 'seaworthy --config asked.toml init' /dev/null || true"
        )
    };
    let said = server.ok(&ask("y\\nn\\nn\\nn\\n"));
    assert!(said.contains("Databases to back up: /opt/api/api.db"), "{said}");
    assert!(said.contains("Sites of nginx: shop.example"), "{said}");
    server.ok("test ! -e asked.toml");
    let said = server.ok(&ask("y\\nn\\nn\\ny\\n"));
    let text = server.ok("cat asked.toml");
    assert!(text.contains("/opt/api/api.db") && !text.contains("shop.example"), "{said} {text}");
}
