//! Independent readers: crossplane reads what we wrote as we do, gixy finds nothing in it, and
//! nginx itself takes it without a warning.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use seaworthy_core::FileSet;
use seaworthy_proxy_config::syntax::{self, Directive};
use serde_json::Value;

use crate::{
    lab::{Lab, nginx_target, run},
    support::{VERSIONS, example, render, repository, target},
};

const CROSSPLANE: &str = "crossplane==0.5.8";
const GIXY: &str = "gixy-ng==0.2.59";

/// The folder of Python programs of these versions, installed on first use.
fn python_programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let venv = repository().join("target/oracles/venv");
        let done = venv.join(format!("{CROSSPLANE}-{GIXY}"));
        if !done.exists() {
            let python = run("python3", &["-m", "venv", venv.to_str().unwrap()]);
            assert!(python.status.success(), "apt-get install python3-venv");
            let pip = venv.join("bin/pip");
            let installed = Command::new(pip).args(["install", "-q", CROSSPLANE, GIXY]).status();
            assert!(installed.unwrap().success(), "cannot install {CROSSPLANE} and {GIXY}");
            fs::write(done, "").unwrap();
        }
        venv.join("bin")
    })
}

fn tool(name: &str, arguments: &[&str]) -> Value {
    let output = run(python_programs().join(name).to_str().unwrap(), arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{name}: {e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What crossplane read, as our own reader gives it.
fn read_by_crossplane(parsed: &Value) -> Vec<Directive> {
    let directives = parsed.as_array().unwrap().iter();
    let directives = directives.filter(|d| d["directive"] != "#");
    directives
        .map(|directive| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let mut words = vec![text(&directive["directive"])];
            words.extend(directive["args"].as_array().unwrap().iter().map(text));
            // It undoes the escapes of quotes, and leaves those of backslashes.
            let words: Vec<_> = words.iter().map(|word| word.replace("\\\\", "\\")).collect();
            let mut read = syntax::parse("x;").unwrap().remove(0);
            read.words = words;
            read.block = directive.get("block").map(read_by_crossplane);
            read
        })
        .collect()
}

/// Directives of both readers in the same form.
fn alike(mut directive: Directive) -> Directive {
    if directive.name() == "if" {
        // crossplane takes the parentheses away.
        let text = directive.words[1..].join(" ");
        let inner = text.trim_start_matches('(').trim_end_matches(')');
        let words = std::iter::once("if").chain(inner.split(' '));
        directive.words = words.map(str::to_owned).collect();
    }
    directive.line = 0;
    directive.block = directive.block.map(|block| block.into_iter().map(alike).collect());
    directive
}

fn compare_with_crossplane(files: &FileSet) {
    let folder = tempfile::tempdir().unwrap();
    for (path, file) in files.iter().filter(|(path, _)| path.ends_with(".conf")) {
        let at = folder.path().join(path.replace('/', "-"));
        let text = std::str::from_utf8(&file.bytes).unwrap();
        // It knows where which directive may stand.
        let whole = match path {
            "nginx.conf" => text.to_owned(),
            _ => format!("http {{\n{text}}}\n"),
        };
        fs::write(&at, &whole).unwrap();
        let arguments = ["parse", "--single-file", "--no-catch", at.to_str().unwrap()];
        let theirs = read_by_crossplane(&tool("crossplane", &arguments)["config"][0]["parsed"]);
        let ours = syntax::parse(&whole).unwrap();
        let [theirs, ours] = [theirs, ours].map(|d| d.into_iter().map(alike).collect::<Vec<_>>());
        assert_eq!(theirs, ours, "{path}");
    }
}

#[test]
fn crossplane_reads_the_examples_as_we_do() {
    for version in [VERSIONS[0], VERSIONS[3]] {
        for name in ["flotteq", "gw2"] {
            compare_with_crossplane(&render(&crate::support::web(&example(name)), target(version)));
        }
    }
}

/// Values that are allowed, and full of what means something to nginx elsewhere.
const SHARP: &str = r##"
[proxy]
own_root = true
[certificate.c]
[site.a]
hosts = ["a.example", "*.b.example"]
certificate = "c"
csp = "default-src 'self'; report-uri /r; x \"{}\" # ; \\ \\n \\\""
headers = { X-Sharp = "a;b{c}d'e\"f\\g#h ~^ @x = include", X-Include = "include" }
basic_auth = { realm = "a \"b\"; {c} \\d # 'e'", file = "/srv/htpasswd" }
error_pages = { 404 = "/srv/errors/404.html" }
[[site.a.routes]]
path = "/"
files = { root = "/srv/www", immutable = ["/a;b{c}'d\"e f/"] }
[[site.a.routes]]
path = "/a b;{\"'}/"
files = { root = "/srv/a b;{\"'}" }
[[site.a.routes]]
path = "/~x"
answer = { body = "{\"a\": \"b;}\"} # 'c' \\n \\\\" }
[[site.a.routes]]
path = "/@x"
exact = true
redirect = { to = "https://a.example/?a=b;c#d" }
"##;

#[test]
fn crossplane_reads_sharp_values_as_we_do() {
    compare_with_crossplane(&render(&crate::support::web(SHARP), target(VERSIONS[1])));
}

#[test]
fn nginx_takes_sharp_values_and_serves_them() {
    let mut lab = Lab::new();
    lab.write("srv/htpasswd", "");
    let open = SHARP.replace("path = \"/~x\"\n", "path = \"/~x\"\nbasic_auth = false\n");
    let web = lab.web(&open);
    lab.boot(&web);
    let answer = lab.get("https://a.example/~x", &[]).expect(200);
    assert_eq!(answer.text(), r##"{"a": "b;}"} # 'c' \n \\"##);
    assert_eq!(answer.header("X-Sharp"), r##"a;b{c}d'e"f\g#h ~^ @x = include"##);
    assert_eq!(
        answer.header("Content-Security-Policy"),
        r##"default-src 'self'; report-uri /r; x "{}" # ; \ \n \""##
    );
    let asked = lab.get("https://a.example/", &[]).expect(401);
    assert_eq!(asked.header("WWW-Authenticate"), r##"Basic realm="a "b"; {c} \d # 'e'""##);
}

#[test]
fn gixy_finds_nothing_in_the_examples() {
    for name in ["flotteq", "gw2"] {
        let lab = Lab::new();
        let mut web = lab.web(&example(name));
        // gixy reads one whole tree.
        web.proxy.own_root = true;
        let files = render(&web, nginx_target());
        files.write_to(&lab.path("etc/seaworthy/current")).unwrap();
        let main = lab.path("etc/seaworthy/current/nginx.conf");
        let found = tool("gixy", &["-f", "json", main.to_str().unwrap()]);
        assert_eq!(found, Value::Array(Vec::new()), "{name}: {found:#}");
    }
}
