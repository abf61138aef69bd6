//! Certificates without a third party: from a local authority, and self-signed ones.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use seaworthy_core::{Context, Error, ErrorKind, Result, Timestamp, durable};
use time::OffsetDateTime;

use crate::{
    Certificate, CertificateKey, CertificateProvider, CertificateRequest, IssuedChain, KeyType,
    PrivateKey, RenewalHint, RevocationReason,
    remote_key::{Remote, parameters},
};

/// How long the local authority is valid.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// The default lifetime of its certificates.
const LEAF_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// Clocks differ: a certificate is valid from a little before it is made.
const EARLIER: i64 = 3600;

/// A local authority: its root is in `root.pem` of its folder, for clients to trust.
#[derive(Clone, Debug)]
pub struct LocalCa {
    id: String,
    folder: PathBuf,
    life: Duration,
}

impl LocalCa {
    /// The authority in `folder`, which is created on the first request.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { id: format!("local:{}", folder.display()), folder, life: LEAF_LIFE }
    }

    /// How long its certificates are valid.
    #[must_use]
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// The file with the root that clients must trust.
    pub fn root_file(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    fn open(&self, now: Timestamp) -> Result<(Certificate, Issuer<'static, KeyPair>)> {
        let key_file = self.folder.join("root-key.pem");
        let (root, key) = match (read(&self.root_file())?, read(&key_file)?) {
            (Some(root), Some(key)) => (root, PrivateKey::from_pem(&key)?),
            (None, key) => {
                // The key comes first: a key without a root is used by the next attempt.
                let key = match key {
                    Some(text) => PrivateKey::from_pem(&text)?,
                    None => PrivateKey::generate(KeyType::P256)?,
                };
                durable::create_private_folder(&self.folder)?;
                durable::write_file(&key_file, key.pem().expose().as_bytes(), 0o600)?;
                let root = make_root(&key, now)?;
                durable::write_file(&self.root_file(), root.as_bytes(), 0o644)?;
                (root, key)
            }
            (Some(_), None) => {
                let message = format!("{} is missing", key_file.display());
                return Err(Error::new(ErrorKind::Damaged, "local_ca.open", message).remedy_is(
                    "restore it, or move root.pem away: then clients must trust a new \
                             root",
                ));
            }
        };
        let certificate = IssuedChain::from_pem(&root)?.leaf().clone();
        let issuer = Issuer::from_ca_cert_pem(&root, key.into_pair()).map_err(failed)?;
        Ok((certificate, issuer))
    }
}

#[async_trait]
impl CertificateProvider for LocalCa {
    fn id(&self) -> &str {
        &self.id
    }

    async fn issue(
        &self,
        request: &CertificateRequest,
        key: &dyn CertificateKey,
        cx: &Context,
    ) -> Result<IssuedChain> {
        let (root, issuer) = self.open(cx.now())?;
        let parameters = leaf_parameters(request, cx.now(), self.life)?;
        let remote = Remote::new(key)?;
        let issued = parameters.signed_by(&remote, &issuer).map_err(failed)?;
        // The root is in root.pem: a server does not send it.
        let _ = root;
        Ok(IssuedChain::new(Certificate::from_der(issued.der())?, Vec::new()))
    }

    async fn renewal_hint(&self, _: &Certificate) -> Result<Option<RenewalHint>> {
        Ok(None)
    }

    async fn revoke(&self, _: &Certificate, _: RevocationReason) -> Result<()> {
        Err(cannot_revoke())
    }
}

/// Self-signed certificates: for tests, and for a server behind another one.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    life: Duration,
}

impl SelfSigned {
    /// With a lifetime of 90 days.
    pub fn new() -> Self {
        Self { life: LEAF_LIFE }
    }

    /// How long its certificates are valid.
    #[must_use]
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }
}

impl Default for SelfSigned {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl CertificateProvider for SelfSigned {
    fn id(&self) -> &str {
        "self-signed"
    }

    async fn issue(
        &self,
        request: &CertificateRequest,
        key: &dyn CertificateKey,
        cx: &Context,
    ) -> Result<IssuedChain> {
        let parameters = leaf_parameters(request, cx.now(), self.life)?;
        let issued = parameters.self_signed(&Remote::new(key)?).map_err(failed)?;
        Ok(IssuedChain::new(Certificate::from_der(issued.der())?, Vec::new()))
    }

    async fn renewal_hint(&self, _: &Certificate) -> Result<Option<RenewalHint>> {
        Ok(None)
    }

    async fn revoke(&self, _: &Certificate, _: RevocationReason) -> Result<()> {
        Err(cannot_revoke())
    }
}

/// A leaf with what rcgen would leave out or invent: its validity, its own serial number, its
/// authority's key id, and no invented common name.
fn leaf_parameters(
    request: &CertificateRequest,
    now: Timestamp,
    life: Duration,
) -> Result<CertificateParams> {
    let mut leaf = parameters(&request.names)?;
    (leaf.not_before, leaf.not_after) = validity(now, life)?;
    leaf.serial_number = Some(random_serial()?);
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.is_ca = IsCa::ExplicitNoCa;
    if let Some(first) = request.names.iter().find(|name| name.as_str().len() <= 64) {
        leaf.distinguished_name.push(DnType::CommonName, first.as_str());
    }
    Ok(leaf)
}

fn make_root(key: &PrivateKey, now: Timestamp) -> Result<String> {
    let mut root = CertificateParams::default();
    (root.not_before, root.not_after) = validity(now, ROOT_LIFE)?;
    let serial = random_serial()?;
    let mut name = DistinguishedName::new();
    let short: String = serial.to_bytes().iter().take(4).map(|b| format!("{b:02x}")).collect();
    name.push(DnType::CommonName, format!("Seaworthy local CA {short}"));
    root.distinguished_name = name;
    root.serial_number = Some(serial);
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    root.use_authority_key_identifier_extension = true;
    root.self_signed(&Remote::new(key)?).map(|root| root.pem()).map_err(failed)
}

fn validity(now: Timestamp, life: Duration) -> Result<(OffsetDateTime, OffsetDateTime)> {
    let moment = |seconds: i64| {
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "local_ca.issue", "the time is out of range")
                .caused_by(e)
        })
    };
    let life = i64::try_from(life.as_secs()).unwrap_or(i64::MAX / 2);
    let begin = now.as_unix() - EARLIER;
    Ok((moment(begin)?, moment(begin.saturating_add(life))?))
}

/// 16 random bytes: positive, and unique.
fn random_serial() -> Result<SerialNumber> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::new(ErrorKind::Io, "local_ca.issue", "the machine has no random numbers")
            .caused_by(e)
    })?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("local_ca.open", format!("cannot read {}", path.display()), e)),
    }
}

fn failed(e: rcgen::Error) -> Error {
    Error::new(ErrorKind::Internal, "local_ca.issue", "cannot make the certificate").caused_by(e)
}

fn cannot_revoke() -> Error {
    let message = "a local authority cannot publish revocations";
    Error::new(ErrorKind::Unsupported, "certificate.revoke", message).remedy_with(
        "issue a new one with `force`, and make clients trust another root",
        &["force"],
    )
}
