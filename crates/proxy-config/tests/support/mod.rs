//! Models from TOML, as the facade fills them.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use std::{collections::BTreeMap, path::PathBuf};

use seaworthy_core::{ConfigRenderer, FileSet, Name};
use seaworthy_proxy_config::{
    CertificateFiles, FilePath, NginxRenderer, Proxy, Site, Target, Upstream, Version, Web,
};

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct File {
    proxy: Proxy,
    site: BTreeMap<Name, Site>,
    upstream: BTreeMap<Name, Upstream>,
    service: BTreeMap<Name, Service>,
    certificate: BTreeMap<Name, toml::Table>,
}

#[derive(serde::Deserialize)]
struct Service {
    port: Option<u16>,
}

/// The model of `text`; certificates are below `store`.
pub fn try_web(text: &str, store: &str) -> Result<Web, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    let mut web = Web::new(file.proxy);
    web.sites = file.site;
    web.upstreams = file.upstream;
    let port = |(name, service): (Name, Service)| {
        let address = format!("127.0.0.1:{}", service.port?).parse().unwrap();
        Some((name, vec![address]))
    };
    web.services = file.service.into_iter().filter_map(port).collect();
    for name in file.certificate.into_keys() {
        let path = |file: &str| FilePath::new(format!("{store}/live/{name}/{file}.pem")).unwrap();
        let files = CertificateFiles::new(path("fullchain"), path("privkey"));
        web.certificates.insert(name, files);
    }
    Ok(web)
}

pub fn web(text: &str) -> Web {
    try_web(text, "/etc/seaworthy/tls").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The text of `examples/<name>/seaworthy.toml`.
pub fn example(name: &str) -> String {
    std::fs::read_to_string(repository().join("examples").join(name).join("seaworthy.toml"))
        .unwrap()
}

pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn render(web: &Web, target: Target) -> FileSet {
    NginxRenderer::new(target).render(web).unwrap_or_else(|e| panic!("{e:?}"))
}

/// Versions that the files are for, each with what it brought.
pub const VERSIONS: [Version; 4] = [
    Version::new(1, 18, 0),
    Version::new(1, 22, 1),
    Version::new(1, 26, 3),
    Version::new(1, 29, 3),
];

/// An nginx as distributions have it.
pub fn target(version: Version) -> Target {
    let openssl = if version < Version::new(1, 20, 0) {
        Version::new(1, 1, 1)
    } else if version < Version::new(1, 29, 0) {
        Version::new(3, 0, 0)
    } else {
        Version::new(3, 5, 0)
    };
    Target::new(version).with_openssl(openssl)
}

pub fn all_text(files: &FileSet) -> String {
    files.iter().fold(String::new(), |mut out, (path, file)| {
        out.push_str(&format!("### {path}\n{}\n", String::from_utf8_lossy(&file.bytes)));
        out
    })
}
