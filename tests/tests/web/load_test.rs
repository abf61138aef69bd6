//! `seaworthy load-test` as people type it, against servers of this machine.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use seaworthy_tests::Lab;
use serde_json::Value;

/// A server that answers each request with the status that its path names, such as `/503`, and
/// remembers what it was asked. It lives as long as the test's process.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        thread::spawn({
            let asked = asked.clone();
            move || {
                for stream in listener.incoming() {
                    let asked = asked.clone();
                    thread::spawn(move || serve(&stream.unwrap(), &asked));
                }
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream);
    loop {
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            if lines.read_line(&mut request).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = request.to_lowercase();
        let length =
            length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        lines.read_exact(&mut body).unwrap();
        let status =
            request.split(['/', ' ']).nth(2).and_then(|word| word.parse().ok()).unwrap_or(200);
        asked.lock().unwrap().push(request + &String::from_utf8(body).unwrap());
        let mut out = stream;
        if write!(out, "HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

fn result(text: &str) -> Value {
    serde_json::from_str::<Value>(text).unwrap()["result"].clone()
}

#[test]
fn a_url_is_loaded_and_judged() {
    let (lab, server) = (Lab::new(), Server::start());
    let run = lab.ok(&["load-test", &server.url("/"), "--requests", "50", "-c", "5"]);
    for word in ["50", "100.00", "p99.9", "service", "PASS"] {
        assert!(run.stdout.contains(word), "{word} in {}", run.stdout);
    }
    assert_eq!(server.asked().len(), 50);
    let run = lab.run(&["load-test", &server.url("/503"), "--requests", "20", "--rate", "1000"]);
    let run = run.expect_code(1);
    assert!(
        run.stdout.contains("FAIL") && run.stdout.contains("20 × status 503"),
        "{}",
        run.stdout
    );
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{down}/");
    let run = lab.run(&["--json", "load-test", &url, "--requests", "5"]).expect_code(1);
    let result = result(&run.stdout);
    assert_eq!(result["total"]["errors"]["connection refused"], 5);
    assert_eq!(result["verdict"], "FAIL");
}

#[test]
fn a_file_describes_endpoints_tokens_and_bodies() {
    let (lab, server) = (Lab::new(), Server::start());
    let plan = format!(
        "base = \"http://{}\"\ntoken = {{ env = \"LOAD_TOKEN\" }}\nheaders = {{ X-A = \"1\" }}\n\
         [[endpoints]]\nname = \"health\"\npath = \"/health\"\nrequests = 100\nconcurrency = 20\n\
         [[endpoints]]\npath = \"/users?n=1\"\nmethod = \"POST\"\njson = {{ n = 1 }}\nrequests = 50\nconcurrency = 10\n\
         [[endpoints]]\npath = \"/404\"\nexpect = [404]\nrequests = 10\n",
        server.address
    );
    lab.write("plan.toml", plan);
    let page = lab.path("report.html");
    let mut command = lab.command(&["--json", "load-test", "plan.toml", "--html", "report.html"]);
    let output = command.env("LOAD_TOKEN", "hunter2").output().unwrap();
    let run = seaworthy_tests::Run::of(output, &["load-test"]).expect_code(0);
    let result = result(&run.stdout);
    let endpoints = result["endpoints"].as_array().unwrap();
    let requests: Vec<_> =
        endpoints.iter().map(|one| one["figures"]["requests"].as_u64().unwrap()).collect();
    assert_eq!(requests, [100, 50, 10]);
    for figure in ["average", "min", "p50", "p90", "p95", "p99", "p999", "max"] {
        assert!(result["total"]["response"][figure].as_f64().unwrap() > 0.0, "{figure}");
        assert!(result["total"]["service"][figure].as_f64().unwrap() > 0.0, "{figure}");
    }
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .all(|one| one.contains("authorization: Bearer hunter2") && one.contains("x-a: 1"))
    );
    let posts: Vec<_> = asked.iter().filter(|one| one.starts_with("POST /users?n=1 ")).collect();
    assert_eq!(posts.len(), 50);
    assert!(posts.iter().all(|one| one.ends_with("\r\n\r\n{\"n\":1}")));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("health") && !page.contains("hunter2"));
    let without = lab.run(&["load-test", "plan.toml"]).expect_code(1);
    assert!(without.stderr.contains("LOAD_TOKEN"), "{}", without.stderr);
}

#[test]
fn warnings_fail_only_where_it_is_strict() {
    let (lab, server) = (Lab::new(), Server::start());
    let plan = format!(
        "base = \"http://{}\"\nrequests = 10\nthresholds = {{ pass = 95, warn = 0 }}\n\
         [[endpoints]]\npath = \"/500\"\n",
        server.address
    );
    lab.write("plan.toml", plan);
    let run = lab.ok(&["load-test", "plan.toml"]);
    assert!(run.stdout.contains("WARNING"), "{}", run.stdout);
    let run = lab.run(&["load-test", "plan.toml", "--strict"]).expect_code(1);
    assert!(run.stdout.contains("WARNING"), "{}", run.stdout);
}

#[test]
fn other_machines_and_nonsense_are_refused() {
    let lab = Lab::new();
    lab.write("wrong.toml", "base = \"http://127.0.0.1\"\ntoken = \"hunter2\"\n");
    for (arguments, code, word) in [
        (&["load-test", "http://192.0.2.1/"][..], 2, "--yes-i-own-it"),
        (&["load-test", "none.toml"], 1, "none.toml"),
        (&["load-test", "wrong.toml"], 2, "wrong.toml:2:9"),
        (&["load-test", "http://127.0.0.1/", "--token", "hunter2"], 2, "env:NAME"),
        (&["load-test", "http://127.0.0.1/", "--rate", "0"], 2, "a rate must be"),
        (&["load-test", "ftp://127.0.0.1/"], 2, "is not the address"),
    ] {
        let run = lab.run(arguments).expect_code(code);
        assert!(run.stderr.contains(word), "{word} in {}", run.stderr);
        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    }
}

/// A real nginx with TLS and HTTP/2; ended by its own id.
struct Nginx(Child);

impl Nginx {
    fn start(folder: &Path, port: u16) -> Self {
        let openssl = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args(["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(openssl.status.success(), "{}", String::from_utf8_lossy(&openssl.stderr));
        let at = folder.display();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
             events {{}}\nhttp {{ keepalive_requests 50; access_log {at}/access.log combined;\n\
             client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
             uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
             server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem;\n\
             location / {{ return 200 ok; }} location /broken {{ return 500; }} }} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), config).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
        let mut nginx = Self(command.stderr(Stdio::null()).spawn().unwrap());
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(nginx.0.try_wait().unwrap().is_none(), "cannot run nginx");
            thread::park_timeout(Duration::from_millis(20));
        }
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nginx_is_loaded_over_tls_with_both_versions_and_its_log_agrees() {
    let lab = Lab::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _nginx = Nginx::start(&lab.path("."), port);
    let url = format!("https://localhost:{port}/");
    let load = |more: &[&str]| {
        let mut arguments = vec!["--json", "load-test", &url, "--requests", "200", "-c", "8"];
        arguments.extend(more);
        lab.run(&arguments)
    };
    let untrusted = result(&load(&[]).expect_code(1).stdout);
    assert_eq!(untrusted["total"]["errors"]["TLS"], 200);
    for (more, version) in [
        (&["--roots", "cert.pem"][..], "HTTP/1.1"),
        (&["--roots", "cert.pem", "--http2"], "HTTP/2.0"),
    ] {
        let report = result(&load(more).expect_code(0).stdout);
        assert_eq!(report["total"]["good"], 200, "{version}: {report}");
        // nginx writes its log when a request is over, which the answer may overtake by a moment.
        let pattern = format!("{version}\" 200");
        let mut following = Command::new(seaworthy_tests::program())
            .args(["logs", "-f", "-n", "200", "--grep", &pattern, "access.log"])
            .current_dir(lab.path("."))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(following.stdout.take().unwrap()).lines().take(200);
        assert!(lines.map(Result::unwrap).all(|line| line.contains(&pattern)));
        following.kill().unwrap();
        following.wait().unwrap();
    }
    let top = result(&lab.ok(&["--json", "logs", "--top", "access.log"]).stdout);
    assert_eq!(
        (top["requests"].as_u64(), top["statuses"][0]["status"].as_u64()),
        (Some(400), Some(200))
    );
}

#[test]
fn the_shipped_example_is_a_test_that_runs() {
    let (lab, server) = (Lab::new(), Server::start());
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/gw2/load-test.toml");
    let text = std::fs::read_to_string(example).unwrap();
    let here = text.replace("http://127.0.0.1:8000", &format!("http://{}", server.address));
    assert_ne!(here, text);
    lab.write("load-test.toml", here);
    let mut command = lab.command(&["--json", "load-test", "load-test.toml"]);
    let output = command.env("GW2_TOKEN", "hunter2").output().unwrap();
    let report = result(&seaworthy_tests::Run::of(output, &["load-test"]).expect_code(0).stdout);
    let figures = report["endpoints"].as_array().unwrap().iter();
    let requests: Vec<_> =
        figures.map(|one| one["figures"]["requests"].as_u64().unwrap()).collect();
    assert_eq!(requests, [100, 50, 50, 50]);
    assert!(
        server
            .asked()
            .iter()
            .filter(|one| !one.contains("/health"))
            .all(|one| one.contains("Bearer hunter2"))
    );
}
