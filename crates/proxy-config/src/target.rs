//! The nginx that the files are for: its version and what it was built with.

use std::{collections::BTreeSet, fmt, str::FromStr};

use seaworthy_core::{Error, ErrorKind, Result};

/// The modules of ngx_brotli: one that compresses, and one that sends files compressed in advance.
const BROTLI: [&str; 2] = ["http_brotli_module", "http_brotli_static_module"];

/// How to get a newer nginx.
pub const NEWER: &str = "install nginx 1.26 or later: Debian 13 has it, and for older ones \
                         https://nginx.org/en/linux_packages.html";

/// A version such as 1.22.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u16, u16, u16);

impl Version {
    /// The version with these three numbers.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self(major, minor, patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut numbers = text.split('.').map(str::parse::<u16>);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => {
                Ok(Self(major, minor, patch))
            }
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                "nginx.version",
                format!("{text:?} is not a version such as 1.22.1"),
            )),
        }
    }
}

/// An nginx: its version, its modules, and the OpenSSL that it runs with.
///
/// ```
/// use seaworthy_proxy_config::{Target, Version};
/// let target = Target::parse(
///     "nginx version: nginx/1.22.1\n\
///      built with OpenSSL 3.0.17 1 Jul 2025\n\
///      configure arguments: --with-http_ssl_module --with-http_v2_module",
/// )?;
/// assert_eq!(target.version, Version::new(1, 22, 1));
/// assert!(target.has("http_v2_module"));
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The version of nginx.
    pub version: Version,
    /// Modules that are built in or can be loaded, such as `http_v2_module`.
    pub modules: BTreeSet<String>,
    /// The version of OpenSSL that it runs with, if it reports one.
    pub openssl: Option<Version>,
}

impl Target {
    /// An nginx with the modules that distributions build in, and OpenSSL 3.0.
    pub fn new(version: Version) -> Self {
        let mut modules: BTreeSet<String> = [
            "http_ssl_module",
            "http_v2_module",
            "http_realip_module",
            "http_gzip_static_module",
            "http_gunzip_module",
            "http_stub_status_module",
        ]
        .map(String::from)
        .into();
        if version >= Version(1, 25, 0) {
            modules.insert("http_v3_module".to_owned());
        }
        Self { version, modules, openssl: Some(Version(3, 0, 0)) }
    }

    /// The same nginx with one more module.
    #[must_use]
    pub fn with_module(mut self, module: impl Into<String>) -> Self {
        self.modules.insert(module.into());
        self
    }

    /// The same nginx with another OpenSSL.
    #[must_use]
    pub fn with_openssl(self, version: Version) -> Self {
        Self { openssl: Some(version), ..self }
    }

    /// Reads what `nginx -V` prints (on standard error).
    pub fn parse(text: &str) -> Result<Self> {
        let after = |mark: &str| {
            let rest = text.split_once(mark)?.1;
            rest.split(|c: char| c.is_whitespace() || c == ')').next()
        };
        let version = after("nginx version: nginx/").ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "nginx.version",
                "this is not the output of nginx -V",
            )
            .remedy_is("is proxy.binary nginx? forks under other names are not supported")
        })?;
        let version = version.parse()?;
        // The version that it runs with counts; otherwise the one it was built with.
        let openssl = after("running with OpenSSL ").or_else(|| after("built with OpenSSL "));
        let openssl =
            openssl.and_then(|v| v.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok());
        let modules = text
            .split_whitespace()
            .flat_map(|word| {
                let word = word.trim_matches('\'');
                if let Some(module) = word.strip_prefix("--with-") {
                    let module = module.strip_suffix("=dynamic").unwrap_or(module);
                    let known = module.ends_with("_module").then(|| module.to_owned());
                    return Vec::from_iter(known);
                }
                let path = word
                    .strip_prefix("--add-module=")
                    .or_else(|| word.strip_prefix("--add-dynamic-module="));
                match path {
                    Some(path) if path.contains("brotli") => BROTLI.map(str::to_owned).into(),
                    _ => Vec::new(),
                }
            })
            .collect();
        Ok(Self { version, modules, openssl })
    }

    /// The same nginx with the module in `file` loaded, such as
    /// `ngx_http_brotli_filter_module.so`.
    #[must_use]
    pub(crate) fn with_loaded(self, file: &str) -> Self {
        let name = file.rsplit('/').next().unwrap_or(file);
        match name.strip_prefix("ngx_").and_then(|name| name.strip_suffix(".so")) {
            Some("http_brotli_filter_module") => self.with_module(BROTLI[0]),
            Some(module) => self.with_module(module),
            None => self,
        }
    }

    /// Whether it has `module`, such as `http_v2_module`.
    pub fn has(&self, module: &str) -> bool {
        self.modules.contains(module)
    }

    /// Features that the files leave out because this version does not support them.
    pub fn lacks(&self) -> Vec<&'static str> {
        let all = [
            (Version(1, 19, 4), "a handshake for an unknown host cannot be refused (1.19.4)"),
            (Version(1, 25, 0), "there is no HTTP/3 (1.25.0)"),
            (Version(1, 25, 1), "`http2 on` is unknown: HTTP/2 is set per port (1.25.1)"),
        ];
        let missing = all.into_iter().filter(|(since, _)| self.version < *since);
        missing.map(|(_, what)| what).collect()
    }

    /// Whether it is this version or a later one.
    pub(crate) fn since(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.version >= Version(major, minor, patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_version_lacks_what_came_later() {
        let lacks =
            |patch: [u16; 3]| Target::new(Version(patch[0], patch[1], patch[2])).lacks().join("\n");
        assert!(lacks([1, 18, 0]).contains("1.19.4") && lacks([1, 18, 0]).contains("http2 on"));
        assert!(!lacks([1, 19, 4]).contains("handshake") && lacks([1, 24, 0]).contains("HTTP/3"));
        assert!(lacks([1, 25, 0]).starts_with("`http2 on`"));
        assert_eq!(lacks([1, 25, 1]), "");
    }

    #[test]
    fn reads_debians_answer() {
        let text = "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.22 25 Aug 2026 (running \
                    with OpenSSL 3.0.19 27 Jan 2026)\nTLS SNI support enabled\nconfigure \
                    arguments: --with-cc-opt='-g -O2' --with-http_v2_module \
                    --with-http_geoip_module=dynamic --add-dynamic-module=/src/ngx_brotli";
        let target = Target::parse(text).unwrap();
        assert_eq!(target.openssl, Some(Version(3, 0, 19)));
        assert!(target.has("http_geoip_module") && target.has("http_brotli_module"));
        assert!(!target.has("http_v3_module") && target.has("http_brotli_static_module"));
        let loaded = Target::new(Version(1, 22, 1))
            .with_loaded("modules/ngx_http_brotli_filter_module.so")
            .with_loaded("/usr/lib/nginx/modules/ngx_http_geoip2_module.so");
        assert!(loaded.has("http_brotli_module") && loaded.has("http_geoip2_module"));
        assert!(!loaded.has("http_brotli_static_module"));
        assert!(Target::parse("Apache/2.4").is_err());
        let old = Target::parse("nginx version: nginx/1.18.0\nbuilt with OpenSSL 1.1.1f  31 Mar");
        assert_eq!(old.unwrap().openssl, Some(Version(1, 1, 1)));
    }
}
