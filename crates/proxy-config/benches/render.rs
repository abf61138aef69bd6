//! Rendering a thousand sites: the aim is 50 ms.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{Criterion, criterion_group, criterion_main};
use seaworthy_core::{ConfigRenderer, Name};
use seaworthy_proxy_config::{
    Address, CertificateFiles, FilePath, Files, Host, NginxRenderer, Proxy, ProxyTo, Route, Server,
    Site, Target, UrlPath, Version, Web,
};

fn thousand_sites() -> Web {
    let mut web = Web::new(Proxy::default());
    let certificate = Name::new("all").unwrap();
    let path = |text: &str| FilePath::new(text).unwrap();
    let files = CertificateFiles::new(path("/tls/chain.pem"), path("/tls/key.pem"));
    web.certificates.insert(certificate.clone(), files);
    for i in 0..1000 {
        let address: Address = format!("127.0.0.1:{}", 3000 + i).parse().unwrap();
        let api = ProxyTo::new([Server::from(address)]);
        let mut files = Files::new(path("/srv/app"));
        files.spa = true;
        let site = Site::new([Host::new(format!("site{i}.example.com")).unwrap()])
            .with_certificate(certificate.clone())
            .with_route(Route::files(UrlPath::new("/").unwrap(), files))
            .with_route(Route::proxy(UrlPath::new("/api/").unwrap(), api));
        web.sites.insert(Name::new(format!("site{i}")).unwrap(), site);
    }
    web
}

fn render(c: &mut Criterion) {
    let web = thousand_sites();
    let renderer = NginxRenderer::new(Target::new(Version::new(1, 26, 3)));
    c.bench_function("render 1,000 sites", |b| b.iter(|| renderer.render(&web).unwrap()));
}

criterion_group!(benches, render);
criterion_main!(benches);
