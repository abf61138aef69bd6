//! Keys that decrypt snapshots.

use std::{fmt, sync::Arc};

use age::secrecy::{ExposeSecret, SecretString};
use seaworthy_core::{Error, ErrorKind, Result, Secret};

/// The largest work factor of a passphrase that is accepted, as a power of two: 1 GiB of memory. It
/// is chosen by whoever writes to the sink.
const MAX_WORK_FACTOR: u8 = 20;

/// Keys that decrypt snapshots: private keys of age or ssh, or a passphrase. Backups never need
/// one. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Identities(Vec<Arc<dyn age::Identity + Send + Sync>>);

impl Identities {
    /// No keys: nothing can be decrypted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the identities in `text`, as `age-keygen` and `ssh-keygen` write them. `origin` says for
    /// people where it comes from.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it contains no private key, or one that is itself encrypted.
    /// The text is never repeated.
    pub fn from_text(text: &Secret, origin: &str) -> Result<Self> {
        let refuse = |what: &str| {
            let message = format!("{origin} {what}");
            Error::new(ErrorKind::InvalidInput, "identity.read", message)
        };
        let text = text.expose();
        if text.starts_with("age-encryption.org/") || text.contains("BEGIN AGE ENCRYPTED FILE") {
            return Err(refuse("is itself encrypted")
                .remedy_is("decrypt it with `age -d` first, into memory or a private file"));
        }
        if text.trim_start().starts_with("-----BEGIN ") {
            return match age::ssh::Identity::from_buffer(text.as_bytes(), None) {
                Ok(key @ age::ssh::Identity::Unencrypted(_)) => Ok(Self(vec![Arc::new(key)])),
                Ok(age::ssh::Identity::Encrypted(_)) => Err(refuse("is protected by a passphrase")
                    .remedy_is(
                        "remove the passphrase from a copy with `ssh-keygen -p`, and use that",
                    )),
                Ok(age::ssh::Identity::Unsupported(_)) => {
                    Err(refuse("is of a kind that age does not support")
                        .remedy_is("only ssh-ed25519 and ssh-rsa keys can decrypt"))
                }
                Err(_) => Err(refuse("contains no private key that can be read")),
            };
        }
        let mut found = Self::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let identity: age::x25519::Identity = line.parse().map_err(|_| {
                let what = if line.starts_with("age1") || line.starts_with("ssh-") {
                    format!(
                        "contains a public key in line {}: a private key is needed to \
                             decrypt",
                        n + 1
                    )
                } else {
                    format!("contains no private key of age in line {}", n + 1)
                };
                refuse(&what)
                    .remedy_is("an identity begins with AGE-SECRET-KEY-1, or is an ssh key's file")
            })?;
            found.0.push(Arc::new(identity));
        }
        if found.is_empty() {
            return Err(refuse("contains no private key"));
        }
        Ok(found)
    }

    /// Decrypts what was encrypted with this passphrase.
    pub fn passphrase(passphrase: &Secret) -> Self {
        let secret = SecretString::from(passphrase.expose().to_owned());
        let mut identity = age::scrypt::Identity::new(secret);
        identity.set_max_work_factor(MAX_WORK_FACTOR);
        Self(vec![Arc::new(identity)])
    }

    /// These and `others`.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A new key pair: the private key in its file format, and the public key.
    pub fn generate() -> (Secret, String) {
        let identity = age::x25519::Identity::generate();
        let public = identity.to_public().to_string();
        let private = identity.to_string();
        let text = format!("# public key: {public}\n{}\n", private.expose_secret());
        (Secret::new(text), public)
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &(dyn age::Identity + Send + Sync)> {
        self.0.iter().map(|identity| &**identity)
    }
}

/// Shows how many there are, and none of them.
impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Identities> {
        Identities::from_text(&Secret::new(text), "the file x")
    }

    #[test]
    fn reads_what_it_generates() {
        let (text, public) = Identities::generate();
        assert_eq!(read(text.expose()).unwrap().0.len(), 1);
        assert!(public.starts_with("age1"));
        let two = format!("{}\n\n{}", text.expose(), Identities::generate().0.expose());
        assert_eq!(read(&two).unwrap().0.len(), 2);
    }

    #[test]
    fn what_holds_no_key_is_named_and_never_repeated() {
        let (text, public) = Identities::generate();
        let broken = text.expose().replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1Q");
        for (text, word) in [
            ("", "no private key"),
            ("# only a comment\n", "no private key"),
            (public.as_str(), "public key in line 1"),
            (&broken, "line 2"),
            ("age-encryption.org/v1\n-> scrypt", "itself encrypted"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n", "no private key"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.to_string().contains("the file x"));
            let shown = format!("{error:?} {}", error.chain());
            assert!(!shown.contains("SECRET-KEY-1Q") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
