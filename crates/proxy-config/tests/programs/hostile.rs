//! Hostile text in every field: refused with the field's name, or nginx reads exactly what is meant.

use std::fmt::Write;

use proptest::prelude::*;
use seaworthy_core::{ConfigRenderer, FileSet};
use seaworthy_proxy_config::{NginxRenderer, syntax};

use crate::{
    lab::nginx_target,
    support::{VERSIONS, target, try_web},
};

/// Every field that takes text: its name, and a harmless value that stands nowhere else.
const FIELDS: &[(&str, &str)] = &[
    ("logs", "/harmless/logs"),
    ("pid", "/harmless/pid"),
    ("user", "harmlessuser"),
    ("acme_webroot", "/harmless/acme"),
    ("header", "X-Harmless-Ip"),
    ("types", "harmless/type"),
    ("from", "192.0.2.1"),
    ("hosts", "only.host.example"),
    ("csp", "harmless-csp"),
    ("X-Value", "harmless-value"),
    ("headers", "X-Harmless-Name"),
    ("realm", "harmless-realm"),
    ("file", "/harmless/file"),
    ("404", "/harmless/error.html"),
    ("page", "/harmless/page.html"),
    ("max_body", "7MiB"),
    ("allow", "198.51.100.7"),
    ("rate", "17r/s"),
    ("path", "/harmless-path/"),
    ("root", "/harmless/root"),
    ("immutable", "/harmless-immutable/"),
    ("to", "harmless.upstream:17"),
    ("destination", "https://harmless.example/to"),
    ("body", "harmless-body"),
    ("type", "harmless/answer"),
    ("read", "17m"),
    ("servers", "127.0.0.17:17"),
    ("exempt", "198.51.100.17"),
];

/// A file with all fields, of which `field` holds `text`.
fn document(field: &str, text: &str) -> String {
    let value = |name: &str| {
        let harmless = FIELDS.iter().find(|(other, _)| *other == name).unwrap().1;
        quoted(if name == field { text } else { harmless })
    };
    format!(
        r#"
[proxy]
own_root = true
logs = {logs}
pid = {pid}
user = {user}
acme_webroot = {acme}
real_ip = {{ from = [{from}], header = {header} }}
gzip = {{ types = [{types}] }}
logrotate = true
[upstream.pool]
servers = [{servers}]
[site.a]
hosts = [{hosts}]
csp = {csp}
headers = {{ X-Value = {value}, {name} = "named" }}
basic_auth = {{ realm = {realm}, file = {file} }}
error_pages = {{ 404 = {error} }}
maintenance = {{ page = {page} }}
max_body = {max_body}
allow = [{allow}]
rate_limit = {{ rate = {rate}, exempt = [{exempt}] }}
timeouts = {{ read = {read} }}
[[site.a.routes]]
path = {path}
proxy = {{ to = [{to}] }}
[[site.a.routes]]
path = "/"
files = {{ root = {root}, immutable = [{immutable}] }}
[[site.a.routes]]
path = "/redirect"
redirect = {{ to = {destination} }}
[[site.a.routes]]
path = "/answer"
answer = {{ body = {body}, type = {kind} }}
[[site.a.routes]]
path = "/pool"
proxy = {{ to = [{{ upstream = "pool" }}] }}
"#,
        logs = value("logs"),
        pid = value("pid"),
        user = value("user"),
        acme = value("acme_webroot"),
        from = value("from"),
        header = value("header"),
        types = value("types"),
        servers = value("servers"),
        hosts = value("hosts"),
        csp = value("csp"),
        value = value("X-Value"),
        name = value("headers"),
        realm = value("realm"),
        file = value("file"),
        error = value("404"),
        page = value("page"),
        max_body = value("max_body"),
        allow = value("allow"),
        rate = value("rate"),
        exempt = value("exempt"),
        read = value("read"),
        path = value("path"),
        to = value("to"),
        root = value("root"),
        immutable = value("immutable"),
        destination = value("destination"),
        body = value("body"),
        kind = value("type"),
    )
}

/// A string of TOML that holds `text`.
fn quoted(text: &str) -> String {
    text.chars().fold("\"".to_owned(), |mut out, c| {
        let _ = write!(out, "\\U{:08X}", u32::from(c));
        out
    }) + "\""
}

/// What nginx reads: each directive as its words, and where blocks begin and end.
fn words(files: &FileSet) -> Vec<String> {
    fn walk(directives: &[syntax::Directive], out: &mut Vec<String>) {
        for directive in directives {
            out.extend(directive.words.iter().cloned());
            match &directive.block {
                None => out.push("\0;".to_owned()),
                Some(block) => {
                    out.push("\0{".to_owned());
                    walk(block, out);
                    out.push("\0}".to_owned());
                }
            }
        }
    }
    let mut out = Vec::new();
    for (path, file) in files.iter().filter(|(path, _)| path.ends_with(".conf")) {
        // The mark changes with everything.
        if path != "conf.d/90-proof.conf" {
            out.push(format!("\0{path}"));
            walk(&syntax::parse(std::str::from_utf8(&file.bytes).unwrap()).unwrap(), &mut out);
        }
    }
    out
}

enum Outcome {
    Refused(String),
    Rendered(FileSet),
}

fn outcome(field: &str, text: &str) -> Outcome {
    let web = match try_web(&document(field, text), "/store") {
        Ok(web) => web,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    match NginxRenderer::new(target(VERSIONS[1])).render(&web) {
        Ok(files) => Outcome::Rendered(files),
        Err(error) => {
            let place = error.context().map(|(_, value)| value.to_owned()).collect::<String>();
            Outcome::Refused(format!("{place}: {error}"))
        }
    }
}

fn harmless_words() -> Vec<String> {
    match outcome("", "") {
        Outcome::Rendered(files) => words(&files),
        Outcome::Refused(why) => panic!("the harmless file is refused: {why}"),
    }
}

/// Fails unless `text` in `field` is refused by name or read as it is meant.
fn judge(field: &str, harmless: &str, text: &str) -> Result<bool, TestCaseError> {
    match outcome(field, text) {
        Outcome::Refused(why) => {
            let field = if field == "destination" { "redirect" } else { field };
            prop_assert!(why.contains(field), "{:?} is refused without {}: {}", text, field, why);
            Ok(false)
        }
        Outcome::Rendered(files) => {
            let now = words(&files);
            let before = harmless_words();
            // Values that are reckoned with may look different; they hold no text of the user's.
            if ["max_body", "rate", "read", "allow", "from", "exempt", "servers", "to"]
                .contains(&field)
            {
                prop_assert_eq!(now.len(), before.len(), "{:?} in {}", text, field);
                return Ok(true);
            }
            // Paths of files are cut into folder and name in places.
            if ["404", "page", "root"].contains(&field) {
                prop_assert_eq!(now.len(), before.len(), "{:?} in {}", text, field);
                let changed = now.iter().zip(&before).filter(|(a, b)| a != b).map(|(a, _)| a);
                for word in changed {
                    let whole = text.trim_end_matches('/');
                    prop_assert!(
                        text.contains(word.trim_start_matches('/')) || whole.is_empty(),
                        "{:?}",
                        word
                    );
                }
                return Ok(true);
            }
            let meant: Vec<_> = before.iter().map(|word| word.replace(harmless, text)).collect();
            if field == "headers" {
                // Headers are in the order of their names.
                let sorted = |mut words: Vec<String>| {
                    words.sort();
                    words
                };
                prop_assert_eq!(sorted(now), sorted(meant), "{:?} in {}", text, field);
                return Ok(true);
            }
            prop_assert_eq!(now, meant, "{:?} in {}", text, field);
            Ok(true)
        }
    }
}

/// Ways that are known to lead out of a value.
const ATTACKS: &[&str] = &[
    "",
    " ",
    ";",
    "{",
    "}",
    "a; deny all",
    "a\"; return 200 \"x",
    "a\\",
    "a\\\"",
    "a'b\"c",
    "$host",
    "${host}",
    "a$",
    "a\nb",
    "a\r\nX-Evil: 1",
    "a\0b",
    "#",
    "a #b",
    "~^/",
    "^~ /",
    "= /",
    "@x",
    "/a b",
    "/a;b{c}",
    "/a\"b'c\\d",
    "/../../etc",
    "/*.conf",
    "include",
    "default",
    "off",
    "unix:/run/x.sock",
    "http://$host/",
    "https://a.example/$request_uri",
    "127.0.0.1:80; server 10.0.0.1",
    "a.example b.example",
    "~.*",
    "*.a.example",
    "ä",
    "\u{2028}",
    "\u{202e}",
    "%0d%0a",
    "\\n",
    "\\t\\r",
    "_",
    "\t",
    "\u{7f}",
    "\u{85}",
];

#[test]
fn known_attacks_are_refused_or_mean_nothing() {
    let long = "/a".repeat(5_000);
    let mut rendered = 0;
    for (field, harmless) in FIELDS {
        for text in ATTACKS.iter().copied().chain([long.as_str()]) {
            rendered += usize::from(judge(field, harmless, text).unwrap_or_else(|e| panic!("{e}")));
        }
    }
    assert!(rendered > 100, "nearly all is refused: {rendered}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_refused_by_name_or_read_as_it_is_meant(
        field in 0..FIELDS.len(),
        text in prop_oneof![
            "\\PC{0,24}",
            "/?[a-z\"'\\\\{};#$ ~@*=%\n\t/.-]{0,16}",
            "(https?://)?[a-z.\\\\\"{};#/]{1,16}",
        ],
    ) {
        let (field, harmless) = FIELDS[field];
        judge(field, harmless, &text)?;
    }
}

/// Fields whose harmless or hostile values nginx itself can check: the others are names that it
/// looks up on this machine.
const CHECKED_BY_NGINX: &[&str] = &[
    "header",
    "types",
    "from",
    "hosts",
    "csp",
    "X-Value",
    "headers",
    "realm",
    "file",
    "404",
    "page",
    "max_body",
    "allow",
    "rate",
    "path",
    "root",
    "immutable",
    "destination",
    "body",
    "type",
    "read",
    "servers",
    "exempt",
    "acme_webroot",
];

/// What `nginx -T` shows of our files, read back: each file's directives.
fn shown_by_nginx(files: &FileSet, folder: &std::path::Path) -> Result<Vec<String>, String> {
    let _ = std::fs::remove_dir_all(folder.join("seaworthy"));
    files.write_to(&folder.join("seaworthy/current")).unwrap();
    let main = folder.join("seaworthy/current/nginx.conf");
    let output = crate::lab::run("/usr/sbin/nginx", &["-T", "-q", "-c", main.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || said.contains("[warn]") {
        return Err(said);
    }
    let shown = String::from_utf8(output.stdout).map_err(|e| e.to_string())?;
    let mut again = FileSet::new();
    let prefix = format!("{}/seaworthy/current/", folder.display());
    for part in shown.split("# configuration file ").skip(1) {
        let (path, text) = part.split_once(":\n").ok_or("no name of a file")?;
        let path = path.strip_prefix(&prefix).ok_or(path)?;
        let file = seaworthy_core::RenderedFile::new(text, seaworthy_core::Origin::default());
        again.insert(path, file).map_err(|e| e.to_string())?;
    }
    Ok(words(&again))
}

/// The tokens that nginx shows, or why it shows none.
type Shown = Result<Vec<String>, String>;

/// What nginx shows of the file whose `field` holds `text`, and what is meant; `None` where the file
/// is refused.
fn shown_and_meant(field: &str, text: &str) -> Option<(Shown, Vec<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    // What nginx looks up must be there.
    let text = document(field, text)
        .replace(&quoted("/harmless/logs"), &quoted(&format!("{here}/logs")))
        .replace(&quoted("/harmless/pid"), &quoted(&format!("{here}/pid")))
        .replace(&quoted("harmlessuser"), &quoted("www-data"))
        .replace(&quoted("harmless.upstream:17"), &quoted("127.0.0.1:17"))
        .replace("[proxy]\n", &format!("[proxy]\nroot = \"{here}\"\n"));
    let web = try_web(&text, "/store").ok()?;
    let files = NginxRenderer::new(nginx_target()).render(&web).ok()?;
    Some((shown_by_nginx(&files, folder.path()), words(&files)))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nginx_shows_exactly_what_is_meant(
        field in 0..CHECKED_BY_NGINX.len(),
        text in prop_oneof![
            prop::sample::select(ATTACKS).prop_map(str::to_owned),
            "/[ -~]{0,16}",
            "[ -~]{1,24}",
            "\\PC{0,16}",
        ],
    ) {
        let field = CHECKED_BY_NGINX[field];
        if let Some((shown, meant)) = shown_and_meant(field, &text) {
            prop_assert_eq!(shown, Ok(meant), "{}", field);
        }
    }
}

/// The harmless file is really compared.
#[test]
fn nginx_shows_the_harmless_file() {
    let (shown, meant) = shown_and_meant("", "").unwrap();
    assert!(meant.len() > 500, "{}", meant.len());
    assert_eq!(shown, Ok(meant));
}

#[test]
fn bad_input_names_the_line_and_what_is_right() {
    for (field, text, words) in [
        ("hosts", "bad host", &["hosts = ", "letters, digits"][..]),
        ("path", "api/", &["path = ", "does not begin with a slash"]),
        ("rate", "10", &["rate", "does not end with r/s"]),
        ("csp", "a\nb", &["csp = ", "control character"]),
        ("csp", "$x", &["csp = ", "would name a variable"]),
        ("allow", "203.0.113.7/24", &["allow", "write 203.0.113.0/24"]),
        ("to", "backend", &["to = ", "it has no port"]),
    ] {
        let error = try_web(&document(field, text), "/").unwrap_err().to_string();
        for word in words.iter().chain(&["line "]) {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
    }
    let typo = try_web("[site.a]\nhosts = []\nhost = \"x\"\n", "/").unwrap_err().to_string();
    assert!(typo.contains("unknown field `host`") && typo.contains("line 3"), "{typo}");
}
