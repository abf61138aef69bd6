//! Certificates, as far as we parse them.

use std::{fmt, net::IpAddr, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use seaworthy_core::{Error, ErrorKind, Result, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer, X509Certificate},
};

use crate::{Identifier, pem};

/// The SHA-256 of a certificate: equal for the same certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// The validity period of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Validity {
    /// The first second.
    pub not_before: Timestamp,
    /// The last second.
    pub not_after: Timestamp,
}

impl Validity {
    /// Its length.
    pub fn lifetime(&self) -> Duration {
        self.not_after.since(self.not_before)
    }
}

/// One certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    names: Vec<Identifier>,
    validity: Validity,
    serial: Vec<u8>,
    authority_key_id: Option<Vec<u8>>,
    public_key: Vec<u8>,
    issuer: String,
    issuer_common_name: Option<String>,
}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] for anything that is not a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let damaged = || {
            Error::new(ErrorKind::Damaged, "certificate.read", "this is not an X.509 certificate")
        };
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| damaged())?;
        if !rest.is_empty() {
            return Err(damaged());
        }
        let mut names = Vec::new();
        let mut authority_key_id = None;
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(all) => {
                    names.extend(all.general_names.iter().filter_map(identifier));
                }
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        let validity = Validity {
            not_before: Timestamp::from_unix(parsed.validity().not_before.timestamp()),
            not_after: Timestamp::from_unix(parsed.validity().not_after.timestamp()),
        };
        let common_name = parsed.issuer().iter_common_name().next();
        Ok(Self {
            der: der.to_vec(),
            names,
            validity,
            serial: parsed.tbs_certificate.raw_serial().to_vec(),
            authority_key_id,
            public_key: parsed.public_key().raw.to_vec(),
            issuer: parsed.issuer().to_string(),
            issuer_common_name: common_name.and_then(|name| name.as_str().ok()).map(Into::into),
        })
    }

    /// The certificate's bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The names and addresses that it is for.
    pub fn names(&self) -> &[Identifier] {
        &self.names
    }

    /// Its validity period.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The serial number: hexadecimal.
    pub fn serial(&self) -> String {
        self.serial.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its public key, as a SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Its issuer: the full name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its issuer: the common name, if there is one.
    pub fn issuer_common_name(&self) -> Option<&str> {
        self.issuer_common_name.as_deref()
    }

    /// Its SHA-256 fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    /// Whether it is valid for `host`.
    pub fn covers(&self, host: &Identifier) -> bool {
        self.names.iter().any(|name| name.covers(host))
    }

    /// Whether it is for exactly these names, in any order.
    pub fn is_for(&self, names: &[Identifier]) -> bool {
        let set = |names: &[Identifier]| -> std::collections::BTreeSet<Identifier> {
            names.iter().cloned().collect()
        };
        set(&self.names) == set(names)
    }

    /// Its identifier in RFC 9773: the authority's key id and the serial number. `None` if the
    /// certificate does not contain the key id.
    pub fn renewal_id(&self) -> Option<String> {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let key = self.authority_key_id.as_deref()?;
        Some(format!("{}.{}", encode(key), encode(&self.serial)))
    }

    /// The parts of [`renewal_id`](Self::renewal_id), not encoded.
    #[cfg(feature = "acme")]
    pub(crate) fn renewal_parts(&self) -> Option<(&[u8], &[u8])> {
        Some((self.authority_key_id.as_deref()?, &self.serial))
    }

    /// As PEM.
    pub fn pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("validity", &self.validity)
            .field("issuer", &self.issuer)
            .field("fingerprint", &self.fingerprint())
            .finish()
    }
}

fn identifier(name: &GeneralName<'_>) -> Option<Identifier> {
    match name {
        GeneralName::DNSName(name) => name.parse().ok(),
        GeneralName::IPAddress(bytes) => {
            let ip: IpAddr = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok()?.into(),
                16 => <[u8; 16]>::try_from(*bytes).ok()?.into(),
                _ => return None,
            };
            ip.to_string().parse().ok()
        }
        _ => None,
    }
}

/// A certificate, and the authorities' certificates that lead from it to a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedChain {
    leaf: Certificate,
    above: Vec<Certificate>,
}

impl IssuedChain {
    /// Builds a chain: the certificate, and the intermediate ones in order.
    pub fn new(leaf: Certificate, above: Vec<Certificate>) -> Self {
        Self { leaf, above }
    }

    /// Reads PEM, the certificate itself first.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] if there is none, or one is broken.
    pub fn from_pem(text: &str) -> Result<Self> {
        let damaged = |message: &str| Error::new(ErrorKind::Damaged, "certificate.read", message);
        let blocks =
            pem::decode("CERTIFICATE", text).ok_or_else(|| damaged("the PEM text is broken"))?;
        let mut all = blocks.iter().map(|der| Certificate::from_der(der));
        let leaf =
            all.next().ok_or_else(|| damaged("there is no certificate in the PEM text"))??;
        Ok(Self { leaf, above: all.collect::<Result<_>>()? })
    }

    /// The certificate itself.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The authorities' certificates; the one that signed the leaf comes first.
    pub fn above(&self) -> &[Certificate] {
        &self.above
    }

    /// Everything as PEM: what servers want as `fullchain.pem`.
    pub fn pem(&self) -> String {
        self.leaf.pem() + &self.above_pem()
    }

    /// The authorities' certificates as PEM: `chain.pem`.
    pub fn above_pem(&self) -> String {
        self.above.iter().map(Certificate::pem).collect()
    }

    /// Whether one of the authorities' names, or the issuer of the last one, is or begins with
    /// `wanted`.
    pub fn leads_to(&self, wanted: &str) -> bool {
        std::iter::once(&self.leaf)
            .chain(&self.above)
            .filter_map(Certificate::issuer_common_name)
            .any(|name| name.starts_with(wanted))
    }
}
