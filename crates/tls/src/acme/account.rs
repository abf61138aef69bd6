//! The account at an authority: opened, or registered, once.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use instant_acme::{Account, AccountBuilder, Error as AcmeError, ExternalAccountKey, NewAccount};
use rustls::pki_types::PrivatePkcs8KeyDer;
use seaworthy_core::{Error, ErrorKind, FileLock, Result, Timestamp, durable};
use serde::{Deserialize, Serialize};

use super::{authority::Inner, error, poll::NONCE_TRIES};
use crate::pem;

/// The account as stored on disk, readable by its owner only.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    format: u32,
    directory: String,
    /// The account's URL.
    pub(super) id: String,
    /// The account's key: PKCS#8 in PEM.
    pub(super) key: String,
}

impl Saved {
    pub(super) fn new(directory: &str, id: &str, key: &str) -> Self {
        let (directory, id, key) = (directory.to_owned(), id.to_owned(), key.to_owned());
        Self { format: 1, directory, id, key }
    }

    /// The account at `path`, which must be for `directory`.
    pub(super) fn load(path: &Path, directory: &str) -> Result<Option<Self>> {
        let damaged = |why: &str| {
            let message = format!("the account in {} is {why}", path.display());
            Error::new(ErrorKind::Damaged, "acme.account", message)
                .remedy_is("restore the file, or move it away: then a new account is registered")
        };
        let fail = |e| Error::io("acme.account", format!("cannot read {}", path.display()), e);
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fail(e)),
        };
        let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!("others could read the account's key in {}", path.display());
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fail)?;
        }
        let saved: Self = serde_json::from_slice(&bytes).map_err(|_| damaged("damaged"))?;
        if saved.directory != directory {
            return Err(damaged(&format!("one at {}", saved.directory)));
        }
        Ok(Some(saved))
    }

    /// Writes it durably, readable by its owner only.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "acme.account", e.to_string()))?;
        durable::write_file(path, &bytes, 0o600)
    }
}

impl Inner {
    /// The account, which is registered if there is none.
    pub(super) async fn account(&self) -> Result<Account> {
        let mut place = self.account.lock().await;
        if let Some(account) = &*place {
            return Ok(account.clone());
        }
        let account = match self.load()? {
            Some(saved) => self.open(&saved).await?,
            None => self.register().await?,
        };
        self.check_clock()?;
        *place = Some(account.clone());
        Ok(account)
    }

    /// The authority does not know the account `gone` any more: renames the file on disk, and
    /// registers a new account. If several callers notice this at the same time, one account is
    /// registered.
    pub(super) async fn replace_account(&self, gone: &Account, now: Timestamp) -> Result<Account> {
        let mut place = self.account.lock().await;
        if let Some(account) = place.as_ref().filter(|account| account.id() != gone.id()) {
            return Ok(account.clone());
        }
        let path = self.path();
        let kept = path.with_file_name(format!("account-gone-{}.json", now.compact()));
        match fs::rename(&path, &kept) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(
                    "acme.account",
                    format!("cannot move {}", path.display()),
                    e,
                ));
            }
            _ => {}
        }
        tracing::warn!(
            "{} no longer knows our account: a new one is registered",
            self.options.directory
        );
        let account = self.register().await?;
        *place = Some(account.clone());
        Ok(account)
    }

    fn path(&self) -> std::path::PathBuf {
        self.options.account_folder.join("account.json")
    }

    fn load(&self) -> Result<Option<Saved>> {
        Saved::load(&self.path(), &self.options.directory)
    }

    pub(super) fn saved_account_url(&self) -> Option<String> {
        self.load().ok().flatten().map(|saved| saved.id)
    }

    async fn open(&self, saved: &Saved) -> Result<Account> {
        let key = pem::decode("PRIVATE KEY", &saved.key).and_then(|mut keys| keys.pop());
        let key = key.unwrap_or_default();
        let key = PrivatePkcs8KeyDer::from(key.as_slice());
        let directory = self.options.directory.clone();
        let opened = self.builder().from_parts(saved.id.clone(), key, directory).await;
        opened.map_err(|e| error::explain(e, &self.options.directory, "opening the account"))
    }

    async fn register(&self) -> Result<Account> {
        let options = &self.options;
        // Two processes that start at the same time register one account.
        let lock = options.account_folder.join(".lock");
        let _lock = wait_for_lock(&lock).await?;
        if let Some(saved) = self.load()? {
            return self.open(&saved).await;
        }
        let contact: Vec<&str> = options.contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: options.agree_tos,
            only_return_existing: false,
        };
        let external = options.external_account.as_ref().map(|external| {
            let key = external.hmac_key.expose().trim().trim_end_matches('=');
            let key = BASE64_URL_SAFE_NO_PAD.decode(key).map_err(|_| {
                Error::new(ErrorKind::Config, "acme.account", "`hmac_key` is not base64url")
                    .remedy_is("copy it as the authority shows it")
            })?;
            Ok::<_, Error>(ExternalAccountKey::new(external.key_id.expose().to_owned(), &key))
        });
        let external = external.transpose()?;
        let mut tries = 0;
        let (account, credentials) = loop {
            let directory = options.directory.clone();
            match self.builder().create(&new, directory, external.as_ref()).await {
                Err(e) if error::is_bad_nonce(&e) && tries < NONCE_TRIES => tries += 1,
                Err(e) => {
                    return Err(error::explain(e, &options.directory, "registering an account"));
                }
                Ok(made) => break made,
            }
        };
        let key = credentials.private_key().secret_pkcs8_der();
        let key = pem::encode("PRIVATE KEY", key);
        Saved::new(&options.directory, account.id(), &key).write(&self.path())?;
        Ok(account)
    }

    fn builder(&self) -> AccountBuilder {
        Account::builder_with_http(Box::new(self.http.clone()))
    }

    pub(super) fn explain(&self, error: AcmeError, what: &str) -> Error {
        error::explain(error, &self.options.directory, what)
    }
}

/// The lock at `path`, after its current holder has released it.
pub(super) async fn wait_for_lock(path: &Path) -> Result<FileLock> {
    loop {
        match FileLock::acquire(path, "registering an account") {
            Err(error) if error.kind() == ErrorKind::Locked => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
}
