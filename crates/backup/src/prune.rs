//! Applying a retention policy, and reaping what dead runs left behind.

use seaworthy_core::{Context, Error, ErrorKind, FileLock, Result, Span, TimeZone};
use serde::Serialize;

use crate::{
    BackupSinkExt, Repository,
    replica::Holds,
    repository::{Remnant, Survey},
    retention::{RetentionPlan, RetentionPolicy, decide},
    snapshot::{MANIFEST, SnapshotId},
    state::{JobState, StateFolder},
};

/// How long a folder without a manifest is left alone where nothing is known of its run, in hours.
const REMNANT_HOURS: u16 = 48;

/// Removes what a retention policy no longer keeps.
#[derive(Debug)]
pub struct Prune<'a> {
    repository: Repository,
    policy: Option<&'a dyn RetentionPolicy>,
    state: Option<&'a JobState>,
    holds: Holds,
    dry_run: bool,
}

/// What a prune did or, as a dry run, would do.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// A decision with its reasons for each snapshot, newest first.
    pub plan: RetentionPlan,
    /// The snapshots that were removed.
    pub removed: Vec<SnapshotId>,
    /// The runs whose remains were reaped.
    pub reaped: Vec<SnapshotId>,
    /// How many bytes became free.
    pub freed: u64,
    /// Whether nothing was really removed.
    pub dry_run: bool,
}

impl<'a> Prune<'a> {
    /// A prune that removes no snapshots, but reaps the remains of dead runs.
    pub fn new(repository: Repository) -> Self {
        Self { repository, policy: None, state: None, holds: Holds::default(), dry_run: false }
    }

    /// Removes what `policy` does not keep.
    #[must_use]
    pub fn policy(mut self, policy: &'a dyn RetentionPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Leaves what replicas still wait for.
    #[must_use]
    pub fn holds(mut self, holds: Holds) -> Self {
        self.holds = holds;
        self
    }

    /// Changes nothing and says what would be done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
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
        // The job's state lives as long as this call; `self` may not borrow it longer.
        let prune = Prune {
            repository: self.repository,
            policy: self.policy.take(),
            state: job_state.as_ref(),
            holds: std::mem::take(&mut self.holds),
            dry_run: self.dry_run,
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
            if !self.dry_run {
                // Somebody may have pinned it since the listing.
                if self.repository.is_pinned(&id).await? {
                    continue;
                }
                self.remove(&id).await?;
            }
            report.freed += survey.snapshots.iter().find(|s| s.id == id).map_or(0, |s| s.stored);
            report.removed.push(id);
        }
        self.reap_old_remnants(&survey, &mut report, cx).await?;
        Ok(report)
    }

    /// Removes everything in a snapshot's folder and forgets its run. The manifest goes first, also
    /// where there should be none, so that it is never half a snapshot.
    pub(crate) async fn remove(&self, id: &SnapshotId) -> Result<()> {
        let sink = self.repository.sink();
        let folder = self.repository.folder_of(id)?;
        let manifest = folder.join(MANIFEST)?;
        sink.delete(&manifest).await.map_err(|error| self.cannot_remove(id, error))?;
        sink.discard_unfinished(&folder).await?;
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

    /// Reaps the remains of this host's runs that began and never ended.
    pub(crate) async fn reap_dead_runs(&self, cx: &Context) -> Result<()> {
        let Some(state) = self.state.filter(|_| !self.dry_run) else { return Ok(()) };
        if !self.repository.sink().capabilities().delete {
            return Ok(());
        }
        for id in state.dead_runs()? {
            cx.check("prune")?;
            let manifest = self.repository.folder_of(&id)?.join(MANIFEST)?;
            match self.repository.sink().stat(&manifest).await {
                // It ended after all: only its marker was left.
                Ok(_) => state.end_run(&id)?,
                Err(error) if error.kind() == ErrorKind::NotFound => self.remove(&id).await?,
                Err(error) => return Err(error),
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
        let old = |r: &&Remnant| r.objects.iter().all(|object| object.modified < limit);
        for remnant in survey.remnants.iter().filter(old) {
            if !self.dry_run {
                self.remove(&remnant.id).await?;
            }
            report.freed += remnant.objects.iter().map(|object| object.size).sum::<u64>();
            report.reaped.push(remnant.id.clone());
        }
        Ok(())
    }
}
