//! `cert import-certbot`: imports certbot's certificates and accounts.

use std::path::PathBuf;

use seaworthy_core::{Context, Name, Result};
use seaworthy_tls::{
    PrivateKey,
    certbot::{self, FoundAccount},
};
use serde::{Deserialize, Serialize};

use crate::{Outcome, Reply, Seaworthy, command::request};

/// The request of `cert import-certbot`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertImportRequest {
    /// The certificates; default: all of them.
    #[serde(default)]
    #[cfg_attr(feature = "clap", arg(value_name = "NAME"))]
    pub names: Vec<Name>,
    /// certbot's folder.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "DIR", default_value = "/etc/letsencrypt")
    )]
    pub from: PathBuf,
    /// A dry run: change nothing, and report what would be imported.
    #[serde(default)]
    #[cfg_attr(feature = "clap", arg(long, help = "Change nothing"))]
    pub dry_run: bool,
    /// Give accounts with RSA keys a new key at the authority, so that they can be imported;
    /// certbot cannot use them any more.
    #[serde(default)]
    #[cfg_attr(feature = "clap", arg(long))]
    pub roll_over: bool,
}

request!(CertImportRequest, "cert import-certbot", cert_import -> ImportResult);

impl CertImportRequest {
    /// Takes over all certificates of certbot's folder `from`.
    pub fn new(from: impl Into<PathBuf>) -> Self {
        Self { names: Vec::new(), from: from.into(), dry_run: false, roll_over: false }
    }
}

/// What was imported.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct ImportResult {
    /// Each certificate.
    pub certificates: Vec<Imported>,
    /// The imported accounts: the URLs of their directories.
    pub accounts: Vec<String>,
    /// The sections for the configuration file.
    pub settings: String,
    /// What could not be imported.
    pub notes: Vec<String>,
    /// Whether it was a dry run.
    pub dry_run: bool,
}

/// One imported certificate.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// Its name.
    pub name: Name,
    /// Whether the store already has a certificate of this name, which is then kept.
    pub kept_ours: bool,
}

impl Seaworthy {
    /// Imports certbot's certificates and accounts, and returns the equivalent settings.
    pub async fn cert_import(
        &self,
        request: &CertImportRequest,
        cx: &Context,
    ) -> Reply<ImportResult> {
        match self.try_import(request, cx).await {
            Ok(result) => {
                let whole = result.notes.is_empty();
                Reply::new(result, if whole { Outcome::Done } else { Outcome::Losses })
            }
            Err(error) => error.into(),
        }
    }

    async fn try_import(&self, request: &CertImportRequest, cx: &Context) -> Result<ImportResult> {
        let manager = self.certificate_manager();
        let found = certbot::read(&request.from, &request.names)?;
        let mut notes = found.notes.clone();
        let mut certificates = Vec::new();
        for lineage in &found.lineages {
            let kept_ours = manager.store().current(&lineage.name)?.is_some();
            if !kept_ours && !request.dry_run {
                manager.take_over(
                    &lineage.name,
                    &lineage.chain,
                    &lineage.key,
                    &lineage.server,
                    cx,
                )?;
            }
            certificates.push(Imported { name: lineage.name.clone(), kept_ours });
        }
        let mut accounts = Vec::new();
        for account in &found.accounts {
            let taken = if request.roll_over && account.can_roll_over() {
                self.roll_over(account, request.dry_run, cx).await
            } else {
                account.install(manager.store(), request.dry_run)
            };
            match taken {
                Ok(true) => accounts.push(account.directory.clone()),
                Ok(false) => {}
                Err(error) => {
                    let remedy = error.remedy().map(|remedy| format!("; {remedy}"));
                    notes.push(error.chain() + &remedy.unwrap_or_default());
                }
            }
        }
        let settings = found.settings();
        Ok(ImportResult { certificates, accounts, settings, notes, dry_run: request.dry_run })
    }

    /// Gives certbot's account a new key of ours. Returns whether it was done.
    async fn roll_over(&self, account: &FoundAccount, dry_run: bool, cx: &Context) -> Result<bool> {
        let Some(key) = &account.key else { return Ok(false) };
        let key = PrivateKey::from_pem(key.expose())?;
        let opener = self.certificate_opener();
        let authority = opener.authority_at(&account.directory, &self.config.ca, cx).await?;
        if dry_run {
            return Ok(authority.account_url().is_none());
        }
        authority.roll_over_account_key(&account.url, &key).await
    }
}
