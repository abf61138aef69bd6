//! Sites, certificates and services, from what answers.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    thread::{self, JoinHandle},
};

use seaworthy_tests::{
    Run,
    web::{WebLab, free_port, server},
};

use super::rules;

fn site(name: &str, lines: &str, to: u16) -> String {
    format!(
        "[site.{name}]\nhosts = [\"{name}.example\", \"www.{name}.example\"]\n{lines}\n\
         [[site.{name}.routes]]\npath = \"/\"\nproxy = {{ to = [\"127.0.0.1:{to}\"] }}\n"
    )
}

#[test]
fn sites_and_certificates_are_asked_for_as_visitors_do() {
    let web = WebLab::new();
    let (well, dead) = (server("hello"), free_port());
    let sections = format!(
        "[ca.own]\ntype = \"local\"\n[certificate.a]\nca = [\"own\"]\n\
         names = [\"a.example\", \"www.a.example\"]\nprove = [\"127.0.0.1:{}\"]\n{}{}",
        web.https,
        site("a", "certificate = \"a\"", well),
        site("b", "", dead)
    );
    web.configure("", &sections);
    let status = |code| super::status(&web.lab, code);

    // Nothing is installed: no site answers, and there is no certificate.
    let found = status(1);
    let count = |rule: &str| rules(&found).iter().filter(|found| *found == rule).count();
    assert_eq!((count("site.down"), count("certificate.disk")), (4, 1), "{found:#}");
    assert_eq!(found["certificates"][0]["not_after"], serde_json::Value::Null);

    web.lab.run(&["cert", "issue"]).expect_code(5);
    web.lab.ok(&["proxy", "apply"]);
    web.lab.ok(&["cert", "issue"]);
    let found = status(1);
    assert_eq!(rules(&found), ["site.down", "site.down"], "{found:#}");
    let sites = found["sites"].as_array().unwrap();
    let seen: Vec<_> =
        sites.iter().map(|s| (s["host"].as_str().unwrap(), s["code"].clone())).collect();
    let expected = ["a.example", "www.a.example", "b.example", "www.b.example"];
    assert_eq!(seen.iter().map(|(host, _)| *host).collect::<Vec<_>>(), expected);
    let codes: Vec<_> = seen.iter().map(|(_, code)| code.as_u64()).collect();
    assert_eq!(codes, [Some(200), Some(200), Some(502), Some(502)]);
    assert_eq!((&sites[0]["tls"], &sites[2]["tls"]), (&true.into(), &false.into()));
    let certificate = &found["certificates"][0];
    assert_eq!(certificate["served"], true, "{certificate}");
    assert_eq!(certificate["servers"].as_array().unwrap().len(), 2);
    assert!(certificate["days_left"].as_u64().unwrap() > 10);
    assert!(certificate["renewal"].is_string());
    let text = web.lab.run(&["status"]).expect_code(1).stdout;
    for words in ["b     b.example", "DOWN", "502", "a.example, www.a.example", "  served  "] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }

    // Where nobody shows it, visitors do not see it.
    let elsewhere = sections.replace(
        &format!("prove = [\"127.0.0.1:{}\"]", web.https),
        &format!("prove = [\"127.0.0.1:{dead}\"]"),
    );
    web.configure("", &elsewhere);
    let found = status(1);
    assert!(rules(&found).contains(&"certificate.served".to_owned()), "{found:#}");
    assert_eq!(found["certificates"][0]["served"], false);
}

/// What stands for systemd: every unit is up, but those of `broken`.
const SYSTEMCTL: &str = "#!/bin/sh\nfor unit; do :; done\ncase $unit in\n  *broken*) \
    printf 'ActiveState=failed\\nMainPID=0\\nNRestarts=7\\n' ;;\n  *) \
    printf 'ActiveState=active\\nMainPID=4\\nNRestarts=1\\nMemoryCurrent=1048576\\n' ;;\nesac\n";

#[test]
fn services_are_told_of_as_their_manager_knows_them() {
    let lab = seaworthy_tests::Lab::new().with_config(
        "state = \"state\"\n[service.worker]\ncommand = [\"/bin/sleep\", \"9\"]\nuser = \"nobody\"\n\
         [service.broken]\ncommand = [\"/bin/false\"]\nuser = \"nobody\"\n",
    );
    let run = |path: &str| {
        let arguments = ["status", "--json"];
        Run::of(lab.command(&arguments).env("PATH", path).output().unwrap(), &arguments)
    };
    // Where nobody manages services, that is what is said.
    let found = super::document(run("/nowhere"), 1);
    assert_eq!(rules(&found), ["service.unknown", "service.unknown"]);
    let systemctl = lab.write("bin/systemctl", SYSTEMCTL);
    fs::set_permissions(systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", lab.path("bin").display());
    let found = super::document(run(&path), 1);
    assert_eq!(rules(&found), ["service.down"]);
    let (worker, broken) = (&found["services"][0], &found["services"][1]);
    assert_eq!((&worker["well"], &broken["well"]), (&true.into(), &false.into()));
    assert_eq!(worker["instances"][0]["memory"], 1 << 20);
    assert_eq!(broken["instances"][0]["restarts"], 7);
    let remedy = found["findings"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("journalctl -u seaworthy-broken.service"), "{remedy}");
}

/// A connection, and what came over it.
struct Asked {
    stream: TcpStream,
    said: Vec<u8>,
}

impl Asked {
    /// Reads what has come by now. Whether the other side has given up.
    fn is_given_up(&mut self) -> bool {
        let mut piece = [0; 4096];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return true,
                Ok(n) => self.said.extend_from_slice(&piece[..n]),
                Err(_) => return false,
            }
        }
    }

    /// Answers a request, when all of it is there; a handshake, which begins with 22, is cut off.
    fn answer(mut self) {
        self.stream.set_nonblocking(false).unwrap();
        let mut byte = [0];
        while !self.said.ends_with(b"\r\n\r\n") && !self.said.starts_with(&[22]) {
            match self.stream.read(&mut byte) {
                Ok(1) => self.said.push(byte[0]),
                _ => return,
            }
        }
        let _ = self.stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    }
}

/// Takes connections and answers none before `count` are there at the same time. Gives how many that
/// were.
fn all_or_nothing(listener: TcpListener, count: usize) -> JoinHandle<usize> {
    thread::spawn(move || {
        let mut waiting: Vec<Asked> = Vec::new();
        while waiting.len() < count {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            // Who gives up before all are there made others wait.
            if waiting.iter_mut().any(Asked::is_given_up) {
                return waiting.len();
            }
            waiting.push(Asked { stream, said: Vec::new() });
        }
        waiting.into_iter().for_each(Asked::answer);
        count
    })
}

#[test]
fn a_hundred_certificates_and_fifty_sites_do_not_wait_for_each_other() {
    const CERTIFICATES: usize = 100;
    const SITES: usize = 50;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = |prove: &str| {
        let mut text = format!(
            "state = \"state\"\n[tls]\nstore = \"tls\"\n[ca.own]\ntype = \"self-signed\"\n\
             [proxy]\ntype = \"nginx\"\nroot = \"nginx\"\naddresses = [\"127.0.0.1\"]\n\
             http_port = {port}\n"
        );
        for n in 0..CERTIFICATES {
            text += &format!(
                "[certificate.c{n}]\nnames = [\"c{n}.example\"]\nca = [\"own\"]\nprove = {prove}\n"
            );
        }
        for n in 0..SITES {
            text += &format!(
                "[site.s{n}]\nhosts = [\"s{n}.example\"]\n[[site.s{n}.routes]]\npath = \"/\"\n\
                 answer = {{ body = \"x\" }}\n"
            );
        }
        text
    };
    let lab = seaworthy_tests::Lab::new().with_config(&config("false"));
    lab.ok(&["--quiet", "cert", "issue"]);
    // What `proxy apply` leaves behind.
    fs::create_dir_all(lab.path("nginx/seaworthy/current")).unwrap();
    let lab = lab.with_config(&config(&format!("[\"127.0.0.1:{port}\"]")));
    let server = all_or_nothing(listener, CERTIFICATES + SITES);
    let found = super::status(&lab, 1);
    assert_eq!(server.join().unwrap(), CERTIFICATES + SITES, "somebody had to wait");
    let sites = found["sites"].as_array().unwrap();
    assert!(sites.len() == SITES && sites.iter().all(|site| site["well"] == true), "{sites:#?}");
    assert_eq!(rules(&found), vec!["certificate.served"; CERTIFICATES]);
}
