//! Taking over another program's account, by giving it a new key (RFC 8555, section 7.3.5).

use ::http::{HeaderMap, StatusCode};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use seaworthy_core::{Error, ErrorKind, Result, durable};
use serde::Deserialize;
use serde_json::{Value, json};
use x509_parser::{
    prelude::{FromDer, SubjectPublicKeyInfo},
    public_key::PublicKey,
};

use super::{
    account::{Saved, wait_for_lock},
    authority::AcmeAuthority,
    error,
    poll::NONCE_TRIES,
};
use crate::{CertificateKey, Fingerprint, KeyType, PrivateKey, jwk::without_zeros};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    key_change: Option<String>,
}

impl AcmeAuthority {
    /// Gives the account at `url` a new key, and keeps it as our account here. The `old` key (RSA
    /// or P-256) no longer works for the account. Returns whether this was done: an existing
    /// account of ours is kept.
    ///
    /// The new key is written to disk before it is sent to the authority: after a crash at any
    /// point the same call completes the change.
    ///
    /// # Errors
    /// If the authority refuses; then the account keeps its old key.
    pub async fn roll_over_account_key(&self, url: &str, old: &PrivateKey) -> Result<bool> {
        let folder = &self.0.options.account_folder;
        let path = folder.join("account.json");
        let hash = Fingerprint::of(url.as_bytes()).to_string();
        let begun = folder.join(format!("account-new-key-{}.json", &hash[..12]));
        durable::create_private_folder(folder)?;
        let _lock = wait_for_lock(&folder.join(".lock")).await?;
        if path.exists() {
            return Ok(false);
        }
        let saved = match Saved::load(&begun, self.directory())? {
            Some(saved) => saved,
            None => {
                let key = PrivateKey::generate(KeyType::P256)?;
                let saved = Saved::new(self.directory(), url, key.pem().expose());
                saved.write(&begun)?;
                saved
            }
        };
        let new = PrivateKey::from_pem(&saved.key)?;
        let (_, _, body) = self.0.http.get(self.directory()).await?;
        let directory: Directory = serde_json::from_slice(&body).map_err(|e| {
            let message = format!("{} is not an ACME directory", self.directory());
            Error::new(ErrorKind::Unavailable, "acme.take_over", message).caused_by(e)
        })?;
        if let Err(refused) = self.change_key(&directory, url, old, &new).await {
            // If only the response was lost, now or in an earlier run, the new key opens the
            // account.
            let opened = self.post(&directory, url, url, "", &new).await;
            if !opened.is_ok_and(|(status, ..)| status.is_success()) {
                return Err(refused);
            }
        }
        std::fs::rename(&begun, &path).map_err(|e| {
            let message = format!("cannot rename {}", begun.display());
            Error::io("acme.take_over", message, e)
        })?;
        durable::sync_folder(folder)?;
        Ok(true)
    }

    async fn change_key(
        &self,
        directory: &Directory,
        account: &str,
        old: &PrivateKey,
        new: &PrivateKey,
    ) -> Result<()> {
        let Some(url) = &directory.key_change else {
            let message =
                format!("{} does not support changing an account's key", self.directory());
            return Err(Error::new(ErrorKind::Unsupported, "acme.take_over", message)
                .remedy_is("a new account is registered automatically"));
        };
        let protected = json!({ "alg": algorithm(new), "jwk": public_jwk(new)?, "url": url });
        let wish = json!({ "account": account, "oldKey": public_jwk(old)? });
        let wish = sign(&protected, &wish.to_string(), new)?;
        let (status, _, body) = self.post(directory, url, account, &wish.to_string(), old).await?;
        if status.is_success() {
            return Ok(());
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        let why = problem["detail"].as_str().unwrap_or("it gives no reason");
        let message = format!("{} does not change the account's key: {why}", self.directory());
        Err(Error::new(ErrorKind::PermissionDenied, "acme.take_over", message)
            .with("status", status)
            .remedy_is("a new account is registered automatically"))
    }

    /// A request signed with `key` for the account at `account`, repeated while only its nonce is
    /// refused.
    async fn post(
        &self,
        directory: &Directory,
        url: &str,
        account: &str,
        payload: &str,
        key: &PrivateKey,
    ) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let mut tries = 0;
        loop {
            let (_, headers, _) = self.0.http.get(&directory.new_nonce).await?;
            let nonce = headers.get("replay-nonce").and_then(|nonce| nonce.to_str().ok());
            let protected = json!({
                "alg": algorithm(key), "kid": account, "nonce": nonce, "url": url,
            });
            let body = sign(&protected, payload, key)?.to_string();
            let answer = self.0.http.post(url, body).await?;
            let problem = serde_json::from_slice(&answer.2).map(instant_acme::Error::Api);
            if tries == NONCE_TRIES || !problem.is_ok_and(|problem| error::is_bad_nonce(&problem)) {
                return Ok(answer);
            }
            tries += 1;
        }
    }
}

/// A JSON Web Signature.
fn sign(protected: &Value, payload: &str, key: &PrivateKey) -> Result<Value> {
    let protected = BASE64_URL_SAFE_NO_PAD.encode(protected.to_string());
    let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
    let mut signature = key.sign(format!("{protected}.{payload}").as_bytes())?;
    if key.key_type() == KeyType::P256 {
        signature = fixed(&signature).ok_or_else(odd_key)?;
    }
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
    Ok(json!({ "protected": protected, "payload": payload, "signature": signature }))
}

fn algorithm(key: &PrivateKey) -> &'static str {
    if key.key_type() == KeyType::P256 { "ES256" } else { "RS256" }
}

/// The public half, as ACME writes it.
fn public_jwk(key: &PrivateKey) -> Result<Value> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (_, public) = SubjectPublicKeyInfo::from_der(key.public_key()).map_err(|_| odd_key())?;
    match public.parsed() {
        Ok(PublicKey::RSA(rsa)) => Ok(json!({
            "e": encode(without_zeros(rsa.exponent)),
            "kty": "RSA",
            "n": encode(without_zeros(rsa.modulus)),
        })),
        Ok(PublicKey::EC(point)) if point.data().len() == 65 => {
            let (x, y) = point.data()[1..].split_at(32);
            Ok(json!({ "crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y) }))
        }
        _ => Err(odd_key()),
    }
}

fn odd_key() -> Error {
    let message = "an account's key must be RSA or P-256";
    Error::new(ErrorKind::Unsupported, "acme.take_over", message)
}

/// The two numbers of an ECDSA signature in DER, 32 bytes each.
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let mut rest = der.strip_prefix(&[0x30])?.get(1..)?;
    let mut both = Vec::with_capacity(64);
    for _ in 0..2 {
        let [0x02, length, after @ ..] = rest else { return None };
        let (number, after) = after.split_at_checked(usize::from(*length))?;
        let number = without_zeros(number);
        both.resize(both.len() + 32_usize.checked_sub(number.len())?, 0);
        both.extend_from_slice(number);
        rest = after;
    }
    rest.is_empty().then_some(both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_become_as_long_as_jose_wants_them() {
        let key = PrivateKey::generate(KeyType::P256).unwrap();
        // Short numbers are rare: one in 256 each.
        for i in 0..600_u32 {
            assert_eq!(fixed(&key.sign(&i.to_be_bytes()).unwrap()).unwrap().len(), 64);
        }
        let odd = [0x30, 0x07, 0x02, 0x01, 0x05, 0x02, 0x02, 0x00, 0x81];
        let both = fixed(&odd).unwrap();
        assert_eq!((both[31], both[63], both.iter().filter(|b| **b != 0).count()), (5, 0x81, 2));
        assert_eq!(fixed(&odd[..8]), None);
    }
}
