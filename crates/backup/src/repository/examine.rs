//! The state of one stored snapshot, from its manifest, its objects, and the results of checks.

use std::collections::BTreeMap;

use seaworthy_core::{Error, ErrorKind, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::Repository;
use crate::{
    format::{
        CheckOutcome, CheckRecord, MANIFEST, ObjectKey, PIN, SnapshotId, SnapshotInfo,
        SnapshotState,
        check::{CHECKS, MAX_CHECK, standing_failure},
        facts::Facts,
    },
    signing::{SIGNATURE_SUFFIX, comment},
    sinks::{BackupSinkExt, ObjectInfo},
};

/// The result of examining one snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Examined {
    pub(crate) info: SnapshotInfo,
    /// `None` if the manifest cannot be read.
    pub(crate) facts: Option<Facts>,
    /// The results of checks, oldest first: those that are trusted.
    pub(crate) checks: Vec<CheckRecord>,
    /// What does not have to be read again.
    pub(crate) known: Option<CachedSnapshot>,
}

/// What was read of one snapshot, and from which objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CachedSnapshot {
    manifest: Stamp,
    facts: Facts,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<String, CachedCheck>,
}

/// A record, and whether a trusted key signed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct CachedCheck {
    stamp: Stamp,
    record: CheckRecord,
    believed: bool,
}

/// Detects that an object was replaced by another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    modified: Timestamp,
}

impl From<&ObjectInfo> for Stamp {
    fn from(object: &ObjectInfo) -> Self {
        Self { size: object.size, modified: object.modified }
    }
}

impl Repository {
    /// Examines the snapshot whose folder contains `objects`; `None` if it was removed in the
    /// meantime. Objects that are `known` and unchanged are not read again.
    pub(crate) async fn examine(
        &self,
        id: SnapshotId,
        objects: Vec<ObjectInfo>,
        known: Option<CachedSnapshot>,
    ) -> Result<Option<Examined>> {
        let folder = self.folder_of(&id)?;
        let mut info = SnapshotInfo::new(id.clone(), self.host().clone());
        info.pinned = objects.iter().any(|o| o.key.strip_prefix(&folder) == Some(PIN));
        info.stored = objects.iter().map(|object| object.size).sum();
        let stamp = objects.iter().find(|o| o.key.strip_prefix(&folder) == Some(MANIFEST));
        let stamp = stamp.map(Stamp::from);
        let (facts, known_checks) = match known {
            Some(known) if Some(&known.manifest) == stamp.as_ref() => (known.facts, known.checks),
            _ => match self.open(&id).await {
                Ok(snapshot) => (Facts::from(snapshot.manifest()), BTreeMap::new()),
                Err(error) => {
                    info.host = None;
                    info.state = match error.kind() {
                        ErrorKind::NotFound => return Ok(None),
                        ErrorKind::NewerFormat => SnapshotState::NewerFormat { why: error.chain() },
                        ErrorKind::Untrusted => SnapshotState::Untrusted { why: error.chain() },
                        _ if is_lasting(&error) => SnapshotState::Damaged { why: error.chain() },
                        _ => return Err(error),
                    };
                    let checks = Vec::new();
                    return Ok(Some(Examined { info, facts: None, checks, known: None }));
                }
            },
        };
        info.host = Some(facts.host.clone());
        info.kind = facts.kind;
        info.plain = facts.plain;
        let missing = missing_object(&facts, &folder, &objects);
        let (records, known_checks) = self.records(&folder, &objects, known_checks).await?;
        let (failed, checks) = match (missing, records) {
            (None, Ok(records)) => (standing_failure(&records), records),
            (None, Err(why)) => (Some(why), Vec::new()),
            (missing, records) => (missing, records.unwrap_or_default()),
        };
        info.state = match failed {
            Some(why) => SnapshotState::Damaged { why },
            None if facts.suspicions.is_empty() || facts.accepted => SnapshotState::Good,
            None => SnapshotState::Suspect { suspicions: facts.suspicions.clone() },
        };
        let known = stamp.map(|manifest| CachedSnapshot {
            manifest,
            facts: facts.clone(),
            checks: known_checks,
        });
        Ok(Some(Examined { info, facts: Some(facts), checks, known }))
    }

    /// The trusted records of checks, oldest first, or why one cannot be read; and everything that
    /// was read.
    async fn records(
        &self,
        folder: &ObjectKey,
        objects: &[ObjectInfo],
        mut known: BTreeMap<String, CachedCheck>,
    ) -> Result<(std::result::Result<Vec<CheckRecord>, String>, BTreeMap<String, CachedCheck>)>
    {
        let checks = folder.join(CHECKS)?;
        let mut found: Vec<_> = objects.iter().collect();
        found.retain(|object| {
            let key = &object.key;
            key.starts_with(&checks) && !key.as_str().ends_with(SIGNATURE_SUFFIX)
        });
        found.sort_by(|a, b| a.key.cmp(&b.key));
        let mut read = BTreeMap::new();
        for object in found {
            let (key, stamp) = (&object.key, Stamp::from(object));
            let name = key.strip_prefix(&checks).unwrap_or_default().to_owned();
            // A signature may come later: records that are not trusted are checked again.
            let before = known.remove(&name).filter(|known| known.stamp == stamp && known.believed);
            if let Some(before) = before {
                read.insert(name, before);
                continue;
            }
            let bytes = match self.sink().get(key, MAX_CHECK).await {
                Ok(bytes) => bytes,
                // Deleted since the listing.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) if is_lasting(&error) => Vec::new(),
                Err(error) => return Err(error),
            };
            let Ok(record) = serde_json::from_slice::<CheckRecord>(&bytes) else {
                return Ok((Err(format!("the record {key} cannot be read")), BTreeMap::new()));
            };
            // A forged failure only causes a false alarm; a forged success would hide a failure.
            let believed =
                record.outcome != CheckOutcome::Ok || self.is_believed(folder, key, &bytes).await?;
            read.insert(name, CachedCheck { stamp, record, believed });
        }
        let believed = read.values().filter(|check| check.believed);
        let mut records: Vec<_> = believed.map(|check| check.record.clone()).collect();
        // Names can be forged even if records cannot.
        records.sort_by_key(|record| record.time);
        Ok((Ok(records), read))
    }

    /// Whether a trusted key signed the record `key` of the snapshot in `folder`.
    async fn is_believed(
        &self,
        folder: &ObjectKey,
        key: &ObjectKey,
        record: &[u8],
    ) -> Result<bool> {
        let Some(trust) = &self.held_keys().trust else { return Ok(true) };
        let signature = format!("{key}{SIGNATURE_SUFFIX}").parse()?;
        let signature = match self.sink().get(&signature, MAX_CHECK).await {
            Ok(signature) => signature,
            Err(error) if error.kind() == ErrorKind::NotFound || is_lasting(&error) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let name = key.strip_prefix(folder).unwrap_or_default();
        Ok(trust.check(record, &signature).is_ok_and(|said| said == comment(folder, name)))
    }
}

/// Whether `error` is about one object and permanent: then the snapshot is damaged. A store that
/// cannot be reached does not mean that its objects are damaged.
fn is_lasting(error: &Error) -> bool {
    let of_object =
        matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Io | ErrorKind::PermissionDenied);
    of_object && !error.is_retryable()
}

/// What is wrong with the first object that is missing or has the wrong size.
fn missing_object(facts: &Facts, folder: &ObjectKey, objects: &[ObjectInfo]) -> Option<String> {
    facts.objects.iter().find_map(|(name, size)| {
        let found = objects.iter().find(|o| o.key.strip_prefix(folder) == Some(name));
        match found {
            None => Some(format!("{name} is missing")),
            Some(found) if found.size != *size => {
                Some(format!("{name} has {} bytes instead of {size}", found.size))
            }
            Some(_) => None,
        }
    })
}
