//! The manifest: written last, it makes a folder a snapshot and lists the hash of every object in
//! it.

use seaworthy_core::{Error, ErrorKind, Name, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Codec, Digest256, ENCRYPTED_SUFFIX, HostId, ObjectKey, SnapshotId, SourceSummary};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u64 = 1;

/// The name of the manifest in a snapshot's folder.
pub const MANIFEST: &str = "manifest.json";

/// The largest manifest that is read, in bytes.
pub(crate) const MAX_MANIFEST: u64 = 4 << 20;

/// The manifest of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The format: always [`FORMAT`].
    pub format: u64,
    /// The job that made it.
    pub job: Name,
    /// Its name.
    pub id: SnapshotId,
    /// Why it was made.
    pub kind: SnapshotKind,
    /// The machine that made it.
    pub host: HostId,
    /// The name of that machine at the time; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// When the run began.
    pub started: Timestamp,
    /// When the last object was stored.
    pub finished: Timestamp,
    /// The version of Seaworthy that made it.
    pub version: String,
    /// How payloads and index are encrypted; `None` if they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<ManifestEncryption>,
    /// The result of each source, in the order in which they ran.
    pub sources: Vec<ManifestSource>,
    /// The index's object.
    pub index: String,
    /// Every other object of the snapshot, with its size and SHA-256.
    pub objects: Vec<ManifestObject>,
    /// Why it may not be what the user wants; empty for a good one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspicions: Vec<Suspicion>,
    /// Whether suspicions were overruled, by the user or because three runs in a row agreed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// Fields that this version does not know, kept when the manifest is written again.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// Why a snapshot was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SnapshotKind {
    /// By a run of its job.
    #[default]
    Backup,
    /// Before a restore in place.
    Safety,
}

/// The result of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManifestSource {
    /// The source's name.
    pub name: Name,
    /// The kind of its payload: `tar`, `sqlite`, ….
    pub kind: String,
    /// The object of its payload.
    pub object: String,
    /// How its frames are compressed.
    pub codec: Codec,
    /// How many frames it has.
    pub frames: u64,
    /// The payload's size before compression, in bytes.
    pub plain: u64,
    /// The payload's size after compression and before encryption, in bytes.
    pub stored: u64,
    /// Counts of its items and of its losses.
    pub summary: SourceSummary,
}

impl ManifestSource {
    /// A source whose payload is in `object`; sizes are zero.
    pub fn new(name: Name, kind: impl Into<String>, object: String, codec: Codec) -> Self {
        let summary = SourceSummary::default();
        Self { name, kind: kind.into(), object, codec, frames: 0, plain: 0, stored: 0, summary }
    }
}

/// An object with its size and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManifestObject {
    /// Its name in the snapshot's folder.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Digest256,
}

impl ManifestObject {
    /// The object `name`.
    pub fn new(name: impl Into<String>, size: u64, sha256: Digest256) -> Self {
        Self { name: name.into(), size, sha256 }
    }
}

/// Why a snapshot may not be what the user wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "suspicion", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Suspicion {
    /// The source was empty.
    Empty {
        /// The source.
        source: Name,
    },
    /// The source had fewer than half the files of the last good snapshot.
    FewerFiles {
        /// The source.
        source: Name,
        /// Files now.
        now: u64,
        /// Files in the last good snapshot.
        before: u64,
    },
    /// The source had fewer than half the bytes of the last good snapshot.
    FewerBytes {
        /// The source.
        source: Name,
        /// Bytes now.
        now: u64,
        /// Bytes in the last good snapshot.
        before: u64,
    },
    /// The source had fewer than half the rows of the last good snapshot.
    FewerRows {
        /// The source.
        source: Name,
        /// Rows now.
        now: u64,
        /// Rows in the last good snapshot.
        before: u64,
    },
    /// Files could not be read.
    Unreadable {
        /// The source.
        source: Name,
        /// How many.
        files: u64,
    },
}

impl Suspicion {
    /// The source and what is wrong with it, without counts: three runs in a row with the same
    /// result are accepted.
    pub(crate) fn likeness(&self) -> (&'static str, &Name) {
        match self {
            Self::Empty { source } => ("empty", source),
            Self::FewerFiles { source, .. } => ("fewer_files", source),
            Self::FewerBytes { source, .. } => ("fewer_bytes", source),
            Self::FewerRows { source, .. } => ("fewer_rows", source),
            Self::Unreadable { source, .. } => ("unreadable", source),
        }
    }
}

impl std::fmt::Display for Suspicion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use seaworthy_core::ByteSize;
        match self {
            Self::Empty { source } => write!(f, "{source} is empty"),
            Self::FewerFiles { source, now, before } => {
                write!(f, "{source} has {now} instead of {before} files")
            }
            Self::FewerBytes { source, now, before } => write!(
                f,
                "{source} has {} instead of {}",
                ByteSize::new(*now),
                ByteSize::new(*before)
            ),
            Self::FewerRows { source, now, before } => {
                write!(f, "{source} has {now} instead of {before} rows")
            }
            Self::Unreadable { source, files: 1 } => {
                write!(f, "1 file of {source} could not be read")
            }
            Self::Unreadable { source, files } => {
                write!(f, "{files} files of {source} could not be read")
            }
        }
    }
}

impl Manifest {
    /// The manifest as stored. Its second to last line is the SHA-256 of the bytes before that
    /// line, so `head -n -2 manifest.json | sha256sum` verifies it.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let fail = |source: serde_json::Error| {
            Error::new(ErrorKind::Internal, "manifest.write", "cannot write the manifest")
                .caused_by(source)
        };
        let mut bytes = serde_json::to_vec_pretty(self).map_err(fail)?;
        // Reopen the document: replace "\n}" with the last member.
        bytes.truncate(bytes.len() - 2);
        bytes.extend_from_slice(b",\n");
        let seal = Digest256::of(&bytes);
        bytes.extend_from_slice(format!("{SEAL_BEFORE}{seal}{SEAL_AFTER}").as_bytes());
        Ok(bytes)
    }

    /// Reads a stored manifest and checks its seal, its format and that it belongs to `job` and
    /// `id`.
    ///
    /// Fails with [`ErrorKind::Damaged`] or [`ErrorKind::NewerFormat`].
    pub fn from_bytes(bytes: &[u8], job: &Name, id: &SnapshotId) -> Result<Self> {
        let damaged = |why: &str| {
            Error::new(
                ErrorKind::Damaged,
                "manifest.read",
                format!("the manifest of {job}@{id} is damaged: {why}"),
            )
            .remedy_is("restore another snapshot, or the same one from another sink")
        };
        let body = unseal(bytes).ok_or_else(|| damaged("its own SHA-256 does not match"))?;
        /// The format is checked first: a newer one may differ in every other way.
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let document = [body.strip_suffix(b",\n").unwrap_or(body), b"}"].concat();
        let format: Format =
            serde_json::from_slice(&document).map_err(|e| damaged(&e.to_string()))?;
        if format.format != FORMAT {
            let message =
                format!("{job}@{id} has format {}, but this version reads {FORMAT}", format.format);
            return Err(Error::new(ErrorKind::NewerFormat, "manifest.read", message)
                .remedy_is("use the version of Seaworthy that wrote it, or a newer one"));
        }
        let manifest: Self =
            serde_json::from_slice(&document).map_err(|e| damaged(&e.to_string()))?;
        if manifest.job != *job || manifest.id != *id {
            let message = format!("it belongs to {}@{}", manifest.job, manifest.id);
            return Err(damaged(&message));
        }
        let own_name = |name: &str| {
            !name.is_empty() && !name.contains('/') && name.parse::<ObjectKey>().is_ok()
        };
        if let Some(object) = manifest.objects.iter().find(|object| !own_name(&object.name)) {
            return Err(damaged(&format!("{:?} is not a valid name of an object", object.name)));
        }
        let known = |name: &str| manifest.objects.iter().any(|object| object.name == name);
        if !known(&manifest.index) || !manifest.sources.iter().all(|source| known(&source.object)) {
            return Err(damaged("it uses an object that it does not list"));
        }
        let encrypted = manifest.encryption.is_some();
        let fits = |name: &str| name.ends_with(ENCRYPTED_SUFFIX) == encrypted;
        if !fits(&manifest.index) || !manifest.sources.iter().all(|source| fits(&source.object)) {
            return Err(damaged("not all of it is encrypted"));
        }
        Ok(manifest)
    }

    /// The object `name`.
    pub fn object(&self, name: &str) -> Option<&ManifestObject> {
        self.objects.iter().find(|object| object.name == name)
    }

    /// The size of all sources before compression, in bytes.
    pub fn plain(&self) -> u64 {
        self.sources.iter().fold(0, |sum, source| sum.saturating_add(source.plain))
    }

    /// The size of all objects in the sink, in bytes, without the manifest.
    pub fn stored(&self) -> u64 {
        self.objects.iter().fold(0, |sum, object| sum.saturating_add(object.size))
    }
}

/// How a snapshot is encrypted, as stored in its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManifestEncryption {
    /// Always `age`.
    pub format: String,
    /// The public keys whose private keys decrypt it; empty for a passphrase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
}

impl ManifestEncryption {
    /// age for these public keys, or for a passphrase if there are none.
    pub fn age(recipients: Vec<String>) -> Self {
        Self { format: "age".to_owned(), recipients }
    }
}

const SEAL_BEFORE: &str = "  \"sha256\": \"";
const SEAL_AFTER: &str = "\"\n}\n";

/// The sealed part of a manifest, if its seal matches.
fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let seal_start = bytes.len().checked_sub(SEAL_BEFORE.len() + 64 + SEAL_AFTER.len())?;
    let (body, seal) = bytes.split_at(seal_start);
    let digest = seal.strip_prefix(SEAL_BEFORE.as_bytes())?.strip_suffix(SEAL_AFTER.as_bytes())?;
    let digest: Digest256 = std::str::from_utf8(digest).ok()?.parse().ok()?;
    (digest == Digest256::of(body)).then_some(body)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn manifest() -> Manifest {
        let id = SnapshotId::from_parts(Timestamp::from_unix(1_700_000_000), [1, 2, 3]);
        Manifest {
            format: FORMAT,
            job: Name::new("nightly").unwrap(),
            started: id.time(),
            finished: id.time(),
            id,
            kind: SnapshotKind::Backup,
            host: HostId::from_machine_id("x"),
            host_name: None,
            version: "0.1.0".into(),
            encryption: None,
            sources: Vec::new(),
            index: "index.jsonl.zst".into(),
            objects: vec![ManifestObject::new("index.jsonl.zst", 3, Digest256::of(b"abc"))],
            suspicions: vec![Suspicion::Empty { source: Name::new("a").unwrap() }],
            accepted: false,
            unknown: serde_json::Map::new(),
        }
    }

    #[test]
    fn reads_back_with_unknown_fields_kept() {
        let mut manifest = manifest();
        manifest.unknown.insert("colour".into(), "blue".into());
        let bytes = manifest.to_bytes().unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        let read = Manifest::from_bytes(&bytes, &manifest.job, &manifest.id).unwrap();
        assert_eq!(read, manifest);
    }

    #[test]
    fn no_flipped_or_missing_bit_goes_unseen() {
        let manifest = manifest();
        let bytes = manifest.to_bytes().unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let error = Manifest::from_bytes(&flipped, &manifest.job, &manifest.id);
                assert_eq!(error.unwrap_err().kind(), ErrorKind::Damaged, "byte {at} bit {bit}");
            }
            assert!(Manifest::from_bytes(&bytes[..at], &manifest.job, &manifest.id).is_err());
        }
    }

    #[test]
    fn a_manifest_of_another_snapshot_is_refused() {
        let manifest = manifest();
        let bytes = manifest.to_bytes().unwrap();
        let other = SnapshotId::from_parts(manifest.id.time(), [9, 9, 9]);
        assert!(Manifest::from_bytes(&bytes, &manifest.job, &other).is_err());
        let other = Name::new("weekly").unwrap();
        assert!(Manifest::from_bytes(&bytes, &other, &manifest.id).is_err());
    }

    #[test]
    fn objects_outside_the_folder_are_refused() {
        for name in ["../x", "a/b", "/x", ".x", ""] {
            let mut manifest = manifest();
            manifest.objects.push(ManifestObject::new(name, 1, Digest256::of(b"")));
            let bytes = manifest.to_bytes().unwrap();
            assert!(Manifest::from_bytes(&bytes, &manifest.job, &manifest.id).is_err(), "{name}");
        }
    }

    #[test]
    fn a_newer_format_says_so() {
        let mut manifest = manifest();
        manifest.format = 2;
        let bytes = manifest.to_bytes().unwrap();
        let error = Manifest::from_bytes(&bytes, &manifest.job, &manifest.id).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NewerFormat);
    }
}
