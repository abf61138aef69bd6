//! Recipients of encrypted snapshots.

use std::{fmt, sync::Arc};

use age::{secrecy::SecretString, ssh::ParseRecipientKeyError};
use seaworthy_core::{Error, ErrorKind, Result, Secret};

use crate::format::ManifestEncryption;

/// The work factor of a passphrase: 2^18, about a second and 256 MiB per guess, as in the program
/// `age`.
const WORK_FACTOR: u8 = 18;

/// The recipients of new snapshots: public keys of age or ssh, or a passphrase alone. Cloning
/// is cheap.
///
/// ```
/// use seaworthy_backup::encryption::{Identities, Recipients};
/// let (_private, public) = Identities::generate();
/// Recipients::new([public])?;
/// assert!(Recipients::new(["age1nonsense"]).is_err());
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Recipients(Arc<Kind>);

enum Kind {
    Keys(Vec<Key>),
    Passphrase(Secret),
}

enum Key {
    X25519(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
}

impl Recipients {
    /// Encrypts for each of `keys`: `age1…`, `ssh-ed25519 …` or `ssh-rsa …`. The private half of any
    /// one of them decrypts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is none, or if one is malformed.
    pub fn new(keys: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self> {
        let keys = keys.into_iter().map(|key| Key::parse(key.as_ref().trim()));
        let keys: Vec<_> = keys.collect::<Result<_>>()?;
        if keys.is_empty() {
            return Err(refuse("there are no recipients to encrypt for")
                .remedy_is("name a recipient; `seaworthy keygen age` makes a key pair"));
        }
        Ok(Self(Arc::new(Kind::Keys(keys))))
    }

    /// Encrypts with `passphrase` only. Each object costs about a second and, while it is started,
    /// 256 MiB of memory.
    pub fn passphrase(passphrase: Secret) -> Self {
        Self(Arc::new(Kind::Passphrase(passphrase)))
    }

    /// Its description in the manifest.
    pub(crate) fn describe(&self) -> ManifestEncryption {
        ManifestEncryption::age(match &*self.0 {
            Kind::Keys(keys) => keys.iter().map(ToString::to_string).collect(),
            Kind::Passphrase(_) => Vec::new(),
        })
    }

    /// The encryptor of one object. Blocks for a second with a passphrase.
    pub(super) fn encryptor(&self) -> Result<age::Encryptor> {
        let passphrase;
        let recipients: Vec<&dyn age::Recipient> = match &*self.0 {
            Kind::Keys(keys) => keys.iter().map(Key::as_recipient).collect(),
            Kind::Passphrase(secret) => {
                let secret = SecretString::from(secret.expose().to_owned());
                let mut recipient = age::scrypt::Recipient::new(secret);
                recipient.set_work_factor(WORK_FACTOR);
                passphrase = recipient;
                vec![&passphrase]
            }
        };
        age::Encryptor::with_recipients(recipients.into_iter()).map_err(|source| {
            Error::new(ErrorKind::Internal, "encrypt", "cannot start the encryption")
                .caused_by(source)
        })
    }
}

/// Shows public keys, never a passphrase.
impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recipients").field(&self.describe().recipients).finish()
    }
}

impl Key {
    fn parse(text: &str) -> Result<Self> {
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") || text.contains("PRIVATE KEY")
        {
            // Not repeated: it is a secret.
            return Err(refuse(
                "a private key is given as recipient, where a public one is needed",
            )
            .remedy_is(
                "write its public key, age1…, and make a new pair: this one is no longer secret",
            ));
        }
        if text.starts_with("age1") {
            let key = text.parse().map_err(|why| {
                refuse(format!("the recipient {text:?} is malformed: {why}"))
                    .remedy_is("copy it again; a key of X25519 is age1 and 58 letters and digits")
            })?;
            return Ok(Self::X25519(key));
        }
        if !text.starts_with("ssh-") || text.contains('\n') {
            let message = format!("the recipient {text:?} is not a public key that age supports");
            return Err(
                refuse(message).remedy_is("write one line: age1…, ssh-ed25519 … or ssh-rsa …")
            );
        }
        text.parse().map(Self::Ssh).map_err(|error| {
            let why = match error {
                ParseRecipientKeyError::RsaModulusTooSmall => "it has less than 2048 bits".into(),
                ParseRecipientKeyError::RsaModulusTooLarge => "it has more than 4096 bits".into(),
                ParseRecipientKeyError::Unsupported(kind) => format!("age does not support {kind}"),
                _ => "it is malformed".to_owned(),
            };
            refuse(format!("{text:?} cannot be a recipient: {why}")).remedy_is(
                "write the public key of an ssh-ed25519 or ssh-rsa key as in its .pub \
                         file",
            )
        })
    }

    fn as_recipient(&self) -> &dyn age::Recipient {
        match self {
            Self::X25519(key) => key,
            Self::Ssh(key) => key,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X25519(key) => key.fmt(f),
            Self::Ssh(key) => key.fmt(f),
        }
    }
}

fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "encryption.recipients", message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSH: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    #[test]
    fn comments_of_ssh_keys_stay_out_of_the_manifest() {
        let recipients = Recipients::new([format!("{SSH} root@example.com")]).unwrap();
        assert_eq!(recipients.describe().recipients, [SSH]);
    }

    #[test]
    fn what_is_no_public_key_is_refused_and_private_ones_are_not_repeated() {
        let (private, _) = crate::encryption::Identities::generate();
        let private = private.expose().lines().last().unwrap().to_owned();
        for (text, word) in [
            ("", "not a public key"),
            ("age1xyz", "malformed"),
            ("ssh-ed25519 AAAA", "malformed"),
            ("ssh-dss AAAAB3NzaC1kc3MAAACBAP", "cannot be a recipient"),
            ("hunter2", "not a public key"),
            (&format!("{SSH}\n{SSH}"), "not a public key"),
            (&private, "a private key"),
        ] {
            let error = Recipients::new([text]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(word), "{error}");
            assert!(!format!("{error:?}").contains(&private));
        }
        assert!(Recipients::new(Vec::<String>::new()).is_err());
    }

    #[test]
    fn a_passphrase_is_never_shown() {
        let recipients = Recipients::passphrase(Secret::new("hunter2"));
        assert!(!format!("{recipients:?}").contains("hunter2"));
    }
}
