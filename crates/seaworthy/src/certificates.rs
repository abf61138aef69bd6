//! From the file's words about certificates to the parts that do the work.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use seaworthy_core::{Context, Error, ErrorKind, Name, Result};
use seaworthy_tls::{
    CertificateProvider, ChallengeSolver, Resolver, Store,
    acme::{
        AcmeAuthority, AcmeOptions, AcmeProvider, ExternalAccount, LETS_ENCRYPT,
        LETS_ENCRYPT_STAGING, Ledger, Limits,
    },
    config::{
        AcmeConfig, CaConfig, CertificateConfig, ChallengeConfig, Dns01Config, ProveConfig, Server,
        TsigAlgorithmConfig,
    },
    local_ca::{LocalCa, SelfSigned},
    manage::{Deployment, ManagedCertificate, Manager, Origin, Prove},
    preflight::AcmePreflight,
    solver::{
        DnsHook, DnsUpdate, Propagation, Standalone, TlsAlpn, TsigAlgorithm, TsigKey, Webroot,
    },
};

use crate::Seaworthy;

/// What several certificates share while one command runs: accounts and listeners.
#[derive(Default)]
pub(crate) struct Shared {
    authorities: HashMap<(Name, bool), AcmeAuthority>,
    listeners: Mutex<HashMap<(bool, SocketAddr), Arc<dyn ChallengeSolver>>>,
    resolver: OnceLock<Resolver>,
}

impl Shared {
    /// The ACME authorities that are in use, by the names that the file gives them.
    pub(crate) fn authorities(&self) -> impl Iterator<Item = (&Name, &AcmeAuthority)> {
        self.authorities.iter().map(|((name, _), authority)| (name, authority))
    }
}

impl Seaworthy {
    /// The store and the memory of certificates.
    pub(crate) fn certificate_manager(&self) -> Manager {
        let store = Store::new(self.config.tls.clone().unwrap_or_default().store());
        Manager::new(store, self.state.path().join("tls"))
    }

    /// The certificates that are asked for, or all.
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

    /// The certificate `name`, ready to be worked on; with `staging`, from the authorities'
    /// directories for trying out.
    pub(crate) async fn managed_certificate(
        &self,
        name: &Name,
        staging: bool,
        shared: &mut Shared,
        cx: &Context,
    ) -> Result<ManagedCertificate> {
        let config = self.config.certificate.get(name.as_str()).ok_or_else(|| {
            let message = format!("there is no certificate {:?} in the file", name.as_str());
            Error::new(ErrorKind::InvalidInput, "certificate.find", message)
        })?;
        let mut prechecks: Vec<Arc<dyn seaworthy_tls::manage::Precheck>> = Vec::new();
        let origin = match &config.external {
            Some(files) => Origin::External { chain: files.chain.clone(), key: files.key.clone() },
            None => {
                let mut providers: Vec<Arc<dyn CertificateProvider>> = Vec::new();
                for ca in &config.ca {
                    let provider: Arc<dyn CertificateProvider> =
                        match self.config.ca.get(ca.as_str()) {
                            Some(CaConfig::Acme(acme)) => {
                                let authority =
                                    self.authority(ca, acme, staging, shared, cx).await?;
                                let (solver, precheck) =
                                    self.solver(config, acme, &authority, shared, cx).await?;
                                // The first one that is asked is the one to look at.
                                if prechecks.is_empty() {
                                    prechecks.push(Arc::new(precheck));
                                }
                                Arc::new(AcmeProvider::new(authority, solver))
                            }
                            Some(CaConfig::Local(local)) => {
                                let path = local.path.clone();
                                let path = path
                                    .unwrap_or_else(|| self.store_folder("ca").join(ca.as_str()));
                                let mut provider = LocalCa::new(path);
                                if let Some(life) = local.life {
                                    provider = provider.life(life.as_duration());
                                }
                                Arc::new(provider)
                            }
                            Some(CaConfig::SelfSigned(own)) => {
                                let mut provider = SelfSigned::new();
                                if let Some(life) = own.life {
                                    provider = provider.life(life.as_duration());
                                }
                                Arc::new(provider)
                            }
                            _ => {
                                let message = format!("this version does not know the ca {ca}");
                                return Err(Error::new(ErrorKind::Unsupported, "ca.open", message));
                            }
                        };
                    providers.push(provider);
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

    fn store_folder(&self, below: &str) -> std::path::PathBuf {
        self.config.tls.clone().unwrap_or_default().store().join(below)
    }

    async fn authority(
        &self,
        name: &Name,
        config: &AcmeConfig,
        staging: bool,
        shared: &mut Shared,
        cx: &Context,
    ) -> Result<AcmeAuthority> {
        let key = (name.clone(), staging);
        if let Some(known) = shared.authorities.get(&key) {
            return Ok(known.clone());
        }
        let directory = directory_of(name, config, staging)?;
        let store = Store::new(self.store_folder(""));
        let mut options = AcmeOptions::new(&directory, store.account_folder(&directory));
        options.agree_tos = config.agree_tos;
        options.contact.clone_from(&config.contact);
        if let Some(path) = &config.roots {
            options.roots =
                Some(std::fs::read_to_string(path).map_err(|e| {
                    Error::io("ca.open", format!("cannot read {}", path.display()), e)
                })?);
        }
        if let Some(eab) = &config.eab {
            options.external_account = Some(ExternalAccount {
                key_id: self.secret(&eab.key_id, cx).await?,
                hmac_key: self.secret(&eab.hmac_key, cx).await?,
            });
        }
        if let Some(proxy) = &config.proxy {
            options.proxy = Some(self.secret(proxy, cx).await?);
        }
        if directory == LETS_ENCRYPT {
            let path = self.state.path().join("tls-limits.json");
            options.ledger = Some(Ledger::new(path, Limits::LETS_ENCRYPT));
        }
        let authority = AcmeAuthority::new(options)?;
        shared.authorities.insert(key, authority.clone());
        Ok(authority)
    }

    /// The authority at `directory`, as the file describes it, or with nothing special.
    pub(crate) async fn authority_at(
        &self,
        directory: &str,
        cx: &Context,
    ) -> Result<AcmeAuthority> {
        for (name, ca) in self.config.ca.iter() {
            if let CaConfig::Acme(config) = ca
                && directory_of(name, config, false)? == directory
            {
                return self.authority(name, config, false, &mut Shared::default(), cx).await;
            }
        }
        let store = Store::new(self.store_folder(""));
        let mut options = AcmeOptions::new(directory, store.account_folder(directory));
        // Whoever has an account there has agreed.
        options.agree_tos = true;
        AcmeAuthority::new(options)
    }

    /// What answers the challenges, and what looks first whether it can.
    async fn solver(
        &self,
        config: &CertificateConfig,
        acme: &AcmeConfig,
        authority: &AcmeAuthority,
        shared: &Shared,
        cx: &Context,
    ) -> Result<(Arc<dyn ChallengeSolver>, AcmePreflight)> {
        let resolver = self.resolver(shared)?;
        let (mut webroot, mut hook) = (None, None);
        let custom = config.challenge.as_ref().and_then(ChallengeConfig::custom);
        let solver: Arc<dyn ChallengeSolver> = match (custom, &config.challenge) {
            (Some(name), _) => self.custom_solver(name)?,
            (None, Some(ChallengeConfig::Http01(http))) => match (&http.webroot, http.standalone) {
                (Some(folder), _) => {
                    webroot = Some(folder.clone());
                    Arc::new(Webroot::new(folder))
                }
                (None, address) => {
                    let address = address.unwrap_or(SocketAddr::from(([0; 8], 80)));
                    shared.listener(false, address)
                }
            },
            (None, Some(ChallengeConfig::TlsAlpn01(tls))) => {
                let address = tls.standalone.unwrap_or(SocketAddr::from(([0; 8], 443)));
                shared.listener(true, address)
            }
            (None, Some(ChallengeConfig::Dns01(dns))) => {
                hook.clone_from(&dns.exec);
                self.dns_solver(dns, resolver.clone(), cx).await?
            }
            _ => {
                let message = "there is no `challenge` for an ACME authority";
                return Err(Error::new(ErrorKind::Config, "challenge.open", message));
            }
        };
        let mut precheck =
            AcmePreflight::new(config.names.clone(), authority.clone(), resolver, solver.clone())
                .http_port(acme.http_port.unwrap_or(80));
        if let Some(folder) = webroot {
            precheck = precheck.webroot(folder);
        }
        if let Some(command) = hook {
            precheck = precheck.hook(command);
        }
        Ok((solver, precheck))
    }

    /// What asks DNS, read from the machine once.
    fn resolver(&self, shared: &Shared) -> Result<Resolver> {
        if let Some(known) = shared.resolver.get() {
            return Ok(known.clone());
        }
        let servers = self.config.tls.iter().flat_map(|tls| &tls.resolvers);
        let servers: Vec<_> = servers.map(|server| server.or_port(53)).collect();
        let resolver =
            if servers.is_empty() { Resolver::system()? } else { Resolver::of(&servers)? };
        Ok(shared.resolver.get_or_init(|| resolver).clone())
    }

    async fn dns_solver(
        &self,
        dns: &Dns01Config,
        resolver: Resolver,
        cx: &Context,
    ) -> Result<Arc<dyn ChallengeSolver>> {
        let mut servers: Vec<SocketAddr> = dns.servers.iter().map(|s| s.or_port(53)).collect();
        if let (true, Some(update)) = (servers.is_empty(), &dns.rfc2136) {
            // The one that is told is the one that must show it.
            if let Server::WithPort(address) = update.server {
                servers.push(address);
            }
        }
        let mut propagation = Propagation::new(resolver).servers(servers);
        if let Some(patience) = dns.patience {
            propagation = propagation.limit(patience.as_duration());
        }
        match (&dns.exec, &dns.rfc2136) {
            (Some(command), _) => Ok(Arc::new(DnsHook::new(command.clone(), propagation))),
            (None, Some(update)) => {
                let algorithm = match update.algorithm {
                    TsigAlgorithmConfig::HmacSha384 => TsigAlgorithm::HmacSha384,
                    TsigAlgorithmConfig::HmacSha512 => TsigAlgorithm::HmacSha512,
                    _ => TsigAlgorithm::HmacSha256,
                };
                let secret = self.secret(&update.secret, cx).await?;
                let key = TsigKey::new(&update.key_name, algorithm, secret);
                let solver = DnsUpdate::new(update.server.or_port(53), &key, propagation)?;
                Ok(Arc::new(match &update.zone {
                    Some(zone) => solver.zone(zone),
                    None => solver,
                }))
            }
            (None, None) => {
                let message = "`challenge` has neither `exec` nor `rfc2136`";
                Err(Error::new(ErrorKind::Config, "challenge.open", message))
            }
        }
    }
}

impl Shared {
    /// The listener at `address`, which all certificates share.
    fn listener(&self, tls: bool, address: SocketAddr) -> Arc<dyn ChallengeSolver> {
        let mut all = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let place = all.entry((tls, address)).or_insert_with(|| match tls {
            true => Arc::new(TlsAlpn::new(address)),
            false => Arc::new(Standalone::new(address)),
        });
        place.clone()
    }
}

fn directory_of(name: &Name, config: &AcmeConfig, staging: bool) -> Result<String> {
    let directory = match config.directory.as_str() {
        "letsencrypt" => LETS_ENCRYPT,
        "letsencrypt-staging" => LETS_ENCRYPT_STAGING,
        url => url,
    };
    if !staging {
        return Ok(directory.to_owned());
    }
    match (&config.staging, directory) {
        (Some(url), _) => Ok(url.clone()),
        (None, LETS_ENCRYPT | LETS_ENCRYPT_STAGING) => Ok(LETS_ENCRYPT_STAGING.to_owned()),
        (None, _) => {
            let message = format!("[ca.{name}] has no directory for trying out");
            Err(Error::new(ErrorKind::Config, "ca.open", message)
                .remedy_is("add staging = \"https://…\", or leave --staging and --dry-run out"))
        }
    }
}
