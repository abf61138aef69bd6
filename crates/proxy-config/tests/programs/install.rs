//! The installer in a real running nginx: what changes, what is refused, and rollback.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use seaworthy_core::{
    Applied, ConfigRenderer, Context, ErrorKind, Event, FileSet, Progress, apply,
};
use seaworthy_proxy_config::{FilePath, NginxInstaller, NginxRenderer, Web};

use crate::lab::Lab;

fn site(body: &str) -> String {
    format!(
        "[proxy]\n[certificate.c]\n[site.a]\nhosts = [\"a.example\"]\n[[site.a.routes]]\npath = \"/\"\nanswer = {{ body = \"{body}\" }}\n"
    )
}

struct Machine {
    lab: Lab,
    cx: Context,
}

impl Machine {
    /// A running nginx without anything of ours, except the include line.
    fn new() -> Self {
        let mut lab = Lab::new();
        lab.write_foreign_main();
        // Something must listen for the lab to see that it runs.
        let here = lab.path("etc/nginx.conf");
        let text = fs::read_to_string(&here).unwrap();
        let server = format!(
            "    server {{ listen 127.0.0.1:{}; server_name other.example; location / {{ return 200 other; }} }}\n}}\n",
            lab.http
        );
        let (head, _) = text.rsplit_once('}').unwrap();
        fs::write(&here, format!("{head}{server}")).unwrap();
        lab.start();
        Self { lab, cx: Context::new() }
    }

    async fn render(&self, web: &Web) -> (NginxInstaller, FileSet) {
        let installer = NginxInstaller::new(web).unwrap();
        let target = installer.target(&self.cx).await.unwrap();
        let files = NginxRenderer::new(target).render(web).unwrap();
        (installer, files)
    }

    async fn apply(&self, text: &str) -> seaworthy_core::Result<Applied> {
        let (installer, files) = self.render(&self.lab.web(text)).await;
        apply(&installer.generations(), files, &installer, &self.cx).await
    }

    fn answer(&self) -> String {
        self.lab.get("http://a.example/", &[]).text()
    }
}

fn field(error: &seaworthy_core::Error) -> String {
    error.place().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn new_files_are_served_and_the_same_ones_again_change_nothing() {
    let machine = Machine::new();
    assert_eq!(machine.apply(&site("one")).await.unwrap(), Applied::Changed);
    assert_eq!(machine.answer(), "one");
    assert_eq!(machine.apply(&site("one")).await.unwrap(), Applied::Unchanged);
    assert_eq!(machine.apply(&site("two")).await.unwrap(), Applied::Changed);
    assert_eq!(machine.answer(), "two");
    assert_eq!(machine.lab.get("http://other.example/", &[]).text(), "other");
    assert!(!machine.lab.path("etc/.seaworthy-check.conf").exists());
}

#[tokio::test]
async fn a_field_that_nginx_refuses_is_named_and_the_old_files_stay() {
    let machine = Machine::new();
    machine.apply(&site("one")).await.unwrap();
    let live = fs::read_link(machine.lab.path("etc/seaworthy/current")).unwrap();
    for (line, blamed) in [
        ("snippet = \"no_such_directive on;\"\n", "site.a.snippet"),
        ("certificate = \"missing\"\n", "site.a.certificate"),
    ] {
        let text = site("two").replace("[certificate.c]", "[certificate.missing]");
        let text = text.replace("[[site.a.routes]]", &format!("{line}[[site.a.routes]]"));
        let error = machine.apply(&text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert_eq!(field(&error), blamed, "{error:?}");
        assert_eq!(machine.answer(), "one");
        assert_eq!(fs::read_link(machine.lab.path("etc/seaworthy/current")).unwrap(), live);
    }
    // The same host in the rest of the tree is only a warning to nginx.
    let twice = site("two").replace("a.example", "other.example");
    let error = machine.apply(&twice).await.unwrap_err();
    assert!(error.to_string().contains("conflicting server name"), "{error:?}");
    assert_eq!(field(&error), "site.a");
}

#[tokio::test]
async fn one_bad_site_is_found_among_good_ones() {
    let machine = Machine::new();
    let mut text = site("one");
    text.push_str("[site.b]\nhosts = [\"b.example\"]\nsnippet = \"bad on;\"\n[[site.b.routes]]\npath = \"/\"\nanswer = { }\n");
    let (installer, files) = machine.render(&machine.lab.web(&text)).await;
    let folder = machine.lab.path("staged");
    files.write_to(&folder).unwrap();
    let link = machine.lab.path("etc/seaworthy/current");
    let staged = seaworthy_core::StagedFiles::new(folder, link, files);
    let failing = installer.failing_sites(&staged, &machine.cx).await.unwrap();
    let names: Vec<_> = failing.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b"]);
    assert_eq!(field(&failing[0].1), "site.b.snippet");
}

#[tokio::test]
async fn what_is_not_served_is_taken_back() {
    let machine = Machine::new();
    machine.apply(&site("one")).await.unwrap();
    // A reload that does nothing: the files are right, and nobody reads them.
    let lazy = site("two").replacen("[proxy]\n", "[proxy]\nreload = [\"false\"]\n", 1);
    let error = machine.apply(&lazy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Command);
    assert_eq!(machine.answer(), "one");
    assert_eq!(machine.apply(&site("one")).await.unwrap(), Applied::Unchanged);
}

#[tokio::test]
async fn hand_edits_are_seen_and_said() {
    #[derive(Debug, Default)]
    struct Warnings(Mutex<Vec<String>>);
    impl Progress for Warnings {
        fn event(&self, event: &Event) {
            if let Event::Warning { message } = event {
                self.0.lock().unwrap().push(message.clone());
            }
        }
    }
    let mut machine = Machine::new();
    machine.apply(&site("one")).await.unwrap();
    let file = machine.lab.path("etc/seaworthy/current/conf.d/50-site-a.conf");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("one", "edited")).unwrap();
    let (installer, files) = machine.render(&machine.lab.web(&site("one"))).await;
    let drift = installer.generations().drift().unwrap();
    assert_eq!(drift[0].0, "conf.d/50-site-a.conf");
    assert_eq!(installer.generations().diff(&files).unwrap().len(), 1);
    let warnings = Arc::new(Warnings::default());
    machine.cx = machine.cx.with_progress(warnings.clone());
    assert_eq!(machine.apply(&site("one")).await.unwrap(), Applied::Changed);
    assert!(warnings.0.lock().unwrap()[0].contains("50-site-a.conf was edited by hand"));
    assert_eq!(machine.answer(), "one");
}

#[tokio::test]
async fn a_tree_that_does_not_include_ours_says_how() {
    let machine = Machine::new();
    fs::write(machine.lab.path("etc/nginx.conf"), "events { }\nhttp { }\n").unwrap();
    let error = machine.apply(&site("one")).await.unwrap_err();
    assert!(error.remedy().unwrap().contains("conf.d/*.conf;"), "{error:?}");
}

#[tokio::test]
async fn a_main_file_that_is_not_ours_is_never_replaced() {
    let machine = Machine::new();
    let before = fs::read_to_string(machine.lab.path("etc/nginx.conf")).unwrap();
    let own = site("one").replacen("[proxy]\n", "[proxy]\nown_root = true\n", 1);
    let error = machine.apply(&own).await.unwrap_err();
    assert_eq!(
        (error.kind(), field(&error).as_str()),
        (ErrorKind::AlreadyExists, "proxy.own_root")
    );
    assert_eq!(fs::read_to_string(machine.lab.path("etc/nginx.conf")).unwrap(), before);
}

#[tokio::test]
async fn the_whole_tree_can_be_ours() {
    let machine = Machine::new();
    let main = machine.lab.path("etc/nginx.conf");
    fs::rename(&main, machine.lab.path("etc/nginx.conf.before")).unwrap();
    let own = |body: &str| site(body).replacen("[proxy]\n", "[proxy]\nown_root = true\n", 1);
    // A first installation that fails leaves nothing behind, and nginx continues.
    let lazy = own("one").replacen("[proxy]\n", "[proxy]\nreload = [\"false\"]\n", 1);
    let error = machine.apply(&lazy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Command);
    assert!(!error.to_string().contains("the rollback failed"), "{error:?}");
    assert!(!main.is_symlink());
    assert_eq!(machine.lab.get("http://other.example/", &[]).text(), "other");
    assert_eq!(machine.apply(&own("one")).await.unwrap(), Applied::Changed);
    assert_eq!(machine.answer(), "one");
    assert_eq!(fs::read_link(&main).unwrap().to_str(), Some("seaworthy/current/nginx.conf"));
    machine.lab.get("http://other.example/", &[]).expect(421);
    assert_eq!(machine.apply(&own("two")).await.unwrap(), Applied::Changed);
    assert_eq!(machine.answer(), "two");
}

#[tokio::test]
async fn a_missing_nginx_is_named_with_the_remedy() {
    let machine = Machine::new();
    let web = machine.lab.web("[proxy]\nbinary = \"/nowhere/nginx\"\n");
    let error = NginxInstaller::new(&web).unwrap().target(&machine.cx).await.unwrap_err();
    assert_eq!(field(&error), "proxy.binary");
    assert!(error.remedy().unwrap().contains("apt-get install nginx"));
}

#[tokio::test]
async fn the_certificate_on_disk_must_be_the_one_that_is_shown() {
    let machine = Machine::new();
    let tls = |body: &str| {
        site(body).replace("[[site.a.routes]]", "certificate = \"c\"\n[[site.a.routes]]")
    };
    assert_eq!(machine.apply(&tls("one")).await.unwrap(), Applied::Changed);
    // nginx serves one certificate, and another one lies where the model says.
    let another = Lab::new();
    let other = another.path("chain.pem");
    let (_, files) = machine.render(&machine.lab.web(&tls("two"))).await;
    let mut elsewhere = machine.lab.web(&tls("two"));
    let files_of_c = elsewhere.certificates.values_mut().next().unwrap();
    files_of_c.chain = FilePath::new(other.to_str().unwrap()).unwrap();
    let (installer, _) = machine.render(&elsewhere).await;
    let error = apply(&installer.generations(), files, &installer, &machine.cx).await.unwrap_err();
    assert!(error.to_string().contains("does not serve the certificate"), "{error:?}");
    assert_eq!(field(&error), "site.a.hosts");
    // Workers of the refused generation may still answer what reached them before they ended.
    let deadline = Instant::now() + Duration::from_secs(10);
    while machine.lab.get("https://a.example/", &[]).text() != "one" {
        assert!(Instant::now() < deadline, "the old site did not come back");
    }
}

#[tokio::test]
async fn brotli_is_used_where_a_package_brought_the_module() {
    let modules = "/usr/lib/nginx/modules";
    assert!(
        fs::exists(format!("{modules}/ngx_http_brotli_filter_module.so")).unwrap(),
        "apt-get install libnginx-mod-http-brotli-filter libnginx-mod-http-brotli-static"
    );
    let mut lab = Lab::new();
    for part in ["filter", "static"] {
        lab.write(
            &format!("etc/modules-enabled/50-{part}.conf"),
            format!("load_module {modules}/ngx_http_brotli_{part}_module.so;\n"),
        );
    }
    lab.write("srv/www/a.txt", "seaworthy ".repeat(500));
    lab.write("srv/www/b.txt", "plain");
    lab.write("srv/www/b.txt.br", "before");
    let text = "[proxy]\nown_root = true\n[site.a]\nhosts = [\"a.example\"]\n\
                [[site.a.routes]]\npath = \"/\"\n\
                files = { root = \"/srv/www\", precompressed = true }\n";
    let web = lab.web(text);
    let installer = NginxInstaller::new(&web).unwrap();
    let target = installer.target(&Context::new()).await.unwrap();
    assert!(target.has("http_brotli_module") && target.has("http_brotli_static_module"));
    let files = NginxRenderer::new(target).render(&web).unwrap();
    files.write_to(&lab.path("etc/seaworthy/current")).unwrap();
    let link = lab.path("etc/nginx.conf");
    std::os::unix::fs::symlink("seaworthy/current/nginx.conf", link).unwrap();
    lab.start();
    let accept = ["-H", "Accept-Encoding: br, gzip"];
    let answer = lab.get("http://a.example/a.txt", &accept).expect(200);
    assert_eq!(answer.header("content-encoding"), "br");
    assert!(answer.body.len() < 100, "{}", answer.body.len());
    assert_eq!(lab.get("http://a.example/b.txt", &accept).expect(200).text(), "before");
    assert_eq!(lab.get("http://a.example/b.txt", &[]).expect(200).text(), "plain");
}
