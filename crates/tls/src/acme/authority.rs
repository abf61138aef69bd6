//! One ACME directory, with the account there.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use seaworthy_core::{Error, ErrorKind, Result, Secret};

use super::{
    http::{Http, Settings},
    ledger::Ledger,
};

/// How far the clocks may differ, in seconds.
pub(crate) const MAX_SKEW: i64 = 300;

/// The settings of an ACME authority.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AcmeOptions {
    /// The URL of its directory.
    pub directory: String,
    /// The folder for the account and its key.
    pub account_folder: PathBuf,
    /// Whether its terms are agreed to. No request is made before that.
    pub agree_tos: bool,
    /// Contact addresses: `mailto:` URLs.
    pub contact: Vec<String>,
    /// PEM roots for its HTTPS server, in addition to those of the machine.
    pub roots: Option<String>,
    /// External account binding: links the ACME account to an existing account at the authority.
    pub external_account: Option<ExternalAccount>,
    /// The URL of an HTTP proxy for reaching it. It may contain a password.
    pub proxy: Option<Secret>,
    /// How long one request may take.
    pub request_limit: Duration,
    /// How long the authority may take to validate all names, and to issue.
    pub patience: Duration,
    /// The ledger that counts its rate limits.
    pub ledger: Option<Ledger>,
}

/// The existing account at the authority, for example one created on its web page.
#[derive(Clone, Debug)]
pub struct ExternalAccount {
    /// The key's id.
    pub key_id: Secret,
    /// The HMAC key: base64url, as authorities show it.
    pub hmac_key: Secret,
}

impl AcmeOptions {
    /// A directory, and the folder for our account there.
    pub fn new(directory: impl Into<String>, account_folder: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            account_folder: account_folder.into(),
            agree_tos: false,
            contact: Vec::new(),
            roots: None,
            external_account: None,
            proxy: None,
            request_limit: Duration::from_secs(30),
            patience: Duration::from_secs(300),
            ledger: None,
        }
    }
}

/// An ACME directory with one account there. Shared by the providers that use it.
#[derive(Clone)]
pub struct AcmeAuthority(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) options: AcmeOptions,
    pub(super) http: Http,
    /// Opened or registered once, even if many certificates wait for it.
    pub(super) account: tokio::sync::Mutex<Option<instant_acme::Account>>,
    /// The base URL of its renewal information, if it has any.
    pub(super) hints: tokio::sync::OnceCell<Option<String>>,
}

impl AcmeAuthority {
    /// An authority. No request is made yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if its terms are not agreed to, or `roots` or `proxy` is wrong.
    pub fn new(options: AcmeOptions) -> Result<Self> {
        if !options.agree_tos {
            let message = format!("the terms of {} are not agreed to", options.directory);
            return Err(Error::new(ErrorKind::Config, "acme.open", message)
                .remedy_is("read them, then write agree_tos = true"));
        }
        let http = Http::new(&Settings {
            roots: options.roots.as_deref(),
            proxy: options.proxy.as_ref(),
            limit: options.request_limit,
        })?;
        let (account, hints) = Default::default();
        Ok(Self(Arc::new(Inner { options, http, account, hints })))
    }

    /// The URL of its directory.
    pub fn directory(&self) -> &str {
        &self.0.options.directory
    }

    /// How many requests were made so far.
    pub fn requests(&self) -> u64 {
        self.0.http.requests()
    }

    /// Its name in CAA records.
    ///
    /// # Errors If it cannot be reached.
    pub async fn caa_identities(&self) -> Result<Vec<String>> {
        #[derive(serde::Deserialize)]
        struct Directory {
            meta: Option<Meta>,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Meta {
            #[serde(default)]
            caa_identities: Vec<String>,
        }
        let (_, _, body) = self.0.http.get(self.directory()).await?;
        let read: Option<Directory> = serde_json::from_slice(&body).ok();
        Ok(read.and_then(|d| d.meta).map(|meta| meta.caa_identities).unwrap_or_default())
    }

    /// The URL of our account there, once there is one.
    pub fn account_url(&self) -> Option<String> {
        self.0.saved_account_url()
    }

    /// How far its clock is ahead of this machine's, in seconds: requests its directory.
    ///
    /// # Errors
    /// If it cannot be reached, or does not send the time.
    pub async fn clock_ahead(&self) -> Result<i64> {
        self.0.http.get(self.directory()).await?;
        self.0.http.ahead().ok_or_else(|| {
            let message = format!("{} does not send the time", self.directory());
            Error::new(ErrorKind::Unsupported, "acme.clock", message)
        })
    }
}

impl Inner {
    /// Fails if the clocks differ by more than five minutes.
    pub(super) fn check_clock(&self) -> Result<()> {
        match self.http.ahead() {
            Some(ahead) if ahead.abs() > MAX_SKEW => {
                Err(wrong_clock(&self.options.directory, ahead))
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn wrong_clock(directory: &str, ahead: i64) -> Error {
    let (minutes, way) = (ahead.abs() / 60, if ahead > 0 { "slow" } else { "fast" });
    let message =
        format!("this machine's clock is {minutes} minutes {way}, compared with {directory}");
    Error::new(ErrorKind::Unsupported, "acme.clock", message)
        .remedy_is("set the clock: `timedatectl set-ntp true`")
}

impl fmt::Debug for AcmeAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcmeAuthority").field(&self.0.options.directory).finish()
    }
}
