//! The web server in the file, joined from its sections.

use std::path::Path;

use seaworthy_core::{Error, ErrorKind, Name, Result};
use seaworthy_proxy_config::{Address, CertificateFiles, FilePath, Web};

use super::Config;
use crate::machine;

impl Config {
    /// The web server of `[proxy]`, `[site.*]` and `[upstream.*]`, with the certificates and the
    /// services that they use.
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
            web.services.insert(name.clone(), self.service_addresses(name));
        }
        Ok(web)
    }

    /// The paths of the certificate `name` for servers. They never change; a certificate from
    /// another program is linked there once its key was checked.
    fn certificate_files(&self, name: &Name) -> Result<CertificateFiles> {
        let live = self.tls.clone().unwrap_or_default().store().join("live").join(name.as_str());
        let (chain, key) = (live.join("fullchain.pem"), live.join("privkey.pem"));
        let path = |path: &Path| {
            FilePath::new(path.to_string_lossy()).map_err(|error| {
                Error::new(ErrorKind::Config, "config.read", error.to_string())
                    .at(format!("certificate.{name}"))
            })
        };
        Ok(CertificateFiles::new(path(&chain)?, path(&key)?))
    }

    /// The addresses of the instances of the service `name`.
    fn service_addresses(&self, name: &Name) -> Vec<Address> {
        let service = self.service.get(name.as_str());
        let listens = service.map(|service| service.listens(machine::processors()));
        listens.unwrap_or_default().into_iter().map(Address::Ip).collect()
    }

    /// Makes the paths of the web server relative to `base`.
    pub(super) fn resolve_web(&mut self, base: &Path) -> Result<()> {
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
