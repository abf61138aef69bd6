//! Keys and signatures in the format of the program `minisign`.

use std::{fmt, io::Cursor, sync::Arc};

use ct_codecs::{Base64, Decoder};
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox, SignatureBox};
use seaworthy_core::{Error, ErrorKind, Result, Secret};

/// A key that signs manifests: a secret key of minisign without a password. Cloning is cheap.
///
/// ```
/// use seaworthy_backup::signing::{SigningKey, TrustedKeys};
/// let (secret, public) = SigningKey::generate()?;
/// let key = SigningKey::from_text(&secret, "sign.key")?;
/// assert_eq!(key.public()?, public);
/// TrustedKeys::new([public])?;
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(Arc<SecretKey>);

impl SigningKey {
    /// Reads a secret key as `minisign -G -W` or [`generate`](Self::generate) write it. `origin` says
    /// for people where it comes from.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is not one, or has a password. The text is never repeated.
    pub fn from_text(text: &Secret, origin: &str) -> Result<Self> {
        match read(text.expose()) {
            Some(key) => Ok(Self(Arc::new(key))),
            // The crate's error may contain a part of it.
            None => {
                let message =
                    format!("{origin} holds no secret key of minisign without a password");
                Err(Error::new(ErrorKind::InvalidInput, "signing.key", message)
                    .remedy_is("make one with keygen, for signing, or with `minisign -G -W`"))
            }
        }
    }

    /// Its public key, as written in `trust`: `RWQ…`.
    pub fn public(&self) -> Result<String> {
        PublicKey::from_secret_key(&self.0).map(|key| key.to_base64()).map_err(|_| {
            Error::new(ErrorKind::InvalidInput, "signing.key", "the key has no public key")
        })
    }

    /// A new key pair: the secret key in its file format, and the public key.
    pub fn generate() -> Result<(Secret, String)> {
        let fail = |source| {
            Error::new(ErrorKind::Internal, "signing.key", "cannot make a key").caused_by(source)
        };
        let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().map_err(fail)?;
        let text = sk.to_box(Some("seaworthy signing key: keep it secret")).map_err(fail)?;
        Ok((Secret::new(text.into_string()), pk.to_base64()))
    }

    /// The signature of `bytes`, with the trusted comment `comment`.
    pub(crate) fn sign(&self, bytes: &[u8], comment: &str) -> Result<Vec<u8>> {
        let untrusted = Some("signature of a seaworthy snapshot");
        let signature = minisign::sign(None, &self.0, Cursor::new(bytes), Some(comment), untrusted);
        let signature = signature.map_err(|source| {
            Error::new(ErrorKind::Internal, "manifest.sign", "cannot sign").caused_by(source)
        })?;
        Ok(signature.to_bytes())
    }
}

/// The secret key in `text`, if it has no password and is valid.
fn read(text: &str) -> Option<SecretKey> {
    /// Everything before the checksum, and with it, in bytes.
    const UNCHECKED: usize = 126;
    const WHOLE: usize = 158;

    let boxed = SecretKeyBox::from_string(text).ok()?;
    if let Ok(key) = boxed.into_unencrypted_secret_key() {
        return Some(key);
    }
    // The program leaves the checksum empty if there is no password; the crate requires one.
    let bytes = Base64::decode_to_vec(text.lines().nth(1)?.trim(), None).ok()?;
    let checksum = bytes.get(UNCHECKED..).filter(|_| bytes.len() == WHOLE)?;
    let has_password = bytes.get(2..4)? != [0, 0];
    if has_password || checksum.iter().any(|byte| *byte != 0) {
        return None;
    }
    let key = SecretKey::from_bytes(&bytes).ok()?;
    // This fails if its two halves do not match.
    let public = PublicKey::from_secret_key(&key).ok()?;
    minisign::sign(Some(&public), &key, Cursor::new(b""), None, None).ok()?;
    Some(key)
}

/// Shows nothing of the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

/// Keys whose signatures are trusted: public keys of minisign. Cloning is cheap.
#[derive(Clone)]
pub struct TrustedKeys(Arc<Vec<PublicKey>>);

impl TrustedKeys {
    /// Trusts everything signed with any of these keys: `RWQ…`, as minisign prints them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is none, or if one is malformed.
    pub fn new(keys: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self> {
        let refuse = |message: String| {
            Error::new(ErrorKind::InvalidInput, "signing.trust", message)
                .remedy_is("write the public key as `minisign` prints it: RWQ…")
        };
        let read = |key: &str| {
            let parsed = PublicKey::from_base64(key).ok().filter(|_| key.starts_with("RW"));
            parsed.ok_or_else(|| refuse(format!("{key:?} is not a public key of minisign")))
        };
        let keys: Vec<_> =
            keys.into_iter().map(|key| read(key.as_ref().trim())).collect::<Result<_>>()?;
        if keys.is_empty() {
            return Err(refuse("there are no keys to trust".into()));
        }
        Ok(Self(Arc::new(keys)))
    }

    /// Whether signatures of `key` are trusted.
    pub(crate) fn trusts(&self, key: &SigningKey) -> bool {
        PublicKey::from_secret_key(&key.0)
            .is_ok_and(|public| self.0.iter().any(|known| known.to_bytes() == public.to_bytes()))
    }

    /// The comment of `signature`, if one of these keys signed `bytes` with it; else what is wrong.
    pub(crate) fn check(&self, bytes: &[u8], signature: &[u8]) -> Result<String, String> {
        let malformed = || "its signature is malformed".to_owned();
        let text = std::str::from_utf8(signature).map_err(|_| malformed())?;
        // A signature is 64 bytes, 88 letters of base64; the crate does not check that.
        if text.lines().nth(3).is_none_or(|line| line.trim().len() != 88) {
            return Err(malformed());
        }
        let signature = SignatureBox::from_string(text).map_err(|_| malformed())?;
        let comment = signature.trusted_comment().map_err(|_| malformed())?;
        let mut known = self.0.iter().filter(|key| key.keynum() == signature.keynum()).peekable();
        if known.peek().is_none() {
            return Err("it is signed with a key that is not trusted".to_owned());
        }
        let fits = |key: &PublicKey| {
            minisign::verify(key, &signature, Cursor::new(bytes), true, false, false).is_ok()
        };
        if known.any(fits) { Ok(comment) } else { Err("its signature does not match".to_owned()) }
    }
}

impl fmt::Debug for TrustedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(PublicKey::to_base64)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (SigningKey, TrustedKeys) {
        let (secret, public) = SigningKey::generate().unwrap();
        (SigningKey::from_text(&secret, "x").unwrap(), TrustedKeys::new([public]).unwrap())
    }

    #[test]
    fn only_the_signed_bytes_and_the_trusted_key_will_do() {
        let (key, trust) = pair();
        let signature = key.sign(b"hello", "about it").unwrap();
        assert_eq!(trust.check(b"hello", &signature).unwrap(), "about it");
        assert!(trust.check(b"hellp", &signature).unwrap_err().contains("does not match"));
        let (other, others) = pair();
        assert!(others.check(b"hello", &signature).unwrap_err().contains("not trusted"));
        assert!(trust.trusts(&key) && !trust.trusts(&other));
        let forged = String::from_utf8(signature).unwrap().replace("about it", "about us");
        assert!(trust.check(b"hello", forged.as_bytes()).is_err());
    }

    #[test]
    fn no_malformed_signature_is_believed_or_crashes() {
        let (key, trust) = pair();
        let signature = key.sign(b"hello", "x").unwrap();
        for at in 0..signature.len() {
            assert!(trust.check(b"hello", &signature[..at]).is_err() || at + 1 == signature.len());
            for bit in 0..8 {
                let mut wrong = signature.clone();
                wrong[at] ^= 1 << bit;
                // The first line and white space are no part of what is signed.
                if let Ok(comment) = trust.check(b"hello", &wrong) {
                    assert_eq!(comment, "x");
                }
            }
        }
        let lines: Vec<_> = std::str::from_utf8(&signature).unwrap().lines().collect();
        for last in ["", "AAAA", &"A".repeat(88), &"=".repeat(88)] {
            let text = [lines[0], lines[1], lines[2], last].join("\n");
            assert!(trust.check(b"hello", text.as_bytes()).is_err(), "{last}");
        }
    }

    /// As `minisign -GW` of version 0.11 wrote it: without a checksum.
    const STOCK: &str = "untrusted comment: minisign encrypted secret key\n\
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAg8e0Gtowul5Zy/oCo\
        /ZwPZiTVf94nJUIeKsLk9LRr8W+TrzIqmNLa8+W6QeLG5vTWHW7A6/yy2WS8RFmSQGP5sXLcyG+8nmoAAAAAAAAAA\
        AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn a_key_of_the_program_is_read_and_one_with_a_flipped_bit_is_not() {
        let key = SigningKey::from_text(&Secret::new(STOCK), "x").unwrap();
        let public = "RWSDx7Qa2jC6Xs+W6QeLG5vTWHW7A6/yy2WS8RFmSQGP5sXLcyG+8nmo";
        assert_eq!(key.public().unwrap(), public);
        let trust = TrustedKeys::new([public]).unwrap();
        trust.check(b"hello", &key.sign(b"hello", "x").unwrap()).unwrap();
        for (from, to) in [("Zy/oCo", "Zy/oCp"), ("sXLcyG", "sXLcyH"), ("AAAA=", "AAAE=")] {
            assert!(STOCK.contains(from));
            let broken = Secret::new(STOCK.replace(from, to));
            assert!(SigningKey::from_text(&broken, "x").is_err(), "{to}");
        }
    }

    #[test]
    fn keys_that_are_none_are_refused_and_secrets_not_repeated() {
        let (secret, public) = SigningKey::generate().unwrap();
        let broken = secret.expose().replace("RW", "RX");
        for text in ["", "x", "untrusted comment: x\nhunter2\n", &public, &broken] {
            let error = SigningKey::from_text(&Secret::new(text), "sign.key").unwrap_err();
            let shown = format!("{error:?} {}", error.chain());
            assert!(shown.contains("sign.key") && !shown.contains("hunter2"), "{shown}");
        }
        for text in ["", "RWQ", "age1xyz", &public[1..], &format!("{public}=")] {
            assert!(TrustedKeys::new([text]).is_err(), "{text}");
        }
        assert_eq!(format!("{:?}", pair().0), "SigningKey(***)");
    }
}
