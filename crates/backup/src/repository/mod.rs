//! The snapshots of one job in one sink.

mod examine;
mod overview;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    format::{
        CheckKind, CheckRecord, HostId, MANIFEST, Manifest, ObjectKey, PIN, SnapshotId,
        SnapshotInfo, SnapshotKind, check::CHECKS, manifest::MAX_MANIFEST,
    },
    retention::latest,
    signing::{Keys, SIGNATURE_SUFFIX, TrustedKeys, comment},
    sinks::{BackupSink, BackupSinkExt, ObjectInfo, PutOptions},
    snapshot::{Snapshot, signed::check_manifest},
};
use examine::Examined;
pub use overview::{SnapshotCache, SnapshotSummary, jobs_in};

/// How many snapshots are examined in parallel.
const SIDE_BY_SIDE: usize = 16;

/// The snapshots of one job in one sink, as one host sees them. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Repository {
    sink: Arc<dyn BackupSink>,
    job: Name,
    host: HostId,
    keys: Arc<Keys>,
}

impl Repository {
    /// The snapshots of `job` in `sink`; `latest` means the latest of `host`.
    pub fn new(sink: Arc<dyn BackupSink>, job: Name, host: HostId) -> Self {
        Self { sink, job, host, keys: Arc::default() }
    }

    /// The same with `keys`, which decrypt its snapshots and decide which are trusted.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = Arc::new(keys);
        self
    }

    pub(crate) fn held_keys(&self) -> &Keys {
        &self.keys
    }

    /// The sink.
    pub fn sink(&self) -> &Arc<dyn BackupSink> {
        &self.sink
    }

    /// The job.
    pub fn job(&self) -> &Name {
        &self.job
    }

    /// The host whose snapshots count as our own.
    pub fn host(&self) -> &HostId {
        &self.host
    }

    /// The folder of the job's snapshots.
    pub fn folder(&self) -> Result<ObjectKey> {
        self.job.as_str().parse()
    }

    /// Every snapshot of the job, newest first, including those of other hosts.
    pub async fn list(&self, cx: &Context) -> Result<Vec<SnapshotInfo>> {
        Ok(self.survey(cx).await?.snapshots)
    }

    /// The snapshot that `name` means: `latest`, an id, or the beginning of just one id.
    ///
    /// Fails with [`ErrorKind::NotFound`] or [`ErrorKind::Ambiguous`].
    pub async fn resolve(&self, name: &str, cx: &Context) -> Result<SnapshotInfo> {
        let snapshots = self.list(cx).await?;
        if name == "latest" {
            let found = latest(&snapshots, &self.host, cx.now()).cloned();
            let found = found.ok_or_else(|| self.no_latest(&snapshots))?;
            // Safety snapshots are never chosen; another host's may be newer and are not ours.
            let passed_over = |s: &&SnapshotInfo| {
                s.id > found.id
                    && s.kind == SnapshotKind::Backup
                    && s.host.as_ref().is_none_or(|host| *host == self.host)
            };
            for newer in snapshots.iter().filter(passed_over) {
                let why = if newer.is_good() { "dated in the future" } else { newer.state.name() };
                let (job, id) = (&self.job, &newer.id);
                cx.emit(Event::warning(format!("{job}@{id} is newer, but {why}: it was skipped")));
            }
            return Ok(found);
        }
        let fail = |kind, message: String| {
            Err(Error::new(kind, "snapshot.resolve", message)
                .blame_request()
                .remedy_is(format!("`seaworthy snapshots {}` lists what there is", self.job)))
        };
        let mut found = snapshots.into_iter().filter(|s| s.id.as_str().starts_with(name));
        match (found.next(), found.next()) {
            (Some(only), None) if !name.is_empty() => Ok(only),
            (Some(a), Some(b)) => {
                let message =
                    format!("{name:?} could mean {}@{} or {}@{}", self.job, a.id, self.job, b.id);
                fail(ErrorKind::Ambiguous, message)
            }
            _ => {
                let message = format!("{} has no snapshot {name:?} in {}", self.job, self.sink);
                fail(ErrorKind::NotFound, message)
            }
        }
    }

    fn no_latest(&self, snapshots: &[SnapshotInfo]) -> Error {
        let message = format!("{} has no good snapshot in {}", self.job, self.sink);
        let error = Error::new(ErrorKind::NotFound, "snapshot.resolve", message).blame_request();
        let newest = |ours: bool| {
            snapshots.iter().find(|s| {
                let is_ours = s.host.as_ref() == Some(&self.host);
                s.kind == SnapshotKind::Backup && is_ours == ours
            })
        };
        match (newest(true), newest(false)) {
            (Some(newest), _) => error.remedy_is(format!(
                "the newest is {}: name it to use it anyway: {}@{}",
                newest.state.name(),
                self.job,
                newest.id
            )),
            (None, Some(other)) => error.remedy_is(format!(
                "there are snapshots of another machine: name one to use it here: {}@{}",
                self.job, other.id
            )),
            (None, None) => error.remedy_is(format!("`seaworthy backup {}` makes one", self.job)),
        }
    }

    /// Reads and verifies the manifest of the snapshot `id`. If there are trusted keys, a manifest
    /// that none of them signed is [`ErrorKind::Untrusted`].
    pub async fn open(&self, id: &SnapshotId) -> Result<Snapshot> {
        self.open_with(id, self.keys.trust.as_ref()).await
    }

    /// Like [`open`](Self::open), without checking who wrote the manifest.
    pub async fn open_untrusted(&self, id: &SnapshotId) -> Result<Snapshot> {
        self.open_with(id, None).await
    }

    async fn open_with(&self, id: &SnapshotId, trust: Option<&TrustedKeys>) -> Result<Snapshot> {
        let folder = self.folder_of(id)?;
        let bytes = self.sink.get(&folder.join(MANIFEST)?, MAX_MANIFEST).await?;
        if let Some(trust) = trust {
            check_manifest(&*self.sink, &folder, &bytes, trust).await?;
        }
        let manifest = Manifest::from_bytes(&bytes, &self.job, id).map_err(|error| {
            match (trust, error.kind()) {
                // A trusted key signed it, but for another place.
                (Some(_), ErrorKind::Damaged) => {
                    let message =
                        format!("the manifest in {folder} is signed, but for another folder");
                    Error::new(ErrorKind::Untrusted, "manifest.trust", message).caused_by(error)
                }
                _ => error,
            }
        })?;
        let identities = self.keys.identities.clone();
        Ok(Snapshot::new(self.sink.clone(), folder, manifest, identities))
    }

    /// Protects the snapshot `id` from prune until it is unpinned.
    pub async fn pin(&self, id: &SnapshotId, cx: &Context) -> Result<()> {
        let pin = serde_json::to_vec(&Pin { pinned: cx.now(), host: self.host.clone() });
        let pin = pin.map_err(|e| {
            Error::new(ErrorKind::Internal, "pin", "cannot write a pin").caused_by(e)
        })?;
        let key = self.folder_of(id)?.join(PIN)?;
        self.sink.put(&key, pin.into(), PutOptions::default()).await.map(drop)
    }

    /// Removes the protection of the snapshot `id`. It is not an error if it is not pinned.
    pub async fn unpin(&self, id: &SnapshotId) -> Result<()> {
        self.sink.delete(&self.folder_of(id)?.join(PIN)?).await
    }

    /// Whether the snapshot `id` is currently pinned.
    pub(crate) async fn is_pinned(&self, id: &SnapshotId) -> Result<bool> {
        match self.sink.stat(&self.folder_of(id)?.join(PIN)?).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stores the result of a check of `snapshot` in its folder.
    pub async fn record_check(&self, id: &SnapshotId, record: &CheckRecord) -> Result<()> {
        // A drill and a verification in the same second do not replace each other.
        let suffix = if record.kind == CheckKind::Drill { "-drill" } else { "" };
        let name = format!("{CHECKS}/{}{suffix}.json", record.time.compact());
        let bytes = serde_json::to_vec_pretty(record).map_err(|e| {
            Error::new(ErrorKind::Internal, "check.record", "cannot write a record").caused_by(e)
        })?;
        let key = self.folder_of(id)?.join(&name)?;
        if let Some(signing) = &self.keys.signing {
            let signature = signing.sign(&bytes, &comment(&self.folder_of(id)?, &name))?;
            let beside = self.folder_of(id)?.join(&format!("{name}{SIGNATURE_SUFFIX}"))?;
            self.sink.put(&beside, signature.into(), PutOptions::default()).await?;
        }
        self.sink.put(&key, bytes.into(), PutOptions::default()).await.map(drop)
    }

    /// The folder of the snapshot `id`.
    pub(crate) fn folder_of(&self, id: &SnapshotId) -> Result<ObjectKey> {
        self.folder()?.join(id.as_str())
    }

    /// Examines everything that the job has in the sink.
    pub(crate) async fn survey(&self, cx: &Context) -> Result<Survey> {
        let (whole, remnants) = self.folders(cx).await?;
        let examined: Vec<Option<Examined>> = stream::iter(whole)
            .map(|(id, objects)| self.examine(id, objects, None))
            .buffered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        let snapshots = examined.into_iter().flatten().map(|found| found.info).collect();
        Ok(Survey { snapshots, remnants })
    }

    /// The folders with a manifest, newest first, with their objects; and those without one.
    pub(crate) async fn folders(
        &self,
        cx: &Context,
    ) -> Result<(Vec<(SnapshotId, Vec<ObjectInfo>)>, Vec<Remnant>)> {
        let root = self.folder()?;
        let mut folders: BTreeMap<SnapshotId, Vec<ObjectInfo>> = BTreeMap::new();
        let mut objects = self.sink.list(&root);
        while let Some(object) = objects.try_next().await? {
            cx.check("snapshot.list")?;
            let below = object.key.strip_prefix(&root).unwrap_or_default();
            // Objects outside of snapshot folders are not ours.
            if let Some(Ok(id)) = below.split('/').next().map(str::parse) {
                folders.entry(id).or_default().push(object);
            }
        }
        let mut remnants = Vec::new();
        let mut whole = Vec::new();
        for (id, objects) in folders.into_iter().rev() {
            let manifest = self.folder_of(&id)?.join(MANIFEST)?;
            if objects.iter().any(|object| object.key == manifest) {
                whole.push((id, objects));
            } else {
                remnants.push(Remnant { id, objects });
            }
        }
        Ok((whole, remnants))
    }
}

/// What a job has in a sink.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Newest first.
    pub(crate) snapshots: Vec<SnapshotInfo>,
    /// Folders without a manifest: of runs that are active, or dead.
    pub(crate) remnants: Vec<Remnant>,
}

impl Survey {
    /// The snapshots of `host` that runs made, newest first.
    pub(crate) fn backups_of<'a>(
        &'a self,
        host: &'a HostId,
    ) -> impl Iterator<Item = &'a SnapshotInfo> {
        let ours = move |s: &&SnapshotInfo| {
            s.host.as_ref() == Some(host) && s.kind == SnapshotKind::Backup
        };
        self.snapshots.iter().filter(ours)
    }
}

/// A folder without a manifest.
#[derive(Debug)]
pub(crate) struct Remnant {
    pub(crate) id: SnapshotId,
    pub(crate) objects: Vec<ObjectInfo>,
}

#[derive(Serialize, Deserialize)]
struct Pin {
    pinned: Timestamp,
    host: HostId,
}
