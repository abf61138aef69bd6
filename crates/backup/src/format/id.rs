//! Names of snapshots and of the hosts that made them.

use std::{fmt, str::FromStr};

use seaworthy_core::{Error, ErrorKind, Result, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Digest256;

/// The name of a snapshot: `YYYYMMDDTHHMMSSZ-xxxxxx`, the time at which it began (UTC) and six
/// random hexadecimal digits. Sorts by time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId(String);

impl SnapshotId {
    /// A new name for a snapshot that begins at `now`.
    pub fn new(now: Timestamp) -> Result<Self> {
        let mut random = [0; 3];
        getrandom::fill(&mut random).map_err(|source| {
            let message = "the operating system gives no random numbers";
            Error::new(ErrorKind::Io, "snapshot.id", message).caused_by(source)
        })?;
        Ok(Self::from_parts(now, random))
    }

    /// The name for a time and three random bytes.
    pub fn from_parts(now: Timestamp, random: [u8; 3]) -> Self {
        let [a, b, c] = random;
        Self(format!("{}-{a:02x}{b:02x}{c:02x}", now.compact()))
    }

    /// When the snapshot began, to the second.
    pub fn time(&self) -> Timestamp {
        // Checked when the name was parsed; this can only fail because of a bug.
        Timestamp::from_compact(&self.0[..16]).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SnapshotId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let whole = text.is_ascii()
            && text.len() == 23
            && text.as_bytes()[16] == b'-'
            && text[17..].bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
            && Timestamp::from_compact(&text[..16]).is_ok_and(|t| t.compact() == text[..16]);
        if whole {
            Ok(Self(text.to_owned()))
        } else {
            let message = format!("{text:?} is not the id of a snapshot");
            Err(Error::new(ErrorKind::InvalidInput, "snapshot.id", message)
                .remedy_is("an id looks like 20261122T023000Z-a1b2c3"))
        }
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SnapshotId {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SnapshotId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Which machine made a snapshot: 16 hexadecimal digits of a hash of its machine-id, so that two
/// machines which share a bucket never prune each other's snapshots.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct HostId(String);

impl HostId {
    /// The host with this machine-id (machine-id(5) asks not to show the id itself).
    pub fn from_machine_id(machine_id: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"seaworthy host\n");
        hash.update(machine_id.trim().as_bytes());
        let text = Digest256::from(hash.finalize()).to_string();
        Self(text[..16].to_owned())
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for HostId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if text.len() == 16 && text.bytes().all(is_digit) {
            Ok(Self(text))
        } else {
            Err(serde::de::Error::custom("a host has 16 hexadecimal digits"))
        }
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = SnapshotId::new(Timestamp::from_unix(1_000_000_000)).unwrap();
        let late = SnapshotId::new(Timestamp::from_unix(1_000_000_001)).unwrap();
        assert!(early < late);
        assert_eq!(early.as_str().parse::<SnapshotId>().unwrap(), early);
        assert_eq!(early.time(), Timestamp::from_unix(1_000_000_000));
    }

    #[test]
    fn refuses_other_spellings() {
        for bad in [
            "",
            "20261122T023000Z",
            "20261122T023000Z-A1B2C3",
            "20261122T023000Z-a1b2c",
            "20261322T023000Z-a1b2c3",
            "20261122T023060Z-a1b2c3",
            "../61122T023000Z-a1b2c3",
        ] {
            assert!(bad.parse::<SnapshotId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_show_nothing_of_the_machine_id() {
        let id = "0123456789abcdef0123456789abcdef";
        let host = HostId::from_machine_id(&format!("{id}\n"));
        assert_eq!(host, HostId::from_machine_id(id));
        assert_eq!(host.as_str().len(), 16);
        assert!(!id.contains(host.as_str()));
    }
}
