//! Checks before an ACME authority is asked: DNS, CAA, whether the answer can be reached, the
//! clock.
//!
//! A certain problem blocks: a name that is not in DNS, a CAA record that forbids, a webroot that
//! cannot be written. A likely problem is a warning: behind NAT a machine may not reach itself by
//! its own name.

mod caa;
mod http;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use futures_util::future::join_all;
use seaworthy_core::{CommandLine, Context};

use crate::{
    ChallengeKind, ChallengeSolver, Identifier, Resolver,
    acme::AcmeAuthority,
    manage::{Finding, Precheck},
    resolve::Answer,
    solver::Webroot,
};

/// Checks everything that an ACME authority will check.
#[derive(Clone, Debug)]
pub struct AcmePreflight {
    names: Vec<Identifier>,
    authority: AcmeAuthority,
    resolver: Resolver,
    solver: Arc<dyn ChallengeSolver>,
    port: u16,
    webroot: Option<PathBuf>,
    hook: Option<CommandLine>,
}

impl AcmePreflight {
    /// For `names`, which `authority` will validate while `solver` answers.
    pub fn new(
        names: impl Into<Vec<Identifier>>,
        authority: AcmeAuthority,
        resolver: Resolver,
        solver: Arc<dyn ChallengeSolver>,
    ) -> Self {
        let names = names.into();
        Self { names, authority, resolver, solver, port: 80, webroot: None, hook: None }
    }

    /// The port that the authority uses for HTTP-01: 80, except for a private authority.
    #[must_use]
    pub fn http_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The folder that the solver writes to.
    #[must_use]
    pub fn webroot(mut self, folder: impl Into<PathBuf>) -> Self {
        self.webroot = Some(folder.into());
        self
    }

    /// The program that the solver runs.
    #[must_use]
    pub fn hook(mut self, command: CommandLine) -> Self {
        self.hook = Some(command);
        self
    }

    async fn look_at_clock(&self) -> Vec<Finding> {
        match self.authority.clock_ahead().await {
            Ok(ahead) if ahead.abs() > crate::acme::MAX_SKEW => {
                let error = crate::acme::wrong_clock(self.authority.directory(), ahead);
                let remedy = error.remedy().unwrap_or_default().to_owned();
                vec![Finding::certain("clock", error.to_string(), remedy)]
            }
            // If it cannot be reached, the request itself reports that.
            _ => Vec::new(),
        }
    }

    fn look_at_solver(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(folder) = &self.webroot
            && let Err(error) = Webroot::new(folder).probe()
        {
            let remedy = format!("create {} and make it writable", folder.display());
            findings.push(Finding::certain(folder.display().to_string(), error.chain(), remedy));
        }
        let path = std::env::var_os("PATH");
        findings.extend(crate::manage::missing_programs(&self.hook, path.as_deref()));
        findings
    }

    async fn look_at_name(&self, name: &Identifier, identities: &[String]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let addresses = match name.ip() {
            Some(ip) => vec![ip],
            None => {
                findings.extend(self.look_at_caa(name, identities).await);
                if self.solver.kind() == ChallengeKind::Dns01 {
                    return findings;
                }
                match self.resolver.addresses(name.base()).await {
                    Ok(Answer::Records(addresses)) => addresses,
                    Ok(Answer::NoName) => {
                        let remedy = "add an A or AAAA record that points to this machine";
                        findings.push(Finding::certain(name.as_str(), "is not in DNS", remedy));
                        return findings;
                    }
                    Ok(Answer::None) => {
                        let remedy = "add an A or AAAA record that points to this machine";
                        let message = "has neither an A nor an AAAA record";
                        findings.push(Finding::certain(name.as_str(), message, remedy));
                        return findings;
                    }
                    Err(error) => {
                        let remedy = "check the zone's name servers";
                        findings.push(Finding::likely(name.as_str(), error.chain(), remedy));
                        return findings;
                    }
                }
            }
        };
        if self.solver.kind() == ChallengeKind::Http01 {
            findings.extend(http::probe(&*self.solver, name, &addresses, self.port).await);
        }
        findings
    }

    async fn look_at_caa(&self, name: &Identifier, identities: &[String]) -> Vec<Finding> {
        if identities.is_empty() {
            return Vec::new();
        }
        let (zone, records) = match caa::climb(&self.resolver, name.base()).await {
            Ok(Some(found)) => found,
            Ok(None) => return Vec::new(),
            Err(error) => {
                let remedy = "authorities refuse names whose CAA records cannot be read";
                return vec![Finding::likely(name.as_str(), error.chain(), remedy)];
            }
        };
        let account = self.authority.account_url();
        let asker =
            caa::Asker { identities, account: account.as_deref(), kind: self.solver.kind() };
        match caa::forbids(&records, name.is_wildcard(), &asker) {
            None => Vec::new(),
            Some(why) => {
                let tag = if name.is_wildcard() { "issuewild" } else { "issue" };
                let remedy = format!("add to {zone}: CAA 0 {tag} \"{}\"", identities[0]);
                let message = format!("CAA at {zone} forbids this authority: {why}");
                vec![Finding::certain(name.as_str(), message, remedy)]
            }
        }
    }
}

#[async_trait]
impl Precheck for AcmePreflight {
    async fn look(&self, _: &Context) -> Vec<Finding> {
        let mut findings = self.look_at_solver();
        findings.extend(self.look_at_clock().await);
        if !findings.is_empty() {
            // A request through a solver that does not work would only repeat the error.
            return findings;
        }
        let identities = self.authority.caa_identities().await.unwrap_or_default();
        let looks = self.names.iter().map(|name| self.look_at_name(name, &identities));
        findings.extend(join_all(looks).await.into_iter().flatten());
        findings
    }
}
