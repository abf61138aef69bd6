//! The page, in a real browser.

use std::{fs, path::Path, process::Command};

use seaworthy_tests::{Lab, forge::Forged, web::free_port};

use super::host;

/// The scripts that look, with their packages: fetched once, and kept beside what cargo builds.
fn looker() -> std::path::PathBuf {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&kept).unwrap();
    for name in ["package.json", "package-lock.json", "look.js"] {
        fs::copy(pages.join(name), kept.join(name)).unwrap();
    }
    if !kept.join("node_modules/axe-core/axe.js").exists() {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&kept);
        assert!(npm.status().expect("cannot run npm: apt-get install npm").success());
    }
    kept
}

/// A lab with everything that the page can show: what is well and what is not.
fn lab() -> Lab {
    let lab = Lab::new().with_config(&format!(
        "state = \"state\"\ntime_zone = \"Europe/Paris\"\n\
         [sink.local]\ntype = \"local\"\npath = \"sink\"\n\
         [sink.offsite]\ntype = \"local\"\npath = \"far\"\n\
         [sink.gone]\ntype = \"s3\"\nbucket = \"x\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
         allow_http = true\nretries = 0\naccess_key_id = {{ env = \"HOME\" }}\n\
         secret_access_key = {{ env = \"HOME\" }}\n\
         [backup.nightly]\nsinks = [\"local\", \"offsite\"]\nschedule = \"30 2 * * *\"\n\
         keep = {{ daily = 20 }}\nsources.data = {{ type = \"files\", paths = [\"data\"] }}\n\
         [backup.hourly]\nsinks = [\"gone\"]\nsources.data = {{ type = \"files\", paths = [\"data\"] }}\n\
         [tls]\nstore = \"tls\"\n[ca.own]\ntype = \"local\"\n\
         [certificate.api]\nnames = [\"api.example.com\"]\nca = [\"own\"]\n\
         [certificate.missing]\nnames = [\"a-very-long-name-of-a-host.in-a-long-domain.example.com\"]\nca = [\"own\"]\n\
         [proxy]\ntype = \"nginx\"\nroot = \"etc\"\naddresses = [\"127.0.0.1\"]\nhttp_port = {port}\n\
         [site.app]\nhosts = [\"app.example.com\"]\n[[site.app.routes]]\npath = \"/\"\nanswer = {{ body = \"x\" }}\n\
         [service.worker]\ncommand = [\"/bin/sleep\", \"9\"]\nuser = \"nobody\"\n",
        port = free_port()
    ));
    lab.write("data/<b>a</b>", "x");
    lab.ok(&["cert", "issue", "api"]);
    let host = host(&lab);
    for day in 0..30 {
        let grown = 400_000 * (60 - day);
        let forged = Forged {
            plain: 4 * grown,
            stored: grown,
            rows: Some(30_000 - 10 * day),
            seconds: 40.0 + (day % 7) as f64,
            ..Forged::before(24.0 * day as f64 + 1.0, &host)
        };
        forged.put(&lab.path("sink"));
        if day > 2 {
            forged.put(&lab.path("far"));
        }
    }
    let host_name = Some("<web-2>".to_owned());
    Forged { host_name, ..Forged::before(30.0, "00112233445566aa") }.put(&lab.path("sink"));
    lab
}

#[test]
fn the_page_is_whole_in_a_browser_at_three_widths() {
    let lab = lab();
    let page = lab.path("status.html");
    fs::write(&page, "before").unwrap();
    let run = lab.run(&["status", "--all-hosts", "--html", page.to_str().unwrap()]);
    let run = run.expect_code(1);
    assert_eq!(run.stdout, "");
    let text = fs::read_to_string(&page).unwrap();
    for words in [
        "<html lang=\"en\">",
        "nightly of &lt;web-2&gt;",
        "<code>30 2 * * *</code>",
        "cannot be asked",
        "Lacks</dt><dd>3 snapshots",
        "Prune removes</dt><dd>10 snapshots",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert!(!text.contains("<script") && !text.contains("<web-2>"));
    let pictures = lab.path("pictures");
    fs::create_dir(&pictures).unwrap();
    let looked = Command::new("node")
        .arg(looker().join("look.js"))
        .args([&page, &pictures])
        .output()
        .expect("cannot run node: apt-get install nodejs");
    let said = String::from_utf8([looked.stdout, looked.stderr].concat()).unwrap();
    assert!(looked.status.success() && said.is_empty(), "{said}");
    assert_eq!(fs::read_dir(&pictures).unwrap().count(), 6);
}

#[test]
fn a_page_that_cannot_be_written_leaves_the_one_before() {
    let lab = Lab::new();
    let run = lab.run(&["status", "--html", "/proc/none/status.html"]).expect_code(1);
    run.says(&["cannot write /proc/none/status.html"]);
    let document = lab.run(&["status", "--html", "page.html", "--json"]).expect_code(1).json();
    assert_eq!(document["command"], "status");
    assert!(lab.path("page.html").exists());
}
