//! Email, through an SMTP server.

#[cfg(feature = "notify")]
mod smtp;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use seaworthy_core::{Context, Environment, Result, SecretRef, Section};
use serde::{Deserialize, Serialize};

use super::{NotifierKind, SharedNotifier};

/// Email, through an SMTP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
#[non_exhaustive]
pub struct EmailConfig {
    /// The server.
    pub server: String,
    /// Its port. Default: that of `tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is secured.
    #[serde(default)]
    pub tls: SmtpTls,
    /// A PEM file with authorities to trust in addition to the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// The user name. Default: no login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The place of the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// The sender.
    pub from: String,
    /// The recipients.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub to: Vec<String>,
}

/// How a connection to a mail server is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SmtpTls {
    /// It begins unencrypted and is secured before anything is sent; port 587.
    #[default]
    Starttls,
    /// It is encrypted from the beginning; port 465.
    Implicit,
    /// Not encrypted; port 25. Only without a password.
    None,
}

#[async_trait]
impl NotifierKind for EmailConfig {
    fn check(&self, section: &mut Section) {
        if self.to.is_empty() {
            let message = format!("{section} goes to nobody");
            section.fault(&["to"], message, "write to = [\"ops@example.com\"]");
        }
        for (key, address) in
            std::iter::once(("from", &self.from)).chain(self.to.iter().map(|to| ("to", to)))
        {
            if !address.contains('@') || address.contains(char::is_control) {
                let message = format!("{address:?} in {section} is not an email address");
                section.fault(&[key], message, "write it like ops@example.com");
            }
        }
        match (&self.username, &self.password) {
            (Some(_), None) => {
                let message = format!("{section} has a name, but no password");
                let remedy = "add password = { env = … }, or remove the user name";
                section.fault(&["username"], message, remedy);
            }
            (None, Some(_)) => {
                let message = format!("{section} has a password, but no name");
                let remedy = "add username = \"…\", or remove the password";
                section.fault(&["password"], message, remedy);
            }
            (Some(_), Some(_)) if self.tls == SmtpTls::None => {
                let message = format!("{section} would send its password in the open");
                section.fault(&["tls"], message, "write tls = \"starttls\" or \"implicit\"");
            }
            _ => {}
        }
    }

    fn resolve(&mut self, base: &Path) {
        self.roots.iter_mut().for_each(|path| *path = base.join(&path));
        self.password.iter_mut().for_each(|password| password.resolve(base));
    }

    #[cfg(feature = "notify")]
    async fn open(&self, environment: &Environment, cx: &Context) -> Result<SharedNotifier> {
        let password = super::optional_secret(self.password.as_ref(), environment, cx).await?;
        Ok(std::sync::Arc::new(smtp::Email::new(self, password)?))
    }

    #[cfg(not(feature = "notify"))]
    async fn open(&self, _: &Environment, _: &Context) -> Result<SharedNotifier> {
        Err(super::http::unsupported())
    }
}
