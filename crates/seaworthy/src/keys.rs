//! Reads the keys for encryption and signatures in the configuration.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use seaworthy_backup::{
    Keys,
    encryption::{Identities, Recipients},
    signing::{SigningKey, TrustedKeys},
};
use seaworthy_core::{Context, Error, Event, Name, Result, Secret};

use crate::Seaworthy;

/// The largest file of identities, in bytes.
const MAX_IDENTITIES: u64 = 1 << 20;

/// The purpose of opening snapshots: only the keys that are needed are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To list them.
    List,
    /// To read their contents.
    Read,
    /// To verify them and to store the result next to them.
    Verify,
    /// To create one.
    Write,
    /// To remove some: in append-only sinks, with separate keys.
    Prune,
}

impl Seaworthy {
    /// Also decrypts with `identities`.
    #[must_use]
    pub fn with_identities(mut self, identities: Identities) -> Self {
        self.identities = identities;
        self
    }

    /// The keys of `job`, as far as `purpose` needs them.
    pub(crate) async fn keys(&self, job: &Name, purpose: Purpose, cx: &Context) -> Result<Keys> {
        let config = self.job_config(job)?;
        let mut keys = Keys::default();
        if let Some(signing) = &config.signing {
            if !signing.trust.is_empty() {
                keys.trust = Some(TrustedKeys::new(&signing.trust)?);
            }
            if let (Some(place), Purpose::Verify | Purpose::Write) = (&signing.key, purpose) {
                let origin = format!("the signing key of {job}");
                let key = self.secret(place, cx).await;
                match key.and_then(|text| SigningKey::from_text(&text, &origin)) {
                    Ok(key) => keys.signing = Some(key),
                    Err(error) if purpose == Purpose::Write => return Err(error),
                    // A verification on another machine is useful even without it.
                    Err(error) => {
                        let why = error.chain();
                        let message = format!("the results will not be signed: {why}");
                        cx.emit(Event::warning(message));
                    }
                }
            }
        }
        if matches!(purpose, Purpose::List | Purpose::Prune) {
            return Ok(keys);
        }
        keys.identities = self.identities.clone();
        let Some(encryption) = &config.encryption else { return Ok(keys) };
        match &encryption.passphrase {
            None if purpose == Purpose::Write => {
                keys.recipients = Some(Recipients::new(&encryption.recipients)?);
            }
            None => {}
            Some(place) => match self.secret(place, cx).await {
                Ok(passphrase) => {
                    keys.identities = keys.identities.and(Identities::passphrase(&passphrase));
                    keys.recipients = Some(Recipients::passphrase(passphrase));
                }
                Err(error) if purpose == Purpose::Write => return Err(error),
                // The snapshot may be an older one, or only its stored bytes are checked.
                Err(error) => {
                    let message = format!("the passphrase of {job} is missing: {}", error.chain());
                    cx.emit(Event::warning(message));
                }
            },
        }
        Ok(keys)
    }
}

/// The private keys in `files`; if there are none, those in the file named in `variable`, or in
/// `variable` itself.
///
/// # Errors
/// The operating system's error for a file that cannot be read, and those of
/// [`Identities::from_text`].
pub fn find_identities(files: &[PathBuf], variable: Option<&OsStr>) -> Result<Identities> {
    let variable = variable.filter(|value| files.is_empty() && !value.is_empty());
    let Some(value) = variable else {
        let each = files.iter().map(|file| read_identities(file));
        return each.into_iter().try_fold(Identities::new(), |all, one| Ok(all.and(one?)));
    };
    let is_key = |begin: &str| value.as_bytes().starts_with(begin.as_bytes());
    match value.to_str() {
        Some(text) if ["AGE-SECRET-KEY-", "-----BEGIN ", "# "].into_iter().any(is_key) => {
            Identities::from_text(&Secret::new(text), "SEAWORTHY_IDENTITY")
        }
        _ => read_identities(Path::new(value)),
    }
}

fn read_identities(file: &Path) -> Result<Identities> {
    use std::io::Read as _;
    let fail =
        |e| Error::io("identity.read", format!("cannot read the identity {}", file.display()), e);
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(fail)?;
    opened.take(MAX_IDENTITIES).read_to_string(&mut text).map_err(fail)?;
    Identities::from_text(&Secret::new(text), &file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::ErrorKind;

    #[test]
    fn files_come_before_the_variable_which_is_a_path_or_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let (text, _) = Identities::generate();
        std::fs::write(&file, text.expose()).unwrap();
        let key = text.expose().lines().last().unwrap();
        for variable in [file.as_os_str(), OsStr::new(key), OsStr::new(text.expose())] {
            assert!(!find_identities(&[], Some(variable)).unwrap().is_empty());
        }
        let found = find_identities(std::slice::from_ref(&file), Some(OsStr::new("/no/such")));
        assert!(!found.unwrap().is_empty());
        assert!(find_identities(&[], None).unwrap().is_empty());
        assert!(find_identities(&[], Some(OsStr::new(""))).unwrap().is_empty());
        let error = find_identities(&[], Some(OsStr::new("/no/such"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("/no/such"));
    }
}
