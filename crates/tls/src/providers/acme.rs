//! An ACME authority, such as Let's Encrypt.

use std::path::{Path, PathBuf};

use seaworthy_core::{SecretRef, Section};
use serde::{Deserialize, Serialize};

use super::ProviderKind;

/// `[ca.<name>]` with `type = "acme"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AcmeConfig {
    /// `letsencrypt`, `letsencrypt-staging`, or the URL of a directory.
    pub directory: String,
    /// The directory for staging and dry runs. Default for Let's Encrypt: its staging directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging: Option<String>,
    /// Contact addresses, such as `mailto:ops@example.com`.
    #[serde(default)]
    pub contact: Vec<String>,
    /// Whether its terms are agreed to.
    #[serde(default)]
    pub agree_tos: bool,
    /// A PEM file with additional roots for its HTTPS server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// Links the ACME account to an existing account at the authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eab: Option<EabConfig>,
    /// The URL of an HTTP proxy for reaching the authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<SecretRef>,
    /// The port that the authority uses for HTTP-01: 80, except for a private authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_port: Option<u16>,
}

/// `eab`: external account binding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EabConfig {
    /// The key's id.
    pub key_id: SecretRef,
    /// The HMAC key, in base64url as the authority shows it.
    pub hmac_key: SecretRef,
}

#[cfg_attr(feature = "manage", async_trait::async_trait)]
impl ProviderKind for AcmeConfig {
    fn check(&self, section: &mut Section) {
        if !self.agree_tos {
            let message = format!("{section} does not agree to the authority's terms");
            section.fault(&["agree_tos"], message, "read them, then write agree_tos = true");
        }
    }

    fn resolve(&mut self, base: &Path) {
        self.roots.iter_mut().for_each(|roots| *roots = base.join(&roots));
        let eab = self.eab.iter_mut().flat_map(|eab| [&mut eab.key_id, &mut eab.hmac_key]);
        eab.chain(&mut self.proxy).for_each(|secret| secret.resolve(base));
    }

    fn needs_challenge(&self) -> bool {
        true
    }

    #[cfg(feature = "acme")]
    async fn open(
        &self,
        name: &seaworthy_core::Name,
        certificate: &crate::config::CertificateConfig,
        opener: &crate::open::Opener,
        cx: &seaworthy_core::Context,
    ) -> seaworthy_core::Result<crate::open::Opened> {
        use crate::{acme::AcmeProvider, open::Opened, preflight::AcmePreflight};
        let authority = opener.authority(name, self, cx).await?;
        let Some(challenge) = &certificate.challenge else {
            let message = "there is no `challenge` for an ACME authority";
            return Err(seaworthy_core::Error::new(
                seaworthy_core::ErrorKind::Config,
                "challenge.open",
                message,
            ));
        };
        let solver = challenge.as_kind().open(opener, cx).await?;
        let names = certificate.names.clone();
        let mut precheck =
            AcmePreflight::new(names, authority.clone(), opener.resolver()?, solver.clone())
                .http_port(self.http_port.unwrap_or(80));
        if let Some(folder) = challenge.as_kind().webroot() {
            precheck = precheck.webroot(folder);
        }
        if let Some(command) = challenge.as_kind().commands().first() {
            precheck = precheck.hook((*command).clone());
        }
        Ok(Opened::new(AcmeProvider::new(authority, solver)).with_precheck(precheck))
    }
}

#[cfg(feature = "acme")]
impl AcmeConfig {
    /// The URL of its directory; with `staging`, of the one for trying things out.
    pub(crate) fn directory_url(
        &self,
        name: &seaworthy_core::Name,
        staging: bool,
    ) -> seaworthy_core::Result<String> {
        use crate::acme::{LETS_ENCRYPT, LETS_ENCRYPT_STAGING};
        let directory = match self.directory.as_str() {
            "letsencrypt" => LETS_ENCRYPT,
            "letsencrypt-staging" => LETS_ENCRYPT_STAGING,
            url => url,
        };
        if !staging {
            return Ok(directory.to_owned());
        }
        match (&self.staging, directory) {
            (Some(url), _) => Ok(url.clone()),
            (None, LETS_ENCRYPT | LETS_ENCRYPT_STAGING) => Ok(LETS_ENCRYPT_STAGING.to_owned()),
            (None, _) => {
                let message = format!("[ca.{name}] has no staging directory");
                Err(seaworthy_core::Error::new(
                    seaworthy_core::ErrorKind::Config,
                    "ca.open",
                    message,
                )
                .remedy_with(
                    "add staging = \"https://…\" to it, or leave `staging` and `dry_run` out",
                    &["staging", "dry_run"],
                ))
            }
        }
    }
}
