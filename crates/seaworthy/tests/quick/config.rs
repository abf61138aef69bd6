//! What the file may say, and what is said about one that is wrong.

use proptest::prelude::*;
use seaworthy::{Config, core::ErrorKind};

const GOOD: &str = r#"state = "state"
time_zone = "Europe/Paris"

[sink.local]
type = "local"
path = "../backups"

[backup.nightly]
sinks = ["local"]
schedule = "30 2 * * *"
keep = { within = "30d", monthly = 6 }
compression = { codec = "gzip", level = 9 }
verify_after = "stat"
limit = { workers = 2, temp = "/var/tmp" }

[backup.nightly.keep_on.local]
last = 3

[backup.nightly.sources.uploads]
paths = ["uploads", "/srv/x"]
exclude = ["*.tmp", "cache/"]
type = "files"

[backup.nightly.sources.app]
type = "sqlite"
path = "app.db"
foreign_keys = "fail"

[backup.nightly.restore]
before = [["systemctl", "stop", "app"]]
after = [["systemctl", "start", "app"]]
"#;

fn read(text: &str) -> Result<Config, (String, Option<String>)> {
    Config::from_text(text, "/etc/sea/x.toml".as_ref()).map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::Config);
        (error.to_string(), error.remedy().map(Into::into))
    })
}

#[test]
fn a_good_file_reads_with_paths_made_whole_and_sources_in_order() {
    let config = read(GOOD).unwrap();
    let json = serde_json::to_value(&config).unwrap();
    assert_eq!(json["state"], "/etc/sea/state");
    assert_eq!(json["sink"]["local"]["path"], "/etc/backups");
    let sources = &json["backup"]["nightly"]["sources"];
    assert_eq!(sources["uploads"]["paths"][0], "/etc/sea/uploads");
    assert_eq!(sources["app"]["path"], "/etc/sea/app.db");
    let job = config.backup.get("nightly").unwrap();
    let names: Vec<_> = job.sources.names().map(|name| name.as_str()).collect();
    assert_eq!(names, ["uploads", "app"]);
}

const AGE: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

#[test]
fn keys_are_read_and_their_files_found() {
    let keys = format!(
        "encryption = {{ recipients = [{AGE:?}] }}\nsigning = {{ key = {{ file = \"sign.key\" }} }}"
    );
    let config = read(&with("verify_after = \"stat\"", &keys)).unwrap();
    let json = serde_json::to_value(&config).unwrap();
    let job = &json["backup"]["nightly"];
    assert_eq!(job["encryption"]["recipients"][0], AGE);
    assert_eq!(job["signing"]["key"]["file"], "/etc/sea/sign.key");
    let private = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ";
    let keys = format!("encryption = {{ recipients = [{private:?}] }}");
    let (error, _) = read(&with("verify_after = \"stat\"", &keys)).unwrap_err();
    assert!(
        error.contains("a private key is given as recipient, where a public one is needed"),
        "{error}"
    );
    assert!(!error.contains("1QQQ"), "{error}");
}

/// Replaces the first `from` of the good file by `to`.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn each_mistake_is_named_with_its_place_and_what_to_do() {
    let mut wrong = Vec::new();
    for (text, place, message, remedy) in [
        // Unknown keys and words.
        (with("compression", "comression"), "12:1", r#"unknown key "comression" in [backup.nightly]"#, r#"did you mean "compression"?"#),
        (with("exclude", "excludes"), "21:1", r#"unknown key "excludes" in [backup.nightly.sources.uploads]"#, r#"did you mean "exclude"?"#),
        (with("time_zone", "timezone"), "2:1", r#"unknown key "timezone""#, r#"did you mean "time_zone"?"#),
        (with("[sink.local]", "[sinks.local]"), "4:2", r#"unknown key "sinks""#, r#"did you mean "sink"?"#),
        (with("monthly = 6", "montly = 6"), "11:26", r#"unknown key "montly" in [backup.nightly.keep]"#, r#"did you mean "monthly"?"#),
        (with("\"gzip\"", "\"gzpi\""), "12:25", r#"unknown codec "gzpi" in [backup.nightly.compression]"#, r#"did you mean "gzip"?"#),
        (with("\"sqlite\"", "\"sqlte\""), "25:8", r#"unknown type "sqlte" in [backup.nightly.sources.app]"#, r#"did you mean "sqlite"?"#),
        (with("\"stat\"", "\"maybe\""), "13:16", r#"unknown verify_after "maybe" in [backup.nightly]"#, r#"the known ones are "read", "stat""#),
        // Notifiers.
        (with("verify_after = \"stat\"", "notify = [\"ops\"]"), "13:11", r#"[backup.nightly] uses the notifier "ops", which does not exist"#, "add [notify.ops] with a type"),
        (format!("{GOOD}[notify.x]\ntype = \"slack\"\n"), "32:1", "[notify.x] has no `url`", "add url = …"),
        (format!("{GOOD}[notify.x]\ntype = \"slak\"\n"), "33:8", r#"unknown type "slak" in [notify.x]"#, r#"did you mean "slack"?"#),
        (format!("{GOOD}[notify.x]\ntype = \"slack\"\nurl = {{ env = \"U\" }}\non = [\"failur\"]\n"), "35:7", r#"unknown on "failur" in [notify.x]"#, r#"did you mean "failure"?"#),
        (format!("{GOOD}[notify.x]\ntype = \"command\"\ncommand = [\"x\"]\non = []\n"), "35:6", "[notify.x] is told of nothing", "remove `on`, or the whole section"),
        (format!("{GOOD}[notify.x]\ntype = \"webhook\"\nurl = {{ env = \"U\" }}\nbody = '{{}}{{{{name}}}}'\n"), "35:8", "the `body` is not JSON", "write JSON with placeholders inside its strings: '{\"text\": \"{{title}}\"}'"),
        (format!("{GOOD}[notify.x]\ntype = \"email\"\nserver = \"s\"\nfrom = \"a@b\"\nto = []\n"), "36:6", "[notify.x] goes to nobody", "write to = [\"ops@example.com\"]"),
        // Wrong types and values.
        (with("workers = 2", "workers = \"2\""), "14:21", "`workers` in [backup.nightly.limit] must be a whole number that is not negative, not a string", ""),
        (with("workers = 2", "workers = -2"), "14:21", "`workers` in [backup.nightly.limit] must be a whole number that is not negative, not -2", ""),
        (with("[\"local\"]", "\"local\""), "9:9", "`sinks` in [backup.nightly] must be a list, not a string", ""),
        (with("[\"local\"]", "[3]"), "9:10", "`sinks` in [backup.nightly] must be a name, not a whole number", ""),
        (with("path = \"app.db\"", "path = 3"), "26:8", "`path` in [backup.nightly.sources.app] must be a path, not a whole number", ""),
        (with("state = \"state\"", "state = true"), "1:9", "`state` must be a path, not true or false", ""),
        (with("30d", "30x"), "11:19", r#"`within` in [backup.nightly.keep]: "30x" is not a duration; write it like 1y, 8w, 30d, 12h, 5m or 90s"#, ""),
        (with("Paris", "Pariss"), "2:13", r#"`time_zone`: unknown time zone "Europe/Pariss"; use a name from the IANA database, such as "Europe/Paris""#, ""),
        (with("30 2 * * *", "30 2 * *"), "10:12", r#"`schedule` in [backup.nightly]: a schedule has five fields, "30 2 * *" has 4; write five cron fields, such as "30 2 * * *" for every night at 2:30"#, ""),
        (with("level = 9", "level = 12"), "12:41", "gzip has no level 12", "use a level from 1 to 9"),
        (with("[[\"systemctl\", \"stop\", \"app\"]]", "[[]]"), "30:11", r#"`before` in [backup.nightly.restore]: a command needs a program"#, ""),
        (with("last = 3", "last = 0"), "17:8", "`last` in [backup.nightly.keep_on.local]: a count of 0 would keep nothing", ""),
        // Keys.
        (with("verify_after = \"stat\"", "encryption = { recipients = [\"age1x\"] }"), "13:30", r#"the recipient "age1x" is malformed"#, "copy it again; a key of X25519 is age1 and 58 letters and digits"),
        (with("verify_after = \"stat\"", &format!("encryption = {{ recipients = [{AGE:?}, \"x\"] }}")), "13:96", r#"the recipient "x" is not a public key that age supports"#, "write one line: age1…, ssh-ed25519 … or ssh-rsa …"),
        (with("verify_after = \"stat\"", &format!("encryption = {{ passphrase = {{ env = \"X\" }}, recipients = [{AGE:?}] }}")), "13:16", "[backup.nightly.encryption] has both a passphrase and recipients: age does \
                 not support this", "remove one of the two"),
        (with("verify_after = \"stat\"", "encryption = {}"), "13:1", "[backup.nightly.encryption] has no recipients to encrypt for", ""),
        (with("verify_after = \"stat\"", "signing = {}"), "13:1", "[backup.nightly.signing] neither signs nor trusts", ""),
        (with("verify_after = \"stat\"", "signing = { trust = [\"RWQx\"] }"), "13:22", r#""RWQx" is not a public key of minisign"#, ""),
        // Buckets.
        (with("\"local\"\npath", "\"s3\"\npath"), "6:1", r#"unknown key "path" in [sink.local]"#, ""),
        (format!("{GOOD}[sink.x]\ntype = \"s3\"\n"), "32:1", "[sink.x] has no `bucket`", "add bucket = …"),
        (format!("{GOOD}[sink.x]\ntype = \"s3\"\nbucket = \"a/b\"\n"), "34:10", r#""a/b" is not the name of a bucket"#, "write the bucket's name alone; a folder in it goes in `prefix`"),
        (format!("{GOOD}[sink.x]\ntype = \"s3\"\nbucket = \"b\"\nendpoint = \"http://minio\"\n"), "35:12", "http://minio would send everything unencrypted", "use https://, or set allow_http = true"),
        (format!("{GOOD}[sink.x]\ntype = \"s3\"\nbucket = \"b\"\npart_size = \"1MiB\"\n"), "35:13", "the part size cannot be 1.00 MiB", "write a size from 5MiB to 5GiB"),
        (format!("{GOOD}[sink.x]\ntype = \"s3\"\nbucket = \"b\"\naccess_key_id = {{ env = \"X\" }}\n"), "35:1", "[sink.x] has no `secret_access_key`", "an id and a secret belong together"),
        (format!("{GOOD}[sink.x]\ntype = \"b2\"\nbucket = \"b\"\nregion = \"r\"\nkey_id = {{ env = \"X\" }}\n"), "32:1", "[sink.x] has no `application_key`", "add application_key = …"),
        (format!("{GOOD}[sink.x]\ntype = \"s3\"\nbucket = \"b\"\nprune = {{ profile = \"p\" }}\n"), "35:1", "[sink.x] has keys for `prune`, but is not append-only", "add append_only = true, or leave the keys out"),
        (with("path = \"../backups\"", "path = \"../backups\"\nappend_only = true"), "17:25", "the sink \"local\" is append-only, so only `within` applies there, not `last \
                 3`", "a stolen key could be used to push out snapshots by storing new \
                          ones; write [backup.nightly.keep_on.local] with `within` alone"),
        // Missing values, and contradictions.
        (with("sinks = [\"local\"]\n", ""), "8:1", "[backup.nightly] has no `sinks`", "add sinks = …"),
        (with("type = \"sqlite\"\n", ""), "24:1", "[backup.nightly.sources.app] has no `type`", "add type = …"),
        (with("[\"local\"]", "[]"), "9:9", "[backup.nightly] has no sinks", r#"add a sink, such as sinks = ["local"]"#),
        (with("[\"local\"]", "[\"locl\"]"), "9:10", r#"[backup.nightly] uses the sink "locl", which does not exist"#, ""),
        (with("[\"local\"]", "[\"local\", \"local\"]"), "9:19", r#"[backup.nightly] lists the sink "local" twice"#, "list each sink once"),
        (with("keep_on.local", "keep_on.locla"), "16:25", r#"[backup.nightly] has retention rules for "locla", which is not one of its sinks"#, r#"did you mean "local"?"#),
        (with("[\"uploads\", \"/srv/x\"]", "[]"), "20:9", "`paths` in [backup.nightly.sources.uploads] is empty", "say what to back up"),
        (with("workers = 2", "workers = 0"), "14:21", "the number of workers is out of range", "write a number from 1 to 256, or remove it"),
        ("backup.\"../x\" = { sinks = [\"a\"], sources = {} }".into(), "1:8", r#""../x" is not a name"#, ""),
        ("[sink]\nlocal = 3\n".into(), "2:9", "`local` in [sink] must be a table such as { type = \"local\", path = … }, not a whole number", ""),
        ("sink = 3\n".into(), "1:8", "`sink` must be a table", "write [sink.NAME]"),
        ("[backup.x]\nsinks = [\"local\"]\nsources = {}\n[sink.local]\ntype = \"local\"\npath = \"x\"\n".into(), "3:1", "[backup.x] has no sources", "add [backup.x.sources.NAME] with a type"),
        // No TOML.
        (with("[\"local\"]", "[\"local\""), "10:1", "missing comma", ""),
        (with("[sink.local]", "[sink.local"), "4:12", "", ""),
        (with("codec = \"gzip\"", "codec = gzip"), "12:25", "", ""),
        (format!("{GOOD}[sink.local]\n"), "32:7", "duplicate key", ""),
    ] {
        let (error, advice) = read(&text).unwrap_err();
        if !error.starts_with(&format!("/etc/sea/x.toml:{place}: {message}"))
            || (!remedy.is_empty() && advice.as_deref() != Some(remedy))
        {
            wrong.push(format!("expected {place}: {message}\n{error}\nhelp: {advice:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_does_not_fit_together_in_sites_is_named_with_its_place() {
    const SITES: &str = r#"[proxy]
acme_webroot = "www"
[site."a.b"]
hosts = ["a.example"]
error_pages = { 404 = "pages/404.html" }
[[site."a.b".routes]]
path = "/"
files = { root = "srv", immutable = ["/assets/"] }
[[site."a.b".routes]]
path = "/api/"
proxy = { to = [{ service = "api" }] }
[service.api]
port = 3000
instances = 2
command = ["node"]
"#;
    let config = Config::from_text(SITES, "/etc/sea/x.toml".as_ref()).unwrap();
    let web = config.web().unwrap();
    assert_eq!(web.proxy.acme_webroot.as_ref().unwrap().as_str(), "/etc/sea/www");
    let site = web.sites.values().next().unwrap();
    assert_eq!(site.routes[0].files.as_ref().unwrap().root.as_str(), "/etc/sea/srv");
    let ports: Vec<_> = web.services.values().flatten().map(ToString::to_string).collect();
    assert_eq!(ports, ["127.0.0.1:3000", "127.0.0.1:3001"]);
    let mut wrong = Vec::new();
    for (from, to, places) in [
        ("\"/assets/\"", "\"/assets\"", &["8:38: site.a.b.routes[0].files.immutable[0]"][..]),
        ("[\"a.example\"]", "[]", &["4:9: site.a.b.hosts: a site needs a host"]),
        ("path = \"/api/\"", "path = \"/\"", &["10:8: site.a.b.routes[1].path: routes[0] has"]),
        ("service = \"api\"", "service = \"ap\"", &["11:17: site.a.b.routes[1].proxy.to[0]"]),
        ("port = 3000", "port = 65535", &["13:8: "]),
        ("www\"", "www\"\nhttp_port = 443", &["1:2: proxy.https_port"]),
        ("404 =", "200 =", &["5:17: `error_pages` in [site.\"a.b\"]: \"200\" is not"]),
        // Two at once.
        ("[\"a.example\"]", "[]\nconnection_limit = 0", &["4:9: ", "5:20: "]),
    ] {
        assert!(SITES.contains(from), "{from}");
        let (error, _) = read(&SITES.replacen(from, to, 1)).unwrap_err();
        if !places.iter().all(|place| error.contains(&format!("/etc/sea/x.toml:{place}"))) {
            wrong.push(format!("expected {places:?}\n{error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_line_is_shown_with_a_mark_below_the_place() {
    let (error, _) = read(&with("compression", "comression")).unwrap_err();
    insta::assert_snapshot!(error, @r#"
    /etc/sea/x.toml:12:1: unknown key "comression" in [backup.nightly]
        |
     12 | comression = { codec = "gzip", level = 9 }
        | ^^^^^^^^^^
    "#);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = with("[sink.local]", "[sink.\"..\"]").replace("30d", "x").replace("Paris", "x");
    let (error, remedy) = read(&text).unwrap_err();
    for place in [":2:13: ", ":4:7: ", ":11:19: "] {
        assert!(error.contains(place), "{place}\n{error}");
    }
    assert!(error.contains("help: begin with a letter"), "{error}");
    assert_eq!(remedy, None);
}

#[test]
fn a_secret_in_plain_text_is_refused_and_never_shown() {
    let sink = "[sink.b2]\ntype = \"b2\"\n";
    for text in [
        format!("{sink}application_key = \"hunter2\"\n"),
        "sink.b2 = { type = \"b2\", key_id = \"hunter2\" }\n".into(),
        "notify.ops = { type = \"slack\", url = \"https://hunter2\" }\n".into(),
        format!("{sink}application_key = '''\nhunter2\n'''\n"),
        format!("{sink}prune = {{ application_key = \"hunter2\" }}\n"),
        "[backup.x]\nencryption = { passphrase = \"hunter2\" }\n".into(),
        "[backup.x]\nsigning = { key = \"hunter2\" }\n".into(),
        "[backup.x.sources.db]\ntype = \"postgres\"\nurl = \"postgres://hunter2@x\"\n".into(),
    ] {
        let (error, _) = read(&text).unwrap_err();
        let said = error.matches("a secret is never written in the file").count();
        assert_eq!(said, 1, "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    // The file does not even parse.
    for text in [
        format!("{sink}application_key = \"hunter2\n"),
        format!("{sink}application_key = \"hunter2\\q\"\n"),
        format!("{sink}application_key = '''\n hunter2 \u{1}\n'''\n"),
        format!("{sink}application_key = 'hunter2' x\n"),
    ] {
        let (error, _) = read(&text).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_text_or_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("x.toml"));
    std::fs::write(&path, b"a = 1\nb = \xff").unwrap();
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("x.toml:2:5: "), "{error}");
}

#[cfg(feature = "schema")]
#[test]
fn the_schema_knows_every_key_and_nothing_else() {
    let schema = seaworthy::config::schema();
    assert!(schema["$schema"].as_str().unwrap().contains("2020-12"));
    let text = schema.to_string();
    let config = serde_json::to_value(read(GOOD).unwrap()).unwrap();
    let top = &schema["properties"];
    for key in config.as_object().unwrap().keys() {
        assert!(top.get(key).is_some_and(|p| p["description"].is_string()), "{key}");
    }
    let job = &schema["$defs"]["JobConfig"];
    for key in config["backup"]["nightly"].as_object().unwrap().keys() {
        assert!(job["properties"].get(key).is_some(), "{key}");
    }
    assert_eq!(job["additionalProperties"], false);
    assert_eq!(schema["additionalProperties"], false);
    for (section, key) in [("Proxy", "own_root"), ("Site", "routes"), ("Upstream", "pools")] {
        assert!(schema["$defs"][section]["properties"].get(key).is_some(), "{section}.{key}");
        assert_eq!(schema["$defs"][section]["additionalProperties"], false);
    }
    for word in [
        "\"local\"",
        "\"s3\"",
        "\"b2\"",
        "\"append_only\"",
        "\"files\"",
        "\"sqlite\"",
        "\"foreign_keys\"",
        "\"within\"",
        "\"recipients\"",
        "\"trust\"",
    ] {
        assert!(text.contains(word), "{word}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_file_however_broken_makes_it_panic(
        cut in 0..GOOD.len(),
        flips in prop::collection::vec((0..GOOD.len(), any::<u8>()), 0..4),
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (at, byte) in flips {
            bytes[at] ^= byte;
        }
        bytes.truncate(bytes.len() - cut);
        let text = String::from_utf8_lossy(&bytes);
        let _ = Config::from_text(&text, "x.toml".as_ref());
    }
}

const CERTIFICATES: &str = r#"[ca.letsencrypt]
type = "acme"
directory = "letsencrypt"
agree_tos = true
eab = { key_id = { env = "KID" }, hmac_key = { file = "hmac" } }
[tls]
store = "tls"
[certificate.api]
names = ["api.example.com"]
ca = ["letsencrypt"]
challenge = { type = "http-01", webroot = "acme" }
key = "p384"
deploy = [["systemctl", "reload", "nginx"]]
[certificate.theirs]
names = ["their.example.com"]
external = { chain = "their.pem", key = "their.key" }
prove = ["192.0.2.1:8443", "192.0.2.2"]
"#;

#[test]
fn certificates_read_with_paths_made_whole() {
    let config = read(CERTIFICATES).unwrap();
    let json = serde_json::to_value(&config).unwrap();
    assert_eq!(json["tls"]["store"], "/etc/sea/tls");
    assert_eq!(json["certificate"]["api"]["challenge"]["webroot"], "/etc/sea/acme");
    assert_eq!(json["certificate"]["theirs"]["external"]["key"], "/etc/sea/their.key");
    assert_eq!(json["ca"]["letsencrypt"]["eab"]["hmac_key"]["file"], "/etc/sea/hmac");
}

#[test]
fn mistakes_about_certificates_are_named_with_their_place() {
    let replaced = |from: &str, to: &str| {
        assert!(CERTIFICATES.contains(from), "{from}");
        CERTIFICATES.replacen(from, to, 1)
    };
    for (text, place, message) in [
        (replaced("[\"api.", "[\"*."), ":9:10", "only dns-01 can prove"),
        (replaced("agree_tos = true\n", ""), ":1:5", "does not agree"),
        (replaced("ca = [\"letsencrypt\"]", "ca = [\"letsencrpt\"]"), ":10:7", "does not exist"),
        (replaced("webroot = \"acme\"", ""), ":11", "none of `webroot`, `standalone`"),
        (replaced("p384", "p521"), ":12:7", "unknown key \"p521\""),
        (
            replaced("[\"api.example.com\"]", "[\"api example\"]"),
            ":9:10",
            "not a name for a certificate",
        ),
        (replaced("{ env = \"KID\" }", "\"hunter2\""), ":5", "never written in the file"),
        (replaced("ca = [\"letsencrypt\"]\n", ""), ":8", "has no authority"),
        (replaced("external", "ca = [\"letsencrypt\"]\nexternal"), ":16", "but also has"),
    ] {
        let (said, _) = read(&text).unwrap_err();
        assert!(said.contains(message) && said.contains(place), "{place} {message} in {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
