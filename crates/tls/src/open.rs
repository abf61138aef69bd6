//! From the file's words about certificates to the parts that do the work.

use std::{path::PathBuf, sync::Arc};

use seaworthy_core::{Context, Environment, Error, ErrorKind, Name, Named, Result};

use crate::{
    CertificateProvider, Store,
    config::{CaConfig, CertificateConfig, ProveConfig, TlsConfig},
    manage::{Deployment, ManagedCertificate, Origin, Precheck, Prove},
};

/// Opens certificates of a file. What several of them use, such as accounts, listeners and name
/// servers, is opened once. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Opener {
    environment: Environment,
    store: Store,
    #[cfg(feature = "acme")]
    staging: bool,
    #[cfg(feature = "acme")]
    shared: Arc<acme::Shared>,
}

/// An authority that was opened for one certificate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// Who issues.
    pub provider: Arc<dyn CertificateProvider>,
    /// What looks first whether it would.
    pub precheck: Option<Arc<dyn Precheck>>,
}

impl Opened {
    /// Issues without a look.
    pub fn new(provider: impl CertificateProvider) -> Self {
        Self { provider: Arc::new(provider), precheck: None }
    }

    /// `precheck` looks first.
    #[must_use]
    pub fn with_precheck(self, precheck: impl Precheck + 'static) -> Self {
        Self { precheck: Some(Arc::new(precheck)), ..self }
    }
}

impl Opener {
    /// Opens with what `tls` says. `state` is the folder for what is counted across certificates.
    pub fn new(environment: Environment, tls: &TlsConfig, state: impl Into<PathBuf>) -> Self {
        let state = state.into();
        #[cfg(not(feature = "acme"))]
        let _ = state;
        Self {
            environment,
            store: Store::new(tls.store()),
            #[cfg(feature = "acme")]
            staging: false,
            #[cfg(feature = "acme")]
            shared: Arc::new(acme::Shared::new(tls, state)),
        }
    }

    /// What surrounds the file.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The certificate `name`, ready to be worked on.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for contradictions, and those of reading secrets.
    pub async fn certificate(
        &self,
        name: &Name,
        config: &CertificateConfig,
        authorities: &Named<CaConfig>,
        cx: &Context,
    ) -> Result<ManagedCertificate> {
        let mut prechecks = Vec::new();
        let origin = match &config.external {
            Some(files) => Origin::External { chain: files.chain.clone(), key: files.key.clone() },
            None => {
                let mut providers = Vec::new();
                for ca in &config.ca {
                    let authority = authorities.get(ca.as_str()).ok_or_else(|| {
                        let message = format!("there is no ca {:?} in the file", ca.as_str());
                        Error::new(ErrorKind::Config, "ca.open", message)
                    })?;
                    let opened = authority.as_kind().open(ca, config, self, cx).await?;
                    providers.push(opened.provider);
                    // The first one that is asked is the one to look at.
                    if prechecks.is_empty() {
                        prechecks.extend(opened.precheck);
                    }
                }
                Origin::Managed(providers)
            }
        };
        let mut managed = ManagedCertificate::new(name.clone(), config.names.clone(), origin);
        managed.key = config.key;
        managed.profile.clone_from(&config.profile);
        managed.preferred_chain.clone_from(&config.preferred_chain);
        managed.prechecks = prechecks;
        let mut deployment = Deployment::default();
        deployment.check.clone_from(&config.check);
        deployment.deploy.clone_from(&config.deploy);
        deployment.prove = match &config.prove {
            None | Some(ProveConfig::Whether(true)) => Prove::Here,
            Some(ProveConfig::Whether(false)) => Prove::Nowhere,
            Some(ProveConfig::At(servers)) => {
                Prove::At(servers.iter().map(|server| server.or_port(443)).collect())
            }
        };
        managed.deployment = deployment;
        Ok(managed)
    }
}

#[cfg(feature = "acme")]
mod acme {
    use std::{
        collections::HashMap,
        net::SocketAddr,
        path::PathBuf,
        sync::{Arc, Mutex, OnceLock, PoisonError},
    };

    use seaworthy_core::{Context, Error, Name, Named, Result};

    use super::Opener;
    use crate::{
        ChallengeKind, ChallengeSolver, Resolver,
        acme::{AcmeAuthority, AcmeOptions, ExternalAccount, LETS_ENCRYPT, Ledger, Limits},
        config::{AcmeConfig, CaConfig, TlsConfig},
        solver::{Propagation, Standalone, TlsAlpn},
    };

    /// What several certificates share: accounts, listeners and name servers.
    #[derive(Debug)]
    pub(super) struct Shared {
        state: PathBuf,
        name_servers: Vec<SocketAddr>,
        authorities: Mutex<HashMap<(Name, bool), AcmeAuthority>>,
        listeners: Mutex<HashMap<(ChallengeKind, SocketAddr), Arc<dyn ChallengeSolver>>>,
        resolver: OnceLock<Resolver>,
    }

    impl Shared {
        pub(super) fn new(tls: &TlsConfig, state: PathBuf) -> Self {
            Self {
                state,
                name_servers: tls.resolvers.iter().map(|server| server.or_port(53)).collect(),
                authorities: Mutex::default(),
                listeners: Mutex::default(),
                resolver: OnceLock::new(),
            }
        }
    }

    impl Opener {
        /// From the authorities' staging directories.
        #[must_use]
        pub fn staging(self, staging: bool) -> Self {
            Self { staging, ..self }
        }

        /// The ACME authorities that are in use, by the names that the file gives them.
        pub fn authorities(&self) -> Vec<(Name, AcmeAuthority)> {
            let all = self.shared.authorities.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().map(|((name, _), authority)| (name.clone(), authority.clone())).collect()
        }

        /// The authority at `directory`, as the file describes it, or with nothing special.
        ///
        /// # Errors
        /// Those of finding secrets, and of [`AcmeAuthority::new`].
        pub async fn authority_at(
            &self,
            directory: &str,
            authorities: &Named<CaConfig>,
            cx: &Context,
        ) -> Result<AcmeAuthority> {
            for (name, ca) in authorities.iter() {
                if let CaConfig::Acme(config) = ca
                    && config.directory_url(name, false)? == directory
                {
                    return self.clone().staging(false).authority(name, config, cx).await;
                }
            }
            let mut options = AcmeOptions::new(directory, self.store.account_folder(directory));
            // With an existing account the terms were accepted.
            options.agree_tos = true;
            AcmeAuthority::new(options)
        }

        /// The authority `name`, opened once.
        pub(crate) async fn authority(
            &self,
            name: &Name,
            config: &AcmeConfig,
            cx: &Context,
        ) -> Result<AcmeAuthority> {
            let key = (name.clone(), self.staging);
            let known = || self.shared.authorities.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(authority) = known().get(&key) {
                return Ok(authority.clone());
            }
            let directory = config.directory_url(name, self.staging)?;
            let mut options = AcmeOptions::new(&directory, self.store.account_folder(&directory));
            options.agree_tos = config.agree_tos;
            options.contact.clone_from(&config.contact);
            if let Some(path) = &config.roots {
                options.roots = Some(std::fs::read_to_string(path).map_err(|e| {
                    Error::io("ca.open", format!("cannot read {}", path.display()), e)
                })?);
            }
            if let Some(eab) = &config.eab {
                options.external_account = Some(ExternalAccount {
                    key_id: self.environment.secret(&eab.key_id, cx).await?,
                    hmac_key: self.environment.secret(&eab.hmac_key, cx).await?,
                });
            }
            if let Some(proxy) = &config.proxy {
                options.proxy = Some(self.environment.secret(proxy, cx).await?);
            }
            if directory == LETS_ENCRYPT {
                let path = self.shared.state.join("tls-limits.json");
                options.ledger = Some(Ledger::new(path, Limits::LETS_ENCRYPT));
            }
            let authority = AcmeAuthority::new(options)?;
            Ok(known().entry(key).or_insert(authority).clone())
        }

        /// What asks DNS, read from the machine once.
        pub(crate) fn resolver(&self) -> Result<Resolver> {
            if let Some(known) = self.shared.resolver.get() {
                return Ok(known.clone());
            }
            let servers = &self.shared.name_servers;
            let resolver =
                if servers.is_empty() { Resolver::system()? } else { Resolver::of(servers)? };
            Ok(self.shared.resolver.get_or_init(|| resolver).clone())
        }

        /// The default propagation of a record.
        pub(crate) fn or_usual(&self, propagation: Option<Propagation>) -> Result<Propagation> {
            match propagation {
                Some(propagation) => Ok(propagation),
                None => Ok(Propagation::new(self.resolver()?)),
            }
        }

        /// The listener at `address`, which all certificates share.
        pub(crate) fn listener(
            &self,
            kind: ChallengeKind,
            address: SocketAddr,
        ) -> Arc<dyn ChallengeSolver> {
            let mut all = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            let place = all.entry((kind, address)).or_insert_with(|| match kind {
                ChallengeKind::TlsAlpn01 => Arc::new(TlsAlpn::new(address)),
                _ => Arc::new(Standalone::new(address)),
            });
            place.clone()
        }
    }
}
