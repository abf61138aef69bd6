//! State of this machine between runs: locks, and which runs have begun.

use std::{
    fs,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, FileLock, Name, Result, durable};

use crate::{
    format::{Digest256, SnapshotId},
    repository::Repository,
};

/// A private folder for locks and journals, one per machine and user.
#[derive(Clone, Debug)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// Keeps state in `path`, which is created when it is first needed.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes the lock of a job, as its runs do. `purpose` is shown to other processes that want it.
    pub fn lock(&self, repository: &Repository, purpose: &str) -> Result<FileLock> {
        self.job(&repository.sink().to_string(), repository.job()).lock(purpose)
    }

    /// The state of `job` in the sink called `sink`.
    pub(crate) fn job(&self, sink: &str, job: &Name) -> JobState {
        let digest = Digest256::of(sink.as_bytes()).to_string();
        JobState { folder: self.0.join("sinks").join(&digest[..16]).join(job.as_str()) }
    }
}

/// State of one job in one sink. Everything except [`lock`](Self::lock) is called under that lock.
#[derive(Debug)]
pub(crate) struct JobState {
    folder: PathBuf,
}

impl JobState {
    /// Takes the job's lock; the kernel frees it when this process ends in any way.
    pub(crate) fn lock(&self, purpose: &str) -> Result<FileLock> {
        FileLock::acquire(&self.folder.join("lock"), purpose)
    }

    /// Records that the run `id` has begun, so that it is known to be dead if it never ends.
    pub(crate) fn begin_run(&self, id: &SnapshotId) -> Result<()> {
        let runs = self.folder.join("runs");
        durable::create_private_folder(&runs)?;
        durable::write_file(&runs.join(id.as_str()), b"", 0o600)
    }

    /// Removes the record of a run that has ended or whose remains are gone.
    pub(crate) fn end_run(&self, id: &SnapshotId) -> Result<()> {
        let marker = self.folder.join("runs").join(id.as_str());
        match fs::remove_file(&marker) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("state.write", format!("cannot remove {}", marker.display()), e))
            }
            _ => Ok(()),
        }
    }

    /// Records which snapshots this sink is known to have, for times when it cannot be asked.
    pub(crate) fn note_arrived(&self, ids: &[SnapshotId]) -> Result<()> {
        let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        durable::create_private_folder(&self.folder)?;
        durable::write_file(&self.folder.join("arrived"), lines.as_bytes(), 0o600)
    }

    /// What was last [recorded](Self::note_arrived); empty if that cannot be read.
    pub(crate) fn arrived(&self) -> Vec<SnapshotId> {
        let text = fs::read_to_string(self.folder.join("arrived")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// The runs that began and did not end. Under the lock, all of them are dead.
    pub(crate) fn dead_runs(&self) -> Result<Vec<SnapshotId>> {
        let runs = self.folder.join("runs");
        let entries = match fs::read_dir(&runs) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries,
        };
        let names = entries
            .and_then(|entries| entries.map(|e| Ok(e?.file_name())).collect::<Result<Vec<_>, _>>())
            .map_err(|e| Error::io("state.read", format!("cannot read {}", runs.display()), e))?;
        // Other names are unfinished markers of a crash: nothing was stored for them.
        Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::{ErrorKind, Timestamp};

    #[test]
    fn a_run_is_dead_until_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().join("state"));
        let job = state.job("/backups", &Name::new("nightly").unwrap());
        assert!(job.dead_runs().unwrap().is_empty());
        let id = SnapshotId::new(Timestamp::from_unix(1_700_000_000)).unwrap();
        job.begin_run(&id).unwrap();
        assert_eq!(job.dead_runs().unwrap(), std::slice::from_ref(&id));
        job.end_run(&id).unwrap();
        job.end_run(&id).unwrap();
        assert!(job.dead_runs().unwrap().is_empty());
    }

    #[test]
    fn jobs_and_sinks_do_not_lock_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path());
        let (a, b) = (Name::new("a").unwrap(), Name::new("b").unwrap());
        let _held = state.job("/x", &a).lock("backup a").unwrap();
        let _other_job = state.job("/x", &b).lock("backup b").unwrap();
        let _other_sink = state.job("/y", &a).lock("backup a").unwrap();
        let error = state.job("/x", &a).lock("prune a").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
    }
}
