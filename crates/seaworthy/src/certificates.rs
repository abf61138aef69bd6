//! Builds the parts for certificates from the configuration.

use seaworthy_core::{Context, Error, ErrorKind, Name, Result};
use seaworthy_tls::{
    Store,
    manage::{ManagedCertificate, Manager},
    open::Opener,
};

use crate::Seaworthy;

impl Seaworthy {
    /// The store and the history of certificates.
    pub(crate) fn certificate_manager(&self) -> Manager {
        let store = Store::new(self.config.tls.clone().unwrap_or_default().store());
        Manager::new(store, self.state.path().join("tls"))
    }

    /// The requested certificates, or all.
    pub(crate) fn certificate_names(&self, asked: &[Name]) -> Result<Vec<Name>> {
        let known = || self.config.certificate.names();
        for name in asked {
            if self.config.certificate.get(name.as_str()).is_none() {
                let message = format!("there is no certificate {:?} in the file", name.as_str());
                let error = Error::new(ErrorKind::InvalidInput, "certificate.find", message);
                let remedy = crate::config::suggestion(name.as_str(), known().map(Name::as_str));
                let add = || format!("add [certificate.{name}]");
                return Err(error.remedy_is(remedy.unwrap_or_else(add)));
            }
        }
        if asked.is_empty() {
            return Ok(known().cloned().collect());
        }
        let mut names: Vec<Name> = Vec::new();
        for name in asked {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    /// What opens certificates while one command runs.
    pub(crate) fn certificate_opener(&self) -> Opener {
        let tls = self.config.tls.clone().unwrap_or_default();
        Opener::new(self.environment.clone(), &tls, self.state.path())
    }

    /// The certificate `name`, ready to be worked on.
    pub(crate) async fn managed_certificate(
        &self,
        name: &Name,
        opener: &Opener,
        cx: &Context,
    ) -> Result<ManagedCertificate> {
        let config = self.config.certificate.get(name.as_str()).ok_or_else(|| {
            let message = format!("there is no certificate {:?} in the file", name.as_str());
            Error::new(ErrorKind::InvalidInput, "certificate.find", message)
        })?;
        opener.certificate(name, config, &self.config.ca, cx).await
    }
}
