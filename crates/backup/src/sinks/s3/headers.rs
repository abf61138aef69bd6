//! Headers of every new object of a sink: storage class, encryption, a lock.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::{Digest, Md5};
use seaworthy_core::{Error, ErrorKind, Result, Secret, Span, TimeZone, Timestamp};

use super::{LockMode, action::Action};

/// How the store encrypts what it keeps.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerEncryption {
    /// With a key of the store: `AES256`.
    Store,
    /// With this key of its key management service, or with the bucket's default.
    Kms(Option<String>),
    /// With a key of 32 bytes, in base64, that is sent with each request. If it is lost, the
    /// objects are lost.
    Customer(Secret),
}

/// An object cannot be deleted before its retention ends.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ObjectLock {
    /// Whether users with a special right still can.
    pub mode: LockMode,
    /// The retention period from the time of writing.
    pub retain: Span,
}

impl ObjectLock {
    /// Locks new objects for `retain`.
    pub fn new(mode: LockMode, retain: Span) -> Self {
        Self { mode, retain }
    }
}

/// Adds these headers to the requests that create objects.
#[derive(Debug, Default)]
pub(super) struct NewObjects {
    fixed: Vec<(HeaderName, HeaderValue)>,
    customer_key: Vec<(HeaderName, HeaderValue)>,
    lock: Option<ObjectLock>,
}

impl NewObjects {
    pub(super) fn new(
        storage_class: Option<&str>,
        encryption: Option<&ServerEncryption>,
        lock: Option<ObjectLock>,
    ) -> Result<Self> {
        let mut this = Self { lock, ..Self::default() };
        let name = HeaderName::from_static;
        if let Some(class) = storage_class {
            this.fixed.push((name("x-amz-storage-class"), value("storage_class", class)?));
        }
        match encryption {
            None => {}
            Some(ServerEncryption::Store) => {
                let algorithm = HeaderValue::from_static("AES256");
                this.fixed.push((name("x-amz-server-side-encryption"), algorithm));
            }
            Some(ServerEncryption::Kms(key)) => {
                let algorithm = HeaderValue::from_static("aws:kms");
                this.fixed.push((name("x-amz-server-side-encryption"), algorithm));
                if let Some(key) = key {
                    let header = name("x-amz-server-side-encryption-aws-kms-key-id");
                    this.fixed.push((header, value("the key's id", key)?));
                }
            }
            Some(ServerEncryption::Customer(key)) => this.customer_key = customer_key(key)?,
        }
        Ok(this)
    }

    /// Whether a request for `action` needs a digest of its own: stores require one with a lock.
    pub(super) fn wants_md5(&self, action: Action) -> bool {
        self.lock.is_some() && matches!(action, Action::PutObject | Action::UploadPart)
    }

    pub(super) fn add_to(&self, headers: &mut HeaderMap, action: Action, path: &str) {
        if action.needs_customer_key() {
            headers.extend(self.customer_key.iter().cloned().map(|(k, v)| (Some(k), v)));
        }
        if !action.creates() {
            return;
        }
        headers.extend(self.fixed.iter().cloned().map(|(k, v)| (Some(k), v)));
        if let Some(lock) = self.lock.filter(|_| is_lasting(path)) {
            let now = Timestamp::from(std::time::SystemTime::now());
            let until = now.plus(lock.retain, &TimeZone::utc());
            let until = Timestamp::from_unix(until.as_unix()).to_string();
            let mode = match lock.mode {
                LockMode::Governance => "GOVERNANCE",
                LockMode::Compliance => "COMPLIANCE",
            };
            headers.insert("x-amz-object-lock-mode", HeaderValue::from_static(mode));
            if let Ok(until) = HeaderValue::from_str(&until) {
                headers.insert("x-amz-object-lock-retain-until-date", until);
            }
        }
    }
}

/// Whether the object at `path` is a permanent part of a snapshot: pins and records of checks are
/// not.
fn is_lasting(path: &str) -> bool {
    let mut names = path.rsplit('/');
    names.next() != Some("pin.json") && names.next() != Some("checks")
}

/// A header value; `what` is named in the error if it is invalid.
fn value(what: &str, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| {
        let message = format!("{what} has invalid characters");
        Error::new(ErrorKind::InvalidInput, "sink.open", message)
    })
}

fn customer_key(key: &Secret) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let wrong = || {
        let message = "the customer's key for server-side encryption is not 32 bytes in base64";
        Error::new(ErrorKind::InvalidInput, "sink.open", message)
            .remedy_is("`openssl rand -base64 32` makes one")
    };
    let bytes = BASE64_STANDARD.decode(key.expose()).map_err(|_| wrong())?;
    if bytes.len() != 32 {
        return Err(wrong());
    }
    let digest = BASE64_STANDARD.encode(Md5::digest(&bytes));
    let mut key = HeaderValue::from_str(key.expose()).map_err(|_| wrong())?;
    key.set_sensitive(true);
    let name = HeaderName::from_static;
    Ok(vec![
        (
            name("x-amz-server-side-encryption-customer-algorithm"),
            HeaderValue::from_static("AES256"),
        ),
        (name("x-amz-server-side-encryption-customer-key"), key),
        (
            name("x-amz-server-side-encryption-customer-key-md5"),
            HeaderValue::from_str(&digest).map_err(|_| wrong())?,
        ),
    ])
}

/// The digest of a body.
pub(super) fn content_md5(pieces: &[Bytes]) -> Option<HeaderValue> {
    let mut md5 = Md5::new();
    pieces.iter().for_each(|piece| md5.update(piece));
    HeaderValue::from_str(&BASE64_STANDARD.encode(md5.finalize())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_for_snapshots_and_not_for_what_comes_and_goes() {
        let lock = ObjectLock::new(LockMode::Compliance, Span::days(30));
        let new = NewObjects::new(Some("GLACIER_IR"), None, Some(lock)).unwrap();
        let added = |action, path| {
            let mut headers = HeaderMap::new();
            new.add_to(&mut headers, action, path);
            headers
        };
        let manifest = added(Action::PutObject, "/b/job/id/manifest.json");
        assert_eq!(manifest["x-amz-object-lock-mode"], "COMPLIANCE");
        assert_eq!(manifest["x-amz-storage-class"], "GLACIER_IR");
        let until: Timestamp =
            manifest["x-amz-object-lock-retain-until-date"].to_str().unwrap().parse().unwrap();
        let days = until.since(Timestamp::from(std::time::SystemTime::now())).as_secs() / 86_400;
        assert!((29..=30).contains(&days), "{until}");
        for path in ["/b/job/id/pin.json", "/b/job/id/checks/20260101T000000Z.json"] {
            assert!(!added(Action::PutObject, path).contains_key("x-amz-object-lock-mode"));
        }
        assert!(added(Action::GetObject, "/b/job/id/manifest.json").is_empty());
        assert!(new.wants_md5(Action::UploadPart) && !new.wants_md5(Action::ListObjectsV2));
    }

    #[test]
    fn a_customer_key_goes_with_every_request_for_bytes_and_is_never_shown() {
        let key = BASE64_STANDARD.encode([7; 32]);
        let customer = ServerEncryption::Customer(Secret::new(key.clone()));
        let new = NewObjects::new(None, Some(&customer), None).unwrap();
        let mut headers = HeaderMap::new();
        new.add_to(&mut headers, Action::GetObject, "/b/o");
        assert_eq!(headers.len(), 3);
        assert!(!format!("{headers:?} {customer:?} {new:?}").contains(&key));
        let short = ServerEncryption::Customer(Secret::new("c2hvcnQ="));
        assert!(NewObjects::new(None, Some(&short), None).is_err());
    }
}
