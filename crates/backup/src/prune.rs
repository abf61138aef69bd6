//! Applies a retention policy, and removes the remains of dead runs.

use seaworthy_core::{
    Context, Error, ErrorKind, Event, FileLock, Result, Span, TimeZone, Timestamp,
};
use serde::Serialize;

use crate::{
    format::{MANIFEST, SnapshotId},
    repository::{Repository, Survey},
    retention::{Holds, RetentionPlan, RetentionPolicy, decide},
    sinks::BackupSinkExt,
    state::{JobState, StateFolder},
};

/// How long a folder without a manifest is kept if its run is unknown, in hours.
const REMNANT_HOURS: u16 = 48;

/// How long an unfinished upload is kept, in days: a run may still be writing it.
const UPLOAD_DAYS: u16 = 7;

/// Removes what a retention policy no longer keeps.
#[derive(Debug)]
pub struct Prune<'a> {
    repository: Repository,
    policy: Option<&'a dyn RetentionPolicy>,
    state: Option<&'a JobState>,
    holds: Holds,
    dry_run: bool,
    append_only: bool,
}

/// What a prune did or, as a dry run, would do.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// A decision with its reasons for each snapshot, newest first.
    pub plan: RetentionPlan,
    /// The snapshots that were removed.
    pub removed: Vec<SnapshotId>,
    /// The runs whose remains were removed.
    pub reaped: Vec<SnapshotId>,
    /// The snapshots that a lock of the store still protects: nothing of them was removed.
    pub locked: Vec<Locked>,
    /// The snapshots, and folders without a manifest, that were tampered with: a manifest was
    /// hidden or written twice in a sink where nothing is ever replaced. None of them was removed.
    pub tampered: Vec<SnapshotId>,
    /// How many unfinished uploads of dead runs were aborted.
    pub uploads: u64,
    /// How many bytes were freed.
    pub freed: u64,
    /// Whether it was a dry run.
    pub dry_run: bool,
}

/// A snapshot that a lock of the store protects.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Locked {
    /// The snapshot.
    pub id: SnapshotId,
    /// When the lock ends; `None` for a legal hold, which has no end.
    pub until: Option<Timestamp>,
}

impl<'a> Prune<'a> {
    /// A prune that removes no snapshots, only the remains of dead runs.
    pub fn new(repository: Repository) -> Self {
        let holds = Holds::default();
        Self { repository, policy: None, state: None, holds, dry_run: false, append_only: false }
    }

    /// Removes what `policy` does not keep.
    #[must_use]
    pub fn policy(mut self, policy: &'a dyn RetentionPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Keeps what replicas still wait for.
    #[must_use]
    pub fn holds(mut self, holds: Holds) -> Self {
        self.holds = holds;
        self
    }

    /// A dry run: changes nothing and reports what would be done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Runs only add to this sink, so a manifest with more than one version was tampered with: such
    /// a snapshot is kept.
    #[must_use]
    pub fn append_only(mut self, append_only: bool) -> Self {
        self.append_only = append_only;
        self
    }

    #[must_use]
    pub(crate) fn state(mut self, state: Option<&'a JobState>) -> Self {
        self.state = state;
        self
    }

    /// Runs under the job's lock, which is kept in `state`.
    pub async fn run(mut self, state: Option<&StateFolder>, cx: &Context) -> Result<PruneReport> {
        let (sink, job) = (self.repository.sink().to_string(), self.repository.job().clone());
        let job_state = state.map(|state| state.job(&sink, &job));
        let lock = |state: &JobState| state.lock(&format!("prune {job}"));
        let _lock: Option<FileLock> = match &job_state {
            Some(state) if !self.dry_run => Some(lock(state)?),
            _ => None,
        };
        // The job's state lives as long as this call; `self` must not borrow it longer.
        let prune = Prune {
            repository: self.repository,
            policy: self.policy.take(),
            state: job_state.as_ref(),
            holds: std::mem::take(&mut self.holds),
            dry_run: self.dry_run,
            append_only: self.append_only,
        };
        prune.reap_dead_runs(cx).await?;
        prune.run_locked(cx).await
    }

    /// Runs under a lock that the caller holds.
    pub(crate) async fn run_locked(&self, cx: &Context) -> Result<PruneReport> {
        let survey = self.repository.survey(cx).await?;
        let plan = decide(self.policy, &survey.snapshots, self.repository.host(), cx.now());
        let plan = plan.hold(&self.holds);
        let mut report = PruneReport { plan, dry_run: self.dry_run, ..PruneReport::default() };
        let doomed: Vec<_> = report.plan.removed().cloned().collect();
        for id in doomed {
            cx.check("prune")?;
            if !self.may_go(&id, &mut report, cx).await? {
                continue;
            }
            if !self.dry_run {
                // It may have been pinned since the listing.
                if self.repository.is_pinned(&id).await? {
                    continue;
                }
                self.remove(&id).await?;
            }
            report.freed += survey.snapshots.iter().find(|s| s.id == id).map_or(0, |s| s.stored);
            report.removed.push(id);
        }
        self.reap_old_remnants(&survey, &mut report, cx).await?;
        if !self.dry_run {
            report.uploads = self.reap_old_uploads(cx).await?;
        }
        Ok(report)
    }

    /// Whether the store allows removing a snapshot, and it was not tampered with. The manifest is
    /// checked for the whole snapshot, so that none is removed in part.
    async fn may_go(
        &self,
        id: &SnapshotId,
        report: &mut PruneReport,
        cx: &Context,
    ) -> Result<bool> {
        let manifest = self.repository.folder_of(id)?.join(MANIFEST)?;
        let history = self.repository.sink().history(&manifest).await?;
        let name = format!("{}@{id} in {}", self.repository.job(), self.repository.sink());
        let locked = history.locked_until.filter(|until| *until > cx.now());
        if history.held || locked.is_some() {
            let until = locked.filter(|_| !history.held);
            let time =
                until.map_or("the legal hold is removed".to_owned(), |time| time.to_string());
            cx.emit(Event::warning(format!("{name} is locked until {time}: it was not removed")));
            report.locked.push(Locked { id: id.clone(), until });
            return Ok(false);
        }
        if self.append_only && (history.versions > 1 || history.hide_marks > 0) {
            let message = format!(
                "{name} has a manifest that was replaced or hidden, although runs only add \
                 objects: it was not removed; find out who did this"
            );
            cx.emit(Event::warning(message));
            report.tampered.push(id.clone());
            return Ok(false);
        }
        Ok(true)
    }

    /// Aborts the uploads that no run can still be writing. If that is not allowed, the bucket's
    /// own rules must do it.
    async fn reap_old_uploads(&self, cx: &Context) -> Result<u64> {
        let sink = self.repository.sink();
        let before = cx.now().minus(Span::days(UPLOAD_DAYS), &TimeZone::utc());
        match sink.discard_unfinished(&self.repository.folder()?, Some(before)).await {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let why = error.chain();
                cx.emit(Event::warning(format!(
                    "unfinished uploads may stay in {sink}, and cost money: {why}; a lifecycle \
                     rule of the bucket that aborts incomplete multipart uploads also removes \
                     them"
                )));
                Ok(0)
            }
            done => done,
        }
    }

    /// Removes everything in a snapshot's folder and its run's journal. The manifest is removed
    /// first, even if there should be none, so that it is never half a snapshot.
    pub(crate) async fn remove(&self, id: &SnapshotId) -> Result<()> {
        let sink = self.repository.sink();
        let folder = self.repository.folder_of(id)?;
        let manifest = folder.join(MANIFEST)?;
        sink.delete(&manifest).await.map_err(|error| self.cannot_remove(id, error))?;
        if let Err(error) = sink.discard_unfinished(&folder, None).await {
            // The bucket's own rules remove them if we are not allowed to.
            if error.kind() != ErrorKind::PermissionDenied {
                return Err(self.cannot_remove(id, error));
            }
            tracing::warn!(%id, error = error.chain(), "unfinished uploads may stay");
        }
        for object in sink.list_sorted(&folder).await? {
            sink.delete(&object.key).await.map_err(|error| self.cannot_remove(id, error))?;
        }
        self.state.map_or(Ok(()), |state| state.end_run(id))
    }

    fn cannot_remove(&self, id: &SnapshotId, error: Error) -> Error {
        let message =
            format!("cannot remove {}@{id} from {}", self.repository.job(), self.repository.sink());
        Error::new(error.kind(), "prune", message).caused_by(error)
    }

    /// Removes the remains of this host's runs that began and never ended.
    pub(crate) async fn reap_dead_runs(&self, cx: &Context) -> Result<()> {
        let Some(state) = self.state.filter(|_| !self.dry_run) else { return Ok(()) };
        if !self.repository.sink().capabilities().delete {
            return Ok(());
        }
        for id in state.dead_runs()? {
            cx.check("prune")?;
            let manifest = self.repository.folder_of(&id)?.join(MANIFEST)?;
            // If there is a trace of a manifest, the run did end: only its marker was left. Anybody
            // who can write to the bucket can hide a manifest; hidden is not absent.
            if self.repository.sink().history(&manifest).await?.is_blank() {
                self.remove(&id).await?;
            } else {
                state.end_run(&id)?;
            }
        }
        Ok(())
    }

    async fn reap_old_remnants(
        &self,
        survey: &Survey,
        report: &mut PruneReport,
        cx: &Context,
    ) -> Result<()> {
        let limit = cx.now().minus(Span::hours(REMNANT_HOURS), &TimeZone::utc());
        for remnant in &survey.remnants {
            // If runs only add, a trace of a manifest shows at any age that somebody hid it.
            let is_old = remnant.objects.iter().all(|object| object.modified < limit);
            if !is_old && !self.append_only {
                continue;
            }
            let manifest = self.repository.folder_of(&remnant.id)?.join(MANIFEST)?;
            if !self.repository.sink().history(&manifest).await?.is_blank() {
                let (job, id, sink) = (self.repository.job(), &remnant.id, self.repository.sink());
                cx.emit(Event::warning(format!(
                    "the manifest of {job}@{id} is hidden in {sink}, not absent: nothing was \
                     removed; find out who hid it"
                )));
                report.tampered.push(remnant.id.clone());
                continue;
            }
            if !is_old {
                continue;
            }
            if !self.dry_run {
                self.remove(&remnant.id).await?;
            }
            report.freed += remnant.objects.iter().map(|object| object.size).sum::<u64>();
            report.reaped.push(remnant.id.clone());
        }
        Ok(())
    }
}
