//! One run of a job: from its sources to a snapshot in its sink, then verification and retention.

mod history;
mod report;
mod suspicion;
pub(crate) mod writer;

use std::sync::Arc;

use seaworthy_core::{Context, Error, ErrorKind, Event, FileLock, Name, Result, Span};

use crate::{
    encryption::Recipients,
    format::{
        CheckRecord, FORMAT, HostId, MANIFEST, Manifest, ManifestObject, ManifestSource, ObjectKey,
        SnapshotId, SnapshotKind,
    },
    options::{RunOptions, VerifyAfter},
    prune::Prune,
    replica::Replica,
    repository::Repository,
    retention::{Holds, RetentionPolicy},
    signing::Keys,
    sinks::BackupSink,
    snapshot::{index_file::IndexWriter, signed::put_manifest, sums::write_sums},
    sources::BackupSource,
    state::{JobState, StateFolder},
    verify::{self, VerifyOptions},
    workers::MAX_WORKERS,
};
use history::History;
pub use report::BackupReport;
use writer::PayloadWriter;

/// How long snapshots are held for a replica, in days.
pub(crate) const MAX_HOLD_DAYS: u16 = 7;

/// A backup job: what to back up, where to, and how.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use seaworthy_backup::{BackupJob, HostId, MemorySink, BackupSource};
/// # use seaworthy_core::{Context, Name, Result};
/// # async fn example(source: Arc<dyn BackupSource>) -> Result<()> {
/// let host = HostId::from_machine_id("example");
/// let job = BackupJob::new(Name::new("nightly")?, host, Arc::new(MemorySink::new()))
///     .source(Name::new("uploads")?, source);
/// let report = job.run(&Context::new()).await?;
/// println!("{} bytes stored as {}", report.stored, report.id);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct BackupJob {
    repository: Repository,
    sources: Vec<(Name, Arc<dyn BackupSource>)>,
    policy: Option<Arc<dyn RetentionPolicy>>,
    state: Option<StateFolder>,
    options: RunOptions,
    replicas: Vec<Replica>,
    max_hold: Span,
}

impl BackupJob {
    /// A job that keeps everything, in `sink`, made by `host`.
    pub fn new(name: Name, host: HostId, sink: Arc<dyn BackupSink>) -> Self {
        Self {
            repository: Repository::new(sink, name, host),
            sources: Vec::new(),
            policy: None,
            state: None,
            options: RunOptions::default(),
            replicas: Vec::new(),
            max_hold: Span::days(MAX_HOLD_DAYS),
        }
    }

    /// Adds a source. They run in the order in which they are added.
    #[must_use]
    pub fn source(mut self, name: Name, source: Arc<dyn BackupSource>) -> Self {
        self.sources.push((name, source));
        self
    }

    /// Applies `policy` after each good run.
    #[must_use]
    pub fn retention(mut self, policy: Arc<dyn RetentionPolicy>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Syncs `replica` after each run, in the order in which they are added.
    #[must_use]
    pub fn replica(mut self, replica: Replica) -> Self {
        self.replicas.push(replica);
        self
    }

    /// How long a snapshot that a replica does not have stays in the first sink, whatever the
    /// policy says. Default: 7 days.
    #[must_use]
    pub fn max_hold(mut self, max_hold: Span) -> Self {
        self.max_hold = max_hold;
        self
    }

    /// Keeps locks and journals in `state`. Without it two runs at the same time are possible
    /// (harmless, their snapshots have different names) and the remains of a killed run stay for
    /// two days.
    #[must_use]
    pub fn state(mut self, state: StateFolder) -> Self {
        self.state = Some(state);
        self
    }

    /// Changes how it runs.
    #[must_use]
    pub fn options(mut self, options: RunOptions) -> Self {
        self.options = options;
        self
    }

    /// Uses `keys` to encrypt, sign and verify.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.repository = self.repository.keys(keys);
        self
    }

    /// The job's snapshots.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Takes the job's lock, as [`run`](Self::run) does: for callers that do more under it, with
    /// [`run_locked`](Self::run_locked). `purpose` is shown to other processes that want the lock.
    pub fn lock(&self, purpose: &str) -> Result<JobLock> {
        let state = self.job_state();
        let lock = state.as_ref().map(|state| state.lock(purpose)).transpose()?;
        Ok(JobLock { _lock: lock })
    }

    /// Makes one snapshot. On failure nothing was removed, and nothing of the snapshot is visible,
    /// unless it was stored but could not be verified: then it exists, and counts as damaged until
    /// a later verification succeeds.
    pub async fn run(&self, cx: &Context) -> Result<BackupReport> {
        let lock = self.lock(&format!("backup {}", self.repository.job()))?;
        self.run_locked(&lock, cx).await
    }

    /// [`run`](Self::run) under a lock that the caller holds.
    pub async fn run_locked(&self, _lock: &JobLock, cx: &Context) -> Result<BackupReport> {
        if self.sources.is_empty() {
            let message = format!("{} has no sources", self.repository.job());
            return Err(Error::new(ErrorKind::InvalidInput, "backup.run", message));
        }
        self.check_names()?;
        self.repository.held_keys().check_writing()?;
        let state = self.job_state();
        let prune = Prune::new(self.repository.clone()).state(state.as_ref());
        prune.reap_dead_runs(cx).await?;
        let history = History::read(&self.repository, cx).await?;

        let id = SnapshotId::new(history.next_moment(cx.now()))?;
        if let Some(state) = &state {
            state.begin_run(&id)?;
        }
        let mut report = match self.store(&id, &history, cx).await {
            Ok(report) => report,
            Err(error) => {
                self.clean_up(&id, state.as_ref()).await;
                return Err(error);
            }
        };
        if let Some(state) = &state {
            state.end_run(&id)?;
        }
        if let Err(error) = self.verify_after(&mut report, cx).await {
            return Err(self.unverified(&id, error, state.as_ref(), cx).await);
        }
        if self.options.kind == SnapshotKind::Safety {
            return Ok(report);
        }
        let holds = self.bring_replicas_up_to_date(&mut report, cx).await?;
        if let Some(policy) = self.policy.as_ref().filter(|_| report.is_good()) {
            match prune.policy(&**policy).holds(holds).run_locked(cx).await {
                Ok(pruned) => report.prune = Some(pruned),
                // The snapshot itself is stored and verified.
                Err(error) => report.prune_error = Some(error.chain()),
            }
        }
        Ok(report)
    }

    /// Copies what the replicas do not have. A failure there does not fail the run.
    async fn bring_replicas_up_to_date(
        &self,
        report: &mut BackupReport,
        cx: &Context,
    ) -> Result<Holds> {
        let mut holds = Holds::default();
        if self.replicas.is_empty() {
            return Ok(holds);
        }
        let (state, options) = (self.state.as_ref(), &self.options);
        let there = self.repository.list(cx).await?;
        for replica in &self.replicas {
            let synced = replica.sync(&self.repository, state, options, cx).await?;
            holds.add_report(replica, &synced, &there, self.max_hold, state, cx);
            report.replicas.push(synced);
        }
        Ok(holds)
    }

    /// A snapshot whose verification did not finish is not good: that of an interrupted run is
    /// removed, and any other keeps a record until a complete verification clears it.
    async fn unverified(
        &self,
        id: &SnapshotId,
        error: Error,
        state: Option<&JobState>,
        cx: &Context,
    ) -> Error {
        if error.kind() == ErrorKind::Cancelled {
            self.clean_up(id, state).await;
            return error;
        }
        let finding = format!("it was never verified: {}", error.chain());
        let mut record = CheckRecord::failed(cx.now(), finding);
        record.sealed = self.repository.held_keys().is_sealed();
        match self.repository.record_check(id, &record).await {
            Ok(()) => error,
            Err(unrecorded) => error.with("not recorded", unrecorded.chain()),
        }
    }

    /// Each source needs an object of its own.
    fn check_names(&self) -> Result<()> {
        for (n, (name, source)) in self.sources.iter().enumerate() {
            let kind = source.payload();
            let twice = self.sources[..n].iter().any(|(earlier, _)| earlier == name);
            let object = format!("{name}.{}", kind.as_str());
            let reserved = object == "index.jsonl" || object == MANIFEST;
            if twice || reserved {
                let message = format!("a source of this job cannot be called {name}");
                return Err(Error::new(ErrorKind::InvalidInput, "backup.run", message)
                    .remedy_is("give each source a different name"));
            }
        }
        Ok(())
    }

    fn job_state(&self) -> Option<JobState> {
        let state = self.state.as_ref()?;
        Some(state.job(&self.repository.sink().to_string(), self.repository.job()))
    }

    /// Stores payloads, index, digests and, last, the manifest.
    async fn store(
        &self,
        id: &SnapshotId,
        history: &History,
        cx: &Context,
    ) -> Result<BackupReport> {
        let started = cx.now();
        let sink = &**self.repository.sink();
        let folder = self.repository.folder_of(id)?;
        let keys = self.repository.held_keys();
        let recipients = keys.recipients.as_ref();
        let compression = self.options.compression;
        let mut index = IndexWriter::begin(sink, &folder, compression, recipients).await?;
        let stored = self.store_payloads(&folder, &mut index, cx).await;
        let losses = index.losses().to_vec();
        let (sources, mut objects) = match stored {
            Ok(stored) => stored,
            Err(error) => {
                index.abort().await;
                return Err(error);
            }
        };
        let index = index.commit().await?;
        let index_name = index.name.clone();
        objects.push(index);
        objects.push(write_sums(sink, &folder, &objects).await?);

        let suspicions = if self.options.kind == SnapshotKind::Backup {
            suspicion::suspicions(&sources, history.last_good.as_ref())
        } else {
            Vec::new()
        };
        let accepted =
            !suspicions.is_empty() && (self.options.accept || history.third_alike(&suspicions));
        let manifest = Manifest {
            format: FORMAT,
            job: self.repository.job().clone(),
            id: id.clone(),
            kind: self.options.kind,
            host: self.repository.host().clone(),
            host_name: self.options.host_name.clone(),
            started,
            finished: cx.now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            encryption: recipients.map(Recipients::describe),
            sources,
            index: index_name,
            objects,
            suspicions,
            accepted,
            unknown: serde_json::Map::new(),
        };
        cx.check("backup.run")?;
        let bytes = manifest.to_bytes()?;
        put_manifest(sink, &folder, bytes, keys.signing.as_ref(), false).await?;
        Ok(BackupReport {
            job: manifest.job.clone(),
            id: id.clone(),
            sink: sink.to_string(),
            folder,
            plain: manifest.plain(),
            stored: manifest.stored(),
            seconds: manifest.finished.since(started).as_secs_f64(),
            sources: manifest.sources,
            suspicions: manifest.suspicions,
            accepted,
            losses,
            verified: None,
            replicas: Vec::new(),
            prune: None,
            prune_error: None,
        })
    }

    async fn store_payloads(
        &self,
        folder: &ObjectKey,
        index: &mut IndexWriter,
        cx: &Context,
    ) -> Result<(Vec<ManifestSource>, Vec<ManifestObject>)> {
        let writer = PayloadWriter {
            sink: &**self.repository.sink(),
            folder,
            compression: self.options.compression,
            recipients: self.repository.held_keys().recipients.as_ref(),
            workers: self.options.workers.clamp(1, MAX_WORKERS),
            cx,
        };
        let (mut sources, mut objects) = (Vec::new(), Vec::new());
        for (name, source) in &self.sources {
            let task = format!("{}: {name}", self.repository.job());
            let started = cx.now();
            cx.emit(Event::Started { task: task.clone(), total_bytes: None });
            let (described, object) = writer.write(name, &**source, index).await?;
            cx.emit(Event::Finished { task, elapsed: cx.now().since(started) });
            sources.push(described);
            objects.push(object);
        }
        Ok((sources, objects))
    }

    /// Removes what a failed run stored. What cannot be removed now is removed later.
    async fn clean_up(&self, id: &SnapshotId, state: Option<&JobState>) {
        let prune = Prune::new(self.repository.clone()).state(state);
        if let Err(error) = prune.remove(id).await {
            tracing::warn!(%id, error = error.chain(), "cannot remove a failed run's remains");
        }
    }

    /// Verifies according to the options. A failure is recorded, so that the snapshot is never
    /// good.
    async fn verify_after(&self, report: &mut BackupReport, cx: &Context) -> Result<()> {
        let snapshot = self.repository.open(&report.id).await?;
        match self.options.verify_after {
            VerifyAfter::Read => {
                let options = VerifyOptions {
                    workers: self.options.workers,
                    temp: self.options.temp.clone(),
                    ..VerifyOptions::default()
                };
                let verified = verify::verify(&snapshot, &options, cx).await?;
                if !verified.is_good() {
                    self.repository.record_check(&report.id, &verified.to_record(cx.now())).await?;
                }
                report.verified = Some(verified);
            }
            VerifyAfter::Stat => snapshot.check_sizes().await?,
        }
        Ok(())
    }
}

/// The lock of a job, held until dropped.
#[derive(Debug)]
pub struct JobLock {
    _lock: Option<FileLock>,
}
