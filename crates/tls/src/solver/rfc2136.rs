//! DNS-01 through dynamic updates (RFC 2136), signed with TSIG (RFC 8945).

use std::{
    fmt,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use hickory_proto::{
    op::{Message, Query, ResponseCode, update_message},
    rr::{Name, RData, Record, RecordSet, RecordType, TSigner, rdata, rdata::TXT},
};
use seaworthy_core::{Context, Error, ErrorKind, Result, Secret};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Propagation;
use crate::{Challenge, ChallengeKind, ChallengeSolver};

const LIMIT: Duration = Duration::from_secs(20);
const TTL: u32 = 60;
const FUDGE: u16 = 300;

/// How updates are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TsigAlgorithm {
    /// HMAC with SHA-256.
    #[default]
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
}

/// The TSIG key for a name server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TsigKey {
    /// Its name on the server.
    pub name: String,
    /// How it signs.
    pub algorithm: TsigAlgorithm,
    /// The key itself: base64, as `tsig-keygen` writes it.
    pub secret: Secret,
}

impl TsigKey {
    /// A key.
    pub fn new(name: impl Into<String>, algorithm: TsigAlgorithm, secret: Secret) -> Self {
        Self { name: name.into(), algorithm, secret }
    }
}

/// Sets TXT records with signed updates.
#[derive(Clone)]
pub struct DnsUpdate {
    server: SocketAddr,
    zone: Option<String>,
    signer: TSigner,
    propagation: Propagation,
}

impl DnsUpdate {
    /// Sends updates to `server`, signed with `key`. The zone is found by asking it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a key that cannot be used.
    pub fn new(server: SocketAddr, key: &TsigKey, propagation: Propagation) -> Result<Self> {
        let wrong = |message: &str| Error::new(ErrorKind::Config, "dns.update", message);
        let secret = BASE64_STANDARD
            .decode(key.secret.expose().trim())
            .map_err(|_| wrong("the TSIG secret is not base64"))?;
        let name =
            Name::from_ascii(&key.name).map_err(|e| wrong("the TSIG key's name").caused_by(e))?;
        let algorithm = match key.algorithm {
            TsigAlgorithm::HmacSha256 => rdata::tsig::TsigAlgorithm::HmacSha256,
            TsigAlgorithm::HmacSha384 => rdata::tsig::TsigAlgorithm::HmacSha384,
            TsigAlgorithm::HmacSha512 => rdata::tsig::TsigAlgorithm::HmacSha512,
        };
        let signer = TSigner::new(secret, algorithm, name, FUDGE)
            .map_err(|e| wrong("the TSIG key cannot be used").caused_by(e))?;
        Ok(Self { server, zone: None, signer, propagation })
    }

    /// Sets the zone, if the server does not report it.
    #[must_use]
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    async fn change(&self, challenge: &Challenge, add: bool) -> Result<()> {
        let place = self.propagation.place(&challenge.dns_name()).await?;
        let name = fqdn(&place)?;
        let zone = match &self.zone {
            Some(zone) => fqdn(zone)?,
            None => self.find_zone(&name).await?,
        };
        if !zone.zone_of(&name) {
            let message = format!("{name} is not in the zone {zone}");
            return Err(Error::new(ErrorKind::Config, "dns.update", message)
                .remedy_is("set the right `zone`, or remove it"));
        }
        let data = RData::TXT(TXT::new(vec![challenge.dns_value()]));
        let records: RecordSet = Record::from_rdata(name.clone(), TTL, data).into();
        // Names of one certificate may share a record set (a wildcard and its base): other records
        // stay.
        let mut message = if add {
            update_message::append(records, zone, false, false)
        } else {
            update_message::delete_by_rdata(records, zone, false)
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let verifier = message
            .finalize(&self.signer, now.as_secs())
            .map_err(|e| self.fail("cannot sign an update").caused_by(e))?;
        let bytes = self.exchange(&message).await?;
        let answer = match verifier {
            // A server that does not know the key responds without a signature: such an error is
            // accepted below.
            Some(mut verifier) => match verifier.verify(&bytes) {
                Ok(answer) => answer.into_message(),
                Err(e) => {
                    let unsigned = Message::from_vec(&bytes)
                        .ok()
                        .filter(|m| m.metadata.response_code != ResponseCode::NoError);
                    let untrusted =
                        || self.fail("the response is not signed with the key").caused_by(e);
                    unsigned.ok_or_else(untrusted)?
                }
            },
            None => Message::from_vec(&bytes)
                .map_err(|e| self.fail("the response is invalid").caused_by(e))?,
        };
        match answer.metadata.response_code {
            ResponseCode::NoError => Ok(()),
            code => {
                let message = format!("{} refuses to change {name}: {code}", self.server);
                Err(Error::new(ErrorKind::PermissionDenied, "dns.update", message)
                    .remedy_is("may this TSIG key change TXT records there? see the server's log"))
            }
        }
    }

    /// The zone that contains `name`, according to the server.
    async fn find_zone(&self, name: &Name) -> Result<Name> {
        let mut zone = name.clone();
        while zone.num_labels() > 0 {
            let mut question = Message::query();
            question.queries.push(Query::query(zone.clone(), RecordType::SOA));
            let bytes = self.exchange(&question).await?;
            let answer = Message::from_vec(&bytes)
                .map_err(|e| self.fail("the response is invalid").caused_by(e))?;
            let is_soa = |r: &Record| r.record_type() == RecordType::SOA && r.name == zone;
            if answer.answers.iter().any(is_soa) {
                return Ok(zone);
            }
            zone = zone.base_name();
        }
        let message = format!("{} has no zone for {name}", self.server);
        Err(Error::new(ErrorKind::NotFound, "dns.update", message)
            .remedy_is("set `zone`, or another `server`"))
    }

    /// One query and its response, over TCP.
    async fn exchange(&self, message: &Message) -> Result<Vec<u8>> {
        let bytes =
            message.to_vec().map_err(|e| self.fail("cannot send the query").caused_by(e))?;
        let work = async {
            let mut stream = TcpStream::connect(self.server).await?;
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            stream.write_all(&length.to_be_bytes()).await?;
            stream.write_all(&bytes).await?;
            let mut length = [0; 2];
            stream.read_exact(&mut length).await?;
            let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        match tokio::time::timeout(LIMIT, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(e)) => Err(self.fail("no response").caused_by(e)),
            Err(_) => Err(self.fail("no response in time")),
        }
    }

    fn fail(&self, what: &str) -> Error {
        let message = format!("updating DNS at {}: {what}", self.server);
        Error::new(ErrorKind::Unavailable, "dns.update", message)
    }
}

fn fqdn(name: &str) -> Result<Name> {
    let mut parsed = Name::from_ascii(name).map_err(|e| {
        let message = format!("{name:?} is not a DNS name");
        Error::new(ErrorKind::InvalidInput, "dns.update", message).caused_by(e)
    })?;
    parsed.set_fqdn(true);
    Ok(parsed)
}

#[async_trait]
impl ChallengeSolver for DnsUpdate {
    fn kind(&self) -> ChallengeKind {
        ChallengeKind::Dns01
    }

    async fn present(&self, challenge: &Challenge) -> Result<()> {
        self.change(challenge, true).await
    }

    async fn ready(&self, challenge: &Challenge, cx: &Context) -> Result<()> {
        let place = self.propagation.place(&challenge.dns_name()).await?;
        self.propagation.wait(&place, &challenge.dns_value(), cx).await
    }

    async fn cleanup(&self, challenge: &Challenge) -> Result<()> {
        self.change(challenge, false).await
    }
}

impl fmt::Debug for DnsUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsUpdate")
            .field("server", &self.server)
            .field("zone", &self.zone)
            .field("key", &self.signer.signer_name().to_string())
            .finish_non_exhaustive()
    }
}
