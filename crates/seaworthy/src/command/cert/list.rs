//! `cert list` and `cert show`.

use std::path::PathBuf;

use seaworthy_core::{Context, Name, Result, Timestamp};
use seaworthy_tls::{Action, Fingerprint, Identifier, decide, manage::Manager};
use serde::{Deserialize, Serialize};

use crate::{Reply, Seaworthy, command::request};

/// What `cert list` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertListRequest {}

request!(CertListRequest, "cert list", cert_list -> ListResult);

/// What `cert show` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertShowRequest {
    /// The certificates.
    #[cfg_attr(feature = "clap", arg(value_name = "NAME"))]
    pub names: Vec<Name>,
}

request!(CertShowRequest, "cert show", cert_show -> ListResult);

/// The list.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct ListResult {
    /// Each certificate: those of the file, then others that the store has.
    pub certificates: Vec<CertState>,
}

/// The current state of one certificate.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CertState {
    /// Its name.
    pub name: Name,
    /// Whether the file still has it.
    pub configured: bool,
    /// Its names: as issued, else as in the file.
    pub names: Vec<Identifier>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The provider's id, such as the URL of an ACME directory.
    pub provider: Option<String>,
    /// The start of its validity.
    pub not_before: Option<Timestamp>,
    /// The end of its validity.
    pub not_after: Option<Timestamp>,
    /// The SHA-256 of it.
    pub fingerprint: Option<Fingerprint>,
    /// Its serial number.
    pub serial: Option<String>,
    /// The folder with its four files.
    pub live: PathBuf,
    /// Whether it is proved to be served, or does not need to be deployed.
    pub deployed: bool,
    /// What is due.
    pub action: Option<Action>,
    /// How often issuing failed in a row.
    pub failures: u32,
    /// The last error.
    pub last_error: Option<String>,
}

impl Seaworthy {
    /// Lists the certificates. Makes no requests.
    pub async fn cert_list(&self, _: &CertListRequest, cx: &Context) -> Reply<ListResult> {
        self.try_list(cx).into()
    }

    /// Shows these certificates; empty for all. Makes no requests.
    pub async fn cert_show(&self, request: &CertShowRequest, cx: &Context) -> Reply<ListResult> {
        let names = request.names.as_slice();
        let shown = || {
            let names = self.certificate_names(names)?;
            let manager = self.certificate_manager();
            let states = names.iter().map(|name| self.cert_state(&manager, name, cx)).collect();
            Ok(ListResult { certificates: super::first(states)? })
        };
        shown().into()
    }

    fn try_list(&self, cx: &Context) -> Result<ListResult> {
        let manager = self.certificate_manager();
        let mut names: Vec<Name> = self.config.certificate.names().cloned().collect();
        for name in manager.store().names()? {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let states = names.iter().map(|name| self.cert_state(&manager, name, cx)).collect();
        Ok(ListResult { certificates: super::first(states)? })
    }

    pub(crate) fn cert_state(
        &self,
        manager: &Manager,
        name: &Name,
        cx: &Context,
    ) -> Result<CertState> {
        let configured = self.config.certificate.get(name.as_str());
        let history = manager.history(name)?;
        let newest = manager.newest(name, &history)?;
        let leaf = newest.as_ref().map(|version| version.chain.leaf());
        let hint = history
            .hint
            .as_ref()
            .filter(|known| leaf.is_some_and(|leaf| leaf.fingerprint().to_string() == known.about));
        let validity = leaf.map(|leaf| leaf.validity());
        let action = configured.map(|_| decide(cx.now(), validity, hint, &history));
        Ok(CertState {
            name: name.clone(),
            configured: configured.is_some(),
            names: match (leaf, configured) {
                (Some(leaf), _) => leaf.names().to_vec(),
                (None, Some(config)) => config.names.clone(),
                (None, None) => Vec::new(),
            },
            issuer: leaf.map(|leaf| leaf.issuer().to_owned()),
            provider: newest.as_ref().map(|version| version.about.provider.clone()),
            not_before: validity.map(|validity| validity.not_before),
            not_after: validity.map(|validity| validity.not_after),
            fingerprint: leaf.map(|leaf| leaf.fingerprint()),
            serial: leaf.map(|leaf| leaf.serial()),
            live: manager.store().live(name),
            deployed: history.deployed,
            action,
            failures: history.failures,
            last_error: history.last_error,
        })
    }
}
