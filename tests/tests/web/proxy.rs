//! The `proxy` commands as administrators type them, with a real nginx.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use seaworthy_tests::{
    tree,
    web::{WebLab, ask, free_port, server},
};

/// A site that answers with `body`, and more lines of its own.
fn site(name: &str, body: &str, lines: &str) -> String {
    format!(
        "[site.{name}]\nhosts = [\"{name}.example\"]\n{lines}\n[[site.{name}.routes]]\npath = \"/\"\n\
         answer = {{ body = \"{body}\" }}\n"
    )
}

fn live(web: &WebLab) -> PathBuf {
    web.lab.path("etc/seaworthy/current")
}

/// A certificate that the lab makes by itself, or that nobody made.
fn certificate(name: &str) -> String {
    format!(
        "[ca.own]\ntype = \"self-signed\"\n[certificate.{name}]\nnames = [\"{name}.example\"]\nca = [\"own\"]\n"
    )
}

#[test]
fn sites_are_compared_installed_served_and_kept() {
    let web = WebLab::new();
    web.configure("", &site("a", "one", ""));
    let diff = web.lab.run(&["proxy", "diff"]).expect_code(1);
    assert!(diff.stdout.contains("add     conf.d/50-site-a.conf"), "{}", diff.stdout);
    assert!(diff.stdout.contains("+    server_name a.example;"), "{}", diff.stdout);
    let tried = web.lab.ok(&["proxy", "apply", "--dry-run"]);
    assert!(tried.stdout.contains("these would change"), "{}", tried.stdout);
    let checked = web.lab.ok(&["proxy", "check"]);
    assert!(checked.stdout.contains("accepts 1 site, 0 findings"), "{}", checked.stdout);
    assert!(!web.lab.path("etc/seaworthy").exists(), "nothing is live yet");

    let applied = web.lab.ok(&["proxy", "apply", "--json"]).json();
    assert_eq!(applied["result"]["state"], "changed");
    assert_eq!(web.ask("a.example", "/").unwrap(), "one");
    assert_eq!(web.ask("other.example", "/").unwrap(), "other");
    let run = web.lab.run(&["proxy", "apply", "--detailed-exit-code", "--json"]).expect_code(4);
    assert_eq!(run.json()["outcome"], "nothing_to_do");
    web.lab.ok(&["proxy", "apply"]);
    web.lab.ok(&["proxy", "diff"]);

    // Another version, and the same again.
    web.configure("", &site("a", "two", ""));
    web.lab.run(&["proxy", "apply", "--detailed-exit-code"]).expect_code(0);
    assert_eq!(web.ask("a.example", "/").unwrap(), "two");
}

#[test]
fn hand_edits_are_shown_and_said_before_they_are_replaced() {
    let web = WebLab::new();
    web.configure("", &site("a", "one", ""));
    web.lab.ok(&["proxy", "apply"]);
    let file = live(&web).join("conf.d/50-site-a.conf");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("one", "edited")).unwrap();
    let diff = web.lab.run(&["proxy", "diff"]).expect_code(1);
    for words in ["conf.d/50-site-a.conf  (edited by hand)", "-        return 200 edited;"] {
        assert!(diff.stdout.contains(words), "no {words:?} in {}", diff.stdout);
    }
    let json = web.lab.run(&["proxy", "diff", "--json"]).expect_code(1).json();
    assert_eq!(json["result"]["changes"][0]["edited_by_hand"], true, "{json:#}");
    web.lab.ok(&["proxy", "apply"]).says(&["was edited by hand"]);
    web.lab.ok(&["proxy", "diff"]);
    assert_eq!(fs::read_to_string(file).unwrap(), text);
}

#[test]
fn what_nginx_does_not_take_leaves_the_old_files_at_work() {
    let web = WebLab::new();
    web.configure("", &site("a", "one", ""));
    web.lab.ok(&["proxy", "apply"]);
    let before = fs::read_link(live(&web)).unwrap();
    // It is not told: the new files are never served.
    web.configure("reload = [\"true\"]", &site("a", "two", ""));
    web.lab
        .run(&["proxy", "apply"])
        .expect_code(1)
        .says(&["nginx does not serve the new files", "help: "]);
    assert_eq!(fs::read_link(live(&web)).unwrap(), before);
    assert_eq!(web.ask("a.example", "/").unwrap(), "one");
    web.configure("reload = [\"false\"]", &site("a", "two", ""));
    web.lab.run(&["proxy", "apply"]).expect_code(1).says(&["does not load the new files"]);
    assert_eq!(fs::read_link(live(&web)).unwrap(), before);
    web.configure("", &site("a", "one", ""));
    web.lab.run(&["proxy", "apply", "--detailed-exit-code"]).expect_code(4);
}

#[test]
fn one_bad_site_is_left_out_when_asked_and_never_silently() {
    let web = WebLab::new();
    let bad = site("b", "b", "snippet = \"no_such_directive on;\"");
    let lacking = site("c", "c", "certificate = \"none\"") + &certificate("none");
    web.configure("", &(site("a", "one", "") + &bad + &lacking));
    let run = web.lab.run(&["proxy", "apply"]).expect_code(2);
    assert!(run.stderr.contains("seaworthy.toml:"), "{}", run.stderr);
    assert_eq!(web.ask("a.example", "/").unwrap(), "other", "nothing is installed");
    let checked = web.lab.run(&["proxy", "check", "--json"]).expect_code(2).json();
    let refused = checked["result"]["refused"].as_array().unwrap();
    let sites: Vec<_> = refused.iter().map(|one| one["site"].as_str().unwrap()).collect();
    assert_eq!(sites, ["b", "c"], "{checked:#}");
    assert!(refused[0]["error"]["message"].as_str().unwrap().contains("seaworthy.toml:"));

    let run = web.lab.run(&["proxy", "apply", "--keep-going"]).expect_code(3);
    let run = run.says(&["site b is left out", "site c is left out"]);
    assert!(run.stdout.contains("left out b: "), "{}", run.stdout);
    assert_eq!(web.ask("a.example", "/").unwrap(), "one");
    assert!(!live(&web).join("conf.d/50-site-b.conf").exists());
    // Where nothing would be left, nothing is done.
    web.configure("", &bad);
    web.lab.run(&["proxy", "apply", "--keep-going"]).expect_code(2);
    assert_eq!(web.ask("a.example", "/").unwrap(), "one");
}

#[test]
fn certificates_are_shown_as_they_lie_on_disk() {
    let web = WebLab::new();
    web.certify("c", "a.example");
    let tls = site("a", "one", "certificate = \"c\"") + &certificate("c");
    web.configure("acme_webroot = \"www\"", &tls);
    web.lab.ok(&["proxy", "apply"]);
    assert_eq!(web.ask_tls("c", "a.example"), "one");
    // Another one comes to lie there: what is installed next must be served with it.
    web.certify("c", "a.example");
    web.configure("acme_webroot = \"www\"", &tls.replace("one", "two"));
    web.lab.ok(&["proxy", "apply"]);
    assert_eq!(web.ask_tls("c", "a.example"), "two");
}

#[test]
fn switching_loses_no_request_and_is_remembered() {
    let web = WebLab::new();
    let pools = |active: &str| {
        format!(
            "[site.a]\nhosts = [\"a.example\"]\n[[site.a.routes]]\npath = \"/\"\n\
             proxy = {{ to = [{{ upstream = \"app\" }}] }}\n[upstream.app]\nactive = \"{active}\"\n\
             health = \"/health\"\npools = {{ blue = [\"127.0.0.1:{}\"], green = [\"127.0.0.1:{}\"], \
             dead = [\"127.0.0.1:{}\"] }}\n",
            server("blue"),
            server("green"),
            free_port()
        )
    };
    let blue = pools("blue");
    web.configure("", &blue);
    web.lab.ok(&["proxy", "apply"]);
    let (stop, port) = (Arc::new(AtomicBool::new(false)), web.http);
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut answers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    answers.push(ask(port, "a.example", "/x"));
                }
                answers
            })
        })
        .collect();
    for to in ["green", "blue", "green"] {
        let run = web.lab.ok(&["proxy", "switch", "a", to]);
        assert!(run.stdout.contains(&format!("app now uses pool {to}")), "{}", run.stdout);
        assert_eq!(web.ask("a.example", "/").unwrap(), to);
    }
    stop.store(true, Ordering::Relaxed);
    let answers: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let dropped: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(dropped.is_empty(), "{} of {} dropped: {dropped:?}", dropped.len(), answers.len());
    for colour in ["blue", "green"] {
        assert!(answers.iter().any(|answer| answer.as_deref() == Ok(colour)), "no {colour}");
    }

    // Later installations keep the choice, and say so.
    let run = web.lab.run(&["proxy", "apply", "--detailed-exit-code"]).expect_code(4);
    assert!(run.stdout.contains("app uses green since"), "{}", run.stdout);
    web.lab.ok(&["proxy", "diff"]);
    let json = web.lab.ok(&["proxy", "render", "--json"]).json();
    assert_eq!(json["result"]["chosen"][0]["in_use"], "green");
    // Until the file itself names another pool.
    web.configure("", &blue.replace("active = \"blue\"", "active = \"green\""));
    web.lab.run(&["proxy", "apply", "--detailed-exit-code"]).expect_code(4);
    web.lab.ok(&["proxy", "switch", "a", "blue"]);
    assert_eq!(web.ask("a.example", "/").unwrap(), "blue");

    web.lab.run(&["proxy", "switch", "a", "red"]).expect_code(2).says(&["blue, dead, green"]);
    web.lab.run(&["proxy", "switch", "b", "blue"]).expect_code(2).says(&["the sites are a"]);
    assert_eq!(web.ask("a.example", "/").unwrap(), "blue");
}

#[test]
fn each_bad_input_ends_with_2_and_its_line() {
    let web = WebLab::new();
    let good = "[site.a]\nhosts = [\"a.example\"]\nrate_limit = { rate = \"10r/s\" }\n\
                allow = [\"127.0.0.0/8\"]\ncsp = \"default-src 'none'\"\n\
                [[site.a.routes]]\npath = \"/api/\"\nproxy = { to = [{ upstream = \"app\" }] }\n\
                [upstream.app]\nservers = [\"127.0.0.1:9\"]\n[site.b]\nhosts = [\"b.example\"]\n\
                [[site.b.routes]]\npath = \"/\"\nanswer = { body = \"b\" }\n";
    web.configure("", good);
    web.lab.ok(&["config", "check"]);
    let lines = web.text("", "").lines().count();
    let table: &[(&str, &str, usize, &str)] = &[
        ("a.example", "a example", 2, "letters, digits and hyphens"),
        ("\"/api/\"", "\"api/\"", 7, "does not begin with a slash"),
        ("10r/s", "10", 3, "r/s"),
        ("default-src 'none'", "a\\nb", 5, "control character"),
        ("default-src 'none'", "a\\u0000b", 5, "control character"),
        ("default-src 'none'", "$http_x", 5, "would name a variable"),
        ("upstream = \"app\"", "upstream = \"ap\"", 8, "there is no [upstream.ap]"),
        ("127.0.0.0/8", "127.0.0.1/8", 4, "write 127.0.0.0/8"),
        ("[[site.b", "default = true\n[[site.b", 0, ""),
        ("b.example", "a.example", 12, "a.example is already used in site.a.hosts[0]"),
        ("[[site.b", "certificate = \"x\"\n[[site.b", 13, "there is no [certificate.x]"),
        ("\"127.0.0.1:9\"", "{ service = \"x\" }", 10, "no service x with a port"),
        ("hosts", "host", 2, "did you mean \"hosts\"?"),
    ];
    for (from, to, line, words) in table {
        web.configure("", &good.replacen(from, to, 1));
        if *line == 0 {
            web.lab.ok(&["config", "check"]);
            continue;
        }
        for command in [&["config", "check"][..], &["proxy", "apply"], &["proxy", "render"]] {
            let place = format!("seaworthy.toml:{}:", lines + line);
            web.lab.run(command).expect_code(2).says(&[&place, words]);
        }
    }
    let both = good.replace("[[site.", "default = true\n[[site.");
    web.configure("", &both);
    let place = format!("seaworthy.toml:{}:", lines + 14);
    web.lab.run(&["config", "check"]).expect_code(2).says(&[&place, "there are two default sites"]);

    // What only this machine shows.
    let sites = good.replace("[[site.b", "certificate = \"c\"\n[[site.b") + &certificate("c");
    web.configure("", &sites);
    web.lab.ok(&["config", "check"]);
    let place = format!("seaworthy.toml:{}:", lines + 13);
    for command in [&["proxy", "check"][..], &["proxy", "apply"], &["proxy", "apply", "--dry-run"]]
    {
        let run = web.lab.run(command).expect_code(2);
        run.says(&[&place, "fullchain.pem does not exist", "issue the certificate first"]);
    }
    let lines = lines.to_string();
    for (line, words) in [
        ("binary = \"/nowhere/nginx\"", "apt-get install nginx"),
        ("http3 = true", "http3 needs nginx 1.25 or later with http_v3_module; this is nginx 1."),
        ("resolver = [\"127.0.0.1\"]", "resolver needs nginx 1.27.3"),
    ] {
        web.configure(line, good);
        let place = format!("seaworthy.toml:{lines}:");
        for command in ["render", "check", "diff", "apply"] {
            web.lab.run(&["proxy", command]).expect_code(2).says(&[&place, words]);
        }
    }
    assert!(!live(&web).exists(), "nothing became live");
}

#[test]
fn files_of_others_are_never_overwritten() {
    let web = WebLab::new();
    web.configure("own_root = true", &site("a", "one", ""));
    let main = web.lab.path("etc/nginx.conf");
    let before = fs::read_to_string(&main).unwrap();
    for command in [&["proxy", "apply"][..], &["proxy", "check"], &["proxy", "apply", "--dry-run"]]
    {
        web.lab
            .run(command)
            .expect_code(1)
            .says(&["nginx.conf was not written by Seaworthy", "move it away"]);
    }
    let diff = web.lab.run(&["proxy", "diff"]).expect_code(1);
    assert!(diff.stdout.contains("nginx.conf was not written by Seaworthy"), "{}", diff.stdout);
    assert_eq!(fs::read_to_string(&main).unwrap(), before);
    assert_eq!(web.ask("other.example", "/").unwrap(), "other");

    // A tree that does not include ours says how.
    web.configure("", &site("a", "one", ""));
    let without: String = before
        .lines()
        .filter(|line| !line.contains("include "))
        .map(|l| format!("{l}\n"))
        .collect();
    fs::write(&main, &without).unwrap();
    web.lab.run(&["proxy", "apply"]).expect_code(2).says(&["conf.d/*.conf;", "seaworthy.toml:"]);
    fs::rename(&main, web.lab.path("moved")).unwrap();
    web.lab.run(&["proxy", "check"]).expect_code(2).says(&["nginx.conf does not exist"]);
    fs::write(&main, &before).unwrap();

    // A folder of somebody else's where ours would go, and a link.
    fs::create_dir(web.lab.path("etc/seaworthy")).unwrap();
    web.lab.write("etc/seaworthy/notes", "mine");
    web.lab.run(&["proxy", "apply"]).expect_code(2).says(&["files that Seaworthy did not write"]);
    assert_eq!(fs::read_to_string(web.lab.path("etc/seaworthy/notes")).unwrap(), "mine");
    fs::remove_dir_all(web.lab.path("etc/seaworthy")).unwrap();

    let out = web.lab.path("out");
    let out = out.to_str().unwrap();
    web.lab.ok(&["proxy", "render", "--out", out]);
    web.lab.ok(&["proxy", "render", "--out", out]);
    web.lab.write("out/conf.d/50-site-a.conf", "edited");
    let rendered = tree(Path::new(out));
    web.lab.run(&["proxy", "render", "--out", out]).expect_code(2).says(&["50-site-a.conf"]);
    assert_eq!(tree(Path::new(out)), rendered);
    symlink(web.lab.path("etc"), web.lab.path("link")).unwrap();
    let link = web.lab.path("link");
    web.lab.run(&["proxy", "render", "--out", link.to_str().unwrap()]).expect_code(2);
    assert_eq!(fs::read_to_string(&main).unwrap(), before);
}

#[test]
fn rendering_touches_nothing() {
    let web = WebLab::new();
    web.configure("", &site("a", "one", ""));
    let before = tree(&web.lab.path("etc"));
    let run = web.lab.ok(&["proxy", "render"]);
    assert!(run.stdout.contains("#### conf.d/50-site-a.conf\n"), "{}", run.stdout);
    web.lab.run(&["proxy", "diff"]).expect_code(1);
    assert_eq!(tree(&web.lab.path("etc")), before);
    assert!(!web.lab.path("state/proxy").exists());
    web.lab.write("seaworthy.toml", "");
    web.lab.run(&["proxy", "render"]).expect_code(2).says(&["the file has no [proxy]"]);
}

#[test]
fn the_examples_render_into_a_folder() {
    let web = WebLab::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples");
    for (name, sites) in
        [("flotteq", &["admin", "api", "app", "driver", "partner"][..]), ("gw2", &["gw2"])]
    {
        let file = examples.join(name).join("seaworthy.toml");
        fs::copy(&file, web.lab.path("seaworthy.toml")).unwrap();
        let out = web.lab.path(name);
        let mut command = web.lab.command(&["proxy", "render", "--out", out.to_str().unwrap()]);
        let output = command.env("STATE_DIRECTORY", web.lab.path("state")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
        for site in sites {
            assert!(out.join(format!("conf.d/50-site-{site}.conf")).exists(), "{site}");
        }
        let found = fs::read_dir(out.join("conf.d")).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with("50-site-")
        });
        assert_eq!(found.count(), sites.len());
        // The shared part knows where the service of the file listens.
        if name == "flotteq" {
            let api = fs::read_to_string(out.join("conf.d/10-upstreams.conf")).unwrap();
            assert!(api.contains("server 127.0.0.1:3000 max_fails=0;"), "{api}");
        }
    }
}
