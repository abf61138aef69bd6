//! The web server that the file describes, joined from the sections that it is spread over.

use std::path::Path;

use seaworthy_core::{Error, ErrorKind, Name, Result};
use seaworthy_proxy_config::{Address, CertificateFiles, FilePath, Web};

use super::Config;

impl Config {
    /// The web server of `[proxy]`, `[site.*]` and `[upstream.*]`, with the certificates and the
    /// services that they name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a folder of certificates whose path nginx could not read.
    pub fn web(&self) -> Result<Web> {
        let mut web = Web::new(self.proxy.clone().unwrap_or_default());
        web.sites = self.site.iter().map(|(n, site)| (n.clone(), site.clone())).collect();
        web.upstreams = self.upstream.iter().map(|(n, pool)| (n.clone(), pool.clone())).collect();
        for name in self.certificate.names() {
            web.certificates.insert(name.clone(), self.certificate_files(name)?);
        }
        for name in self.service.names() {
            web.services.insert(name.clone(), self.service_addresses(name)?);
        }
        Ok(web)
    }

    /// Where the certificate `name` lies for those who serve it. Paths that never move.
    fn certificate_files(&self, name: &Name) -> Result<CertificateFiles> {
        let external = self.certificate.get(name.as_str()).and_then(|c| c.external.as_ref());
        let (chain, key) = match external {
            Some(files) => (files.chain.clone(), files.key.clone()),
            None => {
                let live = self.tls.clone().unwrap_or_default().store.join("live");
                let live = live.join(name.as_str());
                (live.join("fullchain.pem"), live.join("privkey.pem"))
            }
        };
        let path = |path: &Path| {
            FilePath::new(path.to_string_lossy()).map_err(|error| {
                Error::new(ErrorKind::Config, "config.read", error.to_string())
                    .with("field", format!("certificate.{name}"))
            })
        };
        Ok(CertificateFiles::new(path(&chain)?, path(&key)?))
    }

    /// Where the instances of the service `name` listen: on this machine, one port after another.
    fn service_addresses(&self, name: &Name) -> Result<Vec<Address>> {
        let Some(service) = self.service.get(name.as_str()) else { return Ok(Vec::new()) };
        let Some(first) = service.port else { return Ok(Vec::new()) };
        let count = service.instances.map_or(1, |instances| instances.on_this_machine());
        let ports = (0..count).map(|i| first.checked_add(i));
        ports
            .map(|port| match port {
                Some(port) => Ok(Address::Ip((std::net::Ipv4Addr::LOCALHOST, port).into())),
                None => {
                    let message = format!("{count} instances from port {first} on do not fit");
                    Err(Error::new(ErrorKind::Config, "config.read", message)
                        .with("field", format!("service.{name}.port")))
                }
            })
            .collect()
    }

    /// Makes the paths of the web server relative to `base`.
    pub(super) fn resolve_web(&mut self, base: &Path) -> Result<()> {
        self.tls.iter_mut().for_each(|tls| tls.resolve(base));
        self.certificate.iter_mut().for_each(|(_, certificate)| certificate.resolve(base));
        let mut web = self.web()?;
        web.resolve_paths(base)?;
        self.proxy = self.proxy.is_some().then_some(web.proxy);
        for (name, site) in self.site.iter_mut() {
            if let Some(resolved) = web.sites.remove(name) {
                *site = resolved;
            }
        }
        Ok(())
    }
}
