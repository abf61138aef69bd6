//! Describes a site in Rust and prints nginx's files for it: no file, no TOML, no nginx needed.
//!
//! `cargo run -p seaworthy-examples --example render_nginx`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use seaworthy_core::{ConfigRenderer, Name, Result};
use seaworthy_proxy_config::{
    Address, CertificateFiles, FilePath, Files, Host, NginxRenderer, Proxy, ProxyTo, Route, Server,
    Site, Target, UrlPath, Version, Web, lint,
};

fn main() -> Result<()> {
    let api = ProxyTo::new([Server::from("127.0.0.1:3000".parse::<Address>()?)]);
    let mut pages = Files::new(FilePath::new("/srv/app")?);
    pages.spa = true;
    pages.immutable = vec![UrlPath::new("/assets/")?];

    let certificate = Name::new("app")?;
    let mut site = Site::new([Host::new("app.example.com")?])
        .with_certificate(certificate.clone())
        .with_route(Route::files(UrlPath::new("/")?, pages))
        .with_route(Route::proxy(UrlPath::new("/api/")?, api));
    site.csp = Some("default-src 'self'".parse()?);

    let mut web = Web::new(Proxy::default());
    let live = |file: &str| FilePath::new(format!("/etc/seaworthy/tls/live/app/{file}.pem"));
    web.certificates
        .insert(certificate, CertificateFiles::new(live("fullchain")?, live("privkey")?));
    web.sites.insert(Name::new("app")?, site);

    lint(&web).iter().for_each(|finding| println!("# {finding}"));
    for (path, file) in NginxRenderer::new(Target::new(Version::new(1, 26, 3))).render(&web)?.iter()
    {
        println!("#### {path}\n{}", String::from_utf8_lossy(&file.bytes));
    }
    Ok(())
}
