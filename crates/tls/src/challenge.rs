//! The interface for answering an authority's challenges.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use seaworthy_core::{Context, Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

use crate::Identifier;

/// How the authority validates that we control a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChallengeKind {
    /// A file on port 80.
    Http01,
    /// A TXT record: the only kind for wildcards.
    Dns01,
    /// A challenge certificate on port 443.
    TlsAlpn01,
}

impl ChallengeKind {
    /// Its name in ACME, in CAA records and in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the authority will check.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    identifier: Identifier,
    token: String,
    key_authorization: String,
}

impl Challenge {
    /// A challenge for `identifier`.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`] for a token that is not base64url: it becomes the name of a file.
    pub fn new(
        identifier: Identifier,
        token: impl Into<String>,
        key_authorization: impl Into<String>,
    ) -> Result<Self> {
        let (token, key_authorization) = (token.into(), key_authorization.into());
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        let fits = !token.is_empty() && token.len() <= 512 && token.bytes().all(plain);
        if !fits || !key_authorization.bytes().all(|c| plain(c) || c == b'.') {
            let message = format!("the authority's token for {identifier} is not base64url");
            return Err(Error::new(ErrorKind::Untrusted, "acme.challenge", message).remedy_is(
                "do not use this authority: its token could name a file in another \
                         folder",
            ));
        }
        Ok(Self { identifier, token, key_authorization })
    }

    /// The name or address to validate.
    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// The token: base64url, safe as the name of a file.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The content of the file for HTTP-01.
    pub fn key_authorization(&self) -> &str {
        &self.key_authorization
    }

    /// The path that is requested with HTTP-01.
    pub fn http_path(&self) -> String {
        format!("/.well-known/acme-challenge/{}", self.token)
    }

    /// The name of the TXT record for DNS-01, before any CNAME, without a trailing dot.
    pub fn dns_name(&self) -> String {
        format!("_acme-challenge.{}", self.identifier.base())
    }

    /// The value of the TXT record for DNS-01.
    pub fn dns_value(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.digest())
    }

    /// The SHA-256 of the key authorization: for TLS-ALPN-01.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.key_authorization).into()
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge")
            .field("identifier", &self.identifier)
            .field("token", &self.token)
            .finish()
    }
}

/// Answers challenges of one kind. Several challenges may be open at once, also for one name.
#[async_trait]
pub trait ChallengeSolver: Debug + Send + Sync {
    /// Which kind it answers.
    fn kind(&self) -> ChallengeKind;

    /// Makes the answer available.
    async fn present(&self, challenge: &Challenge) -> Result<()>;

    /// Waits until the authority can see the answer: immediately, or until DNS has propagated.
    async fn ready(&self, challenge: &Challenge, cx: &Context) -> Result<()>;

    /// Removes the answer. It is not an error if there is none.
    async fn cleanup(&self, challenge: &Challenge) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_could_leave_its_folder_is_refused() {
        let name: Identifier = "a.example".parse().unwrap();
        for odd in ["", "../x", "a/b", "a.b", "a\0", "ä", "a b"] {
            assert!(Challenge::new(name.clone(), odd, "x.y").is_err(), "{odd:?}");
        }
        let good = Challenge::new(name, "a-_9", "a-_9.thumb").unwrap();
        assert_eq!(good.http_path(), "/.well-known/acme-challenge/a-_9");
        assert_eq!(good.dns_name(), "_acme-challenge.a.example");
        assert_eq!(good.dns_value().len(), 43);
    }
}
