//! The five domains of FlotteQ, from a real Pebble through a real nginx, with the program alone.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use seaworthy_tests::Lab;

const SITES: [&str; 5] = ["api", "app", "partner", "driver", "admin"];

/// A port that nobody listens on, below those that the kernel gives to outgoing connections.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 89 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 4_000 + (next % 6_900) as u16;
        let udp = std::net::UdpSocket::bind(("127.0.0.1", port));
        if udp.is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

struct Server(Child);

impl Server {
    fn start(command: &mut Command, port: u16) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self(quiet.spawn().unwrap_or_else(|e| panic!("cannot run {program}: {e}")));
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{program} does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx's workers end with SIGTERM to their master, not with SIGKILL.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

struct Ports {
    acme: u16,
    dns: u16,
    http: u16,
    https: u16,
}

/// The file: an authority of our own for Pebble's listener, and Pebble for the sites.
fn config(ports: &Ports, more: &str) -> String {
    let mut text = format!(
        "state = \"state\"\n[tls]\nstore = \"tls\"\nresolvers = [\"127.0.0.1:{dns}\"]\n\
         [ca.own]\ntype = \"local\"\n[certificate.pebble]\nnames = [\"127.0.0.1\"]\nca = [\"own\"]\n\
         [ca.pebble]\ntype = \"acme\"\ndirectory = \"https://127.0.0.1:{acme}/dir\"\n\
         staging = \"https://127.0.0.1:{acme}/dir?staging\"\nagree_tos = true\n\
         roots = \"tls/ca/own/root.pem\"\nhttp_port = {http}\n",
        dns = ports.dns,
        acme = ports.acme,
        http = ports.http
    );
    for site in SITES {
        text.push_str(&format!(
            "[certificate.{site}]\nnames = [\"{site}.flotteq.example\"]\nca = [\"pebble\"]\n\
             challenge = {{ type = \"http-01\", webroot = \"www\" }}\n{more}"
        ));
    }
    text
}

/// Tells the DNS server all addresses of `host`; with none it has those of every name.
fn set_addresses(management: u16, host: &str, addresses: &[&str]) {
    let set = serde_json::json!({ "host": host, "addresses": addresses });
    for (call, body) in [("clear-a", serde_json::json!({ "host": host })), ("add-a", set)] {
        if call == "add-a" && addresses.is_empty() {
            continue;
        }
        let url = format!("http://127.0.0.1:{management}/{call}");
        let curl = Command::new("curl").args(["-fsS", "-d", &body.to_string(), &url]).status();
        assert!(curl.unwrap().success());
    }
}

#[test]
fn five_domains_are_issued_in_one_command_renewed_checked_and_proved() {
    let (management, dns_management) = (free_port(), free_port());
    let ports =
        Ports { acme: free_port(), dns: free_port(), http: free_port(), https: free_port() };
    let lab = Lab::new().with_config(&config(&ports, ""));
    lab.write("www/index.html", "");
    lab.ok(&["cert", "issue", "pebble"]);

    let dns = format!("127.0.0.1:{}", ports.dns);
    let _dns = Server::start(
        Command::new("pebble-challtestsrv")
            .args(["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-dns01", &dns, "-management", &format!("127.0.0.1:{dns_management}")]),
        dns_management,
    );
    let live = lab.path("tls/live/pebble");
    let pebble = serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{}", ports.acme),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": live.join("fullchain.pem"), "privateKey": live.join("privkey.pem"),
        "httpPort": ports.http, "tlsPort": ports.https,
    }});
    let file = lab.write("pebble.json", pebble.to_string());
    let _pebble = Server::start(
        Command::new("pebble")
            .args(["-config", file.to_str().unwrap(), "-dnsserver", &dns])
            .env("PEBBLE_VA_NOSLEEP", "1"),
        ports.acme,
    );
    let here = lab.path("").display().to_string();
    let main = |tls: &str| {
        format!(
            "pid {here}/nginx.pid;\nerror_log {here}/error.log;\nuser root;\nevents {{}}\nhttp {{\n\
             access_log off;\nserver {{ listen 127.0.0.1:{}; root {here}/www; }}\n{tls}}}\n",
            ports.http
        )
    };
    let conf = lab.write("nginx.conf", main(""));
    let conf = conf.to_str().unwrap();
    let _nginx = Server::start(
        Command::new("/usr/sbin/nginx").args(["-c", conf, "-g", "daemon off;"]),
        ports.http,
    );

    // A dry run does everything, and stores nothing.
    let dry = lab.ok(&["cert", "issue", "--dry-run", "api"]);
    assert!(dry.stdout.contains("would be issued"), "{}", dry.stdout);
    assert!(!lab.path("tls/live/api").exists() && !lab.path("tls/versions/api").exists());

    // It says of each certificate what is to be mended, and how.
    let missing = "deploy = [[\"no-such-program\"]]\n";
    let lab = lab.with_config(&config(&ports, missing).replacen("\"www\"", "\"nginx.conf\"", 1));
    let dry = lab.run(&["cert", "issue", "--dry-run", "api", "app"]).expect_code(1).stdout;
    for wanted in ["api: FAILED", "make it writable", "app: FAILED", "install no-such-program"] {
        assert!(dry.contains(wanted), "{wanted}: {dry}");
    }
    // Nobody listens at the second address.
    set_addresses(dns_management, "app.flotteq.example.", &["127.0.0.1", "127.0.0.9"]);
    let lab = lab.with_config(&config(&ports, ""));
    let dry = lab.run(&["cert", "issue", "--dry-run", "app"]).stdout;
    let wanted =
        format!("perhaps   app.flotteq.example: does not respond at 127.0.0.9:{}", ports.http);
    assert!(dry.contains(&wanted) && dry.contains("help: open the port"), "{dry}");
    set_addresses(dns_management, "app.flotteq.example.", &[]);

    // All five at once; the one whose name leads nowhere stops none of the others.
    set_addresses(dns_management, "partner.flotteq.example.", &["127.0.0.9"]);
    // The doctor sees what the authority will see: names in DNS, and the way to the port.
    let seen = lab.ok(&["doctor", "--json"]).json();
    let names = |part: &str| {
        let all = seen["result"]["checks"].as_array().unwrap();
        all.iter().find(|check| check["part"] == part && check["name"] == "names").unwrap().clone()
    };
    assert_eq!(names("certificate api")["state"], "ok");
    let lost = names("certificate partner");
    assert_eq!(lost["state"], "warning", "{lost}");
    let place = format!("does not respond at 127.0.0.9:{}", ports.http);
    assert!(lost["message"].as_str().unwrap().contains(&place), "{lost}");
    assert!(lost["remedy"].as_str().unwrap().contains("open the port"), "{lost}");
    let issued = lab.run(&["cert", "issue", "--json"]).expect_code(1).json();
    for (i, site) in SITES.iter().enumerate() {
        let one = &issued["result"]["certificates"][i + 1];
        let good = *site != "partner";
        assert_eq!((one["name"].as_str(), one["deployed"].as_bool()), (Some(*site), Some(good)));
        assert_eq!(one["error"].is_null(), good, "{one}");
        assert_eq!(lab.path("tls/live").join(site).join("privkey.pem").exists(), good);
    }
    let why = issued["result"]["certificates"][3]["error"].to_string();
    assert!(why.contains("partner.flotteq.example") && why.contains("port 80"), "{why}");
    set_addresses(dns_management, "partner.flotteq.example.", &[]);
    let again = lab.ok(&["cert", "issue"]).stdout;
    assert_eq!(again.matches("and deployed").count(), 1, "{again}");
    lab.ok(&["cert", "renew"]);
    lab.run(&["cert", "renew", "--detailed-exit-code"]).expect_code(4);
    let listed = lab.ok(&["cert", "list"]).stdout;
    assert!(listed.contains("admin.flotteq.example") && listed.contains("renewal"), "{listed}");

    // Served by nginx, and proved.
    let servers: String = SITES
        .iter()
        .map(|site| {
            format!(
                "server {{ listen 127.0.0.1:{} ssl; server_name {site}.flotteq.example;\n\
                 ssl_certificate {here}/tls/live/{site}/fullchain.pem;\n\
                 ssl_certificate_key {here}/tls/live/{site}/privkey.pem; }}\n",
                ports.https
            )
        })
        .collect();
    fs::write(conf, main(&servers)).unwrap();
    let deployed = format!(
        "check = [[\"/usr/sbin/nginx\", \"-t\", \"-c\", {conf:?}]]\n\
         deploy = [[\"/usr/sbin/nginx\", \"-s\", \"reload\", \"-c\", {conf:?}]]\n\
         prove = [\"127.0.0.1:{}\"]\n",
        ports.https
    );
    let lab = lab.with_config(&config(&ports, &deployed));
    lab.ok(&["cert", "issue", "--force", "api", "app", "partner", "driver", "admin"]);
    lab.ok(&["cert", "check", "api", "admin"]);

    // A reload that does nothing: issued, not deployed, and the old one is still served.
    let broken = deployed.replace("\"-s\", \"reload\"", "\"-t\"");
    let lab = lab.with_config(&config(&ports, &broken));
    let run = lab.run(&["cert", "issue", "--force", "api"]).expect_code(5);
    assert!(run.stdout.contains("NOT DEPLOYED"), "{}", run.stdout);
    lab.run(&["cert", "check", "api"]).expect_code(1);
    let lab = lab.with_config(&config(&ports, &deployed));
    lab.ok(&["cert", "issue", "api"]);
    lab.ok(&["cert", "check", "api"]);

    lab.ok(&["cert", "revoke", "api", "--reason", "superseded"]);
    let renewed = lab.ok(&["cert", "renew", "api", "--json"]).json();
    assert_eq!(renewed["result"]["certificates"][0]["action"]["reason"], "revoked");

    // What the file no longer names goes, unless a server's configuration names it.
    let one_less = config(&ports, &deployed).replace("[certificate.admin]", "[certificate.other]");
    let lab = lab.with_config(&one_less);
    let kept = lab.ok(&["cert", "cleanup", "--look-in", &here]).stdout;
    assert!(kept.contains("admin: stays"), "{kept}");
    fs::write(conf, main("")).unwrap();
    assert!(lab.ok(&["cert", "cleanup"]).stdout.contains("admin: removed"));
    assert!(!lab.path("tls/live/admin").exists());
}
