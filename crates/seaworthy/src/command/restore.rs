//! `restore`: to another place, or in place behind a safety snapshot.

use std::path::{Path, PathBuf};

use seaworthy_backup::{
    RestoreReport, Selection, Snapshot, SnapshotId,
    config::JobConfig,
    restore::{Restoration, RestoreOptions, restore},
    snapshot::{
        SnapshotKind,
        index::{PathBytes, Record},
    },
};
use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Event, Name, Result};
use serde::Serialize;

use super::SnapshotName;
use crate::{Outcome, Reply, Seaworthy, keys::Purpose, open};

/// What `restore` is asked for.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// The snapshot.
    pub snapshot: SnapshotName,
    /// Only this source.
    pub source: Option<Name>,
    /// From this sink.
    pub sink: Option<Name>,
    /// Only these paths and what lies below them; all where none is named.
    pub only: Vec<PathBuf>,
    /// Also one that is not signed by whom the job trusts.
    pub force: bool,
    /// Where to.
    pub to: Destination,
}

/// Where a restore goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To a folder that is new or empty, with a folder for each source where there are several.
    Folder(PathBuf),
    /// Where the data was; what is there is moved aside.
    InPlace,
}

/// What a restore in place is about to do.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RestoreIntent {
    /// The job.
    pub job: Name,
    /// The snapshot.
    pub id: SnapshotId,
    /// What will be replaced.
    pub places: Vec<PathBuf>,
    /// What is run first.
    pub before: Vec<CommandLine>,
}

/// What `restore` did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RestoreResult {
    /// The job.
    pub job: Name,
    /// The snapshot that was restored.
    pub id: SnapshotId,
    /// The sink's name in the file.
    pub sink: Name,
    /// The snapshots that were made of what was there before.
    pub safety: Vec<SnapshotId>,
    /// What was done for each source.
    pub restored: Vec<Restored>,
    /// How many items the snapshot lacks because they could not be read when it was made.
    pub missing: u64,
}

/// What `restore` did for one source.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Restored {
    /// The source.
    pub source: Name,
    /// What was done.
    #[serde(flatten)]
    pub report: RestoreReport,
}

/// A source that was chosen, with its payload's kind and what is wanted of it.
struct Chosen {
    source: Name,
    kind: String,
    selection: Selection,
}

impl Seaworthy {
    /// Restores a snapshot or parts of it. A restore in place asks `confirm` before it touches
    /// anything.
    pub async fn restore(
        &self,
        request: &RestoreRequest,
        confirm: &(dyn Fn(&RestoreIntent) -> Result<()> + Sync),
        cx: &Context,
    ) -> Reply<RestoreResult> {
        let mut result = None;
        let failed = self.try_restore(request, confirm, &mut result, cx).await.err();
        let mut reply = match result {
            Some(result) => {
                Reply { outcome: outcome_of(&result), result: Some(result), error: None }
            }
            None => Reply { outcome: Outcome::Done, result: None, error: None },
        };
        if let Some(error) = failed {
            reply = reply.with_error(Some(error));
        }
        reply
    }

    async fn try_restore(
        &self,
        request: &RestoreRequest,
        confirm: &(dyn Fn(&RestoreIntent) -> Result<()> + Sync),
        result: &mut Option<RestoreResult>,
        cx: &Context,
    ) -> Result<()> {
        let job = &request.snapshot.job;
        let (sink, repository, info) =
            self.find_snapshot(&request.snapshot, request.sink.as_ref(), Purpose::Read, cx).await?;
        let snapshot = match repository.open(&info.id).await {
            Err(error) if error.kind() == ErrorKind::Untrusted && request.force => {
                cx.emit(Event::warning(error.chain()));
                repository.open_untrusted(&info.id).await?
            }
            snapshot => snapshot?,
        };
        let config = self.job_config(job)?;
        let chosen = self.choose(&snapshot, config, request, cx).await?;
        let mut done = RestoreResult {
            job: job.clone(),
            id: info.id,
            sink,
            safety: Vec::new(),
            restored: Vec::new(),
            missing: missing_of(&snapshot, &chosen),
        };
        let restored = match &request.to {
            Destination::Folder(folder) => {
                self.restore_to(folder, &snapshot, chosen, config, &mut done, cx).await
            }
            Destination::InPlace => {
                self.restore_in_place(&snapshot, chosen, config, confirm, &mut done, cx).await
            }
        };
        // What was restored or made safe is said also where something failed after it.
        if restored.is_ok() || !done.restored.is_empty() || !done.safety.is_empty() {
            *result = Some(done);
        }
        restored
    }

    /// Which sources are restored, and what of them.
    async fn choose(
        &self,
        snapshot: &Snapshot,
        config: &JobConfig,
        request: &RestoreRequest,
        cx: &Context,
    ) -> Result<Vec<Chosen>> {
        let fail = |message: String, remedy: String| {
            Err(Error::new(ErrorKind::NotFound, "restore.choose", message).remedy_is(remedy))
        };
        let held = &snapshot.manifest().sources;
        let wanted = |name: &Name| request.source.as_ref().is_none_or(|source| source == name);
        let mut sources: Vec<_> = held.iter().filter(|source| wanted(&source.name)).collect();
        if let (Some(source), true) = (&request.source, sources.is_empty()) {
            let names: Vec<_> = held.iter().map(|source| source.name.as_str()).collect();
            let message = format!("{} holds no source {source}", name_of(snapshot));
            return fail(message, format!("it holds {}", names.join(", ")));
        }
        if request.only.is_empty() {
            let all = |source: &&seaworthy_backup::snapshot::ManifestSource| Chosen {
                source: source.name.clone(),
                kind: source.kind.clone(),
                selection: Selection::all(),
            };
            return Ok(sources.iter().map(all).collect());
        }
        let asked: Vec<_> = request.only.iter().map(|path| PathBytes::from_path(path)).collect();
        let selection = Selection::only(asked);
        let mut missing: Vec<_> = selection.paths().to_vec();
        let index = snapshot.index(&self.temp_of(config), cx).await?;
        let mut chosen = Vec::new();
        for source in sources.drain(..) {
            let mut found = false;
            for record in index.records_of(&source.name)? {
                let path = match record? {
                    Record::File(file) => file.path,
                    Record::Database(database) => database.path.without_root(),
                    _ => continue,
                };
                if selection.contains(&path) {
                    found = true;
                    missing.retain(|wanted| !path.is_within(&wanted.0));
                }
            }
            if found {
                // A database is restored whole.
                let whole = source.kind != "tar";
                let selection = if whole { Selection::all() } else { selection.clone() };
                let (kind, source) = (source.kind.clone(), source.name.clone());
                chosen.push(Chosen { source, kind, selection });
            }
        }
        if let Some(path) = missing.first() {
            let message = format!("{} holds no /{}", name_of(snapshot), path.as_path().display());
            let list =
                format!("`seaworthy show {} --files` lists what it holds", name_of(snapshot));
            return fail(message, list);
        }
        Ok(chosen)
    }

    async fn restore_to(
        &self,
        folder: &Path,
        snapshot: &Snapshot,
        chosen: Vec<Chosen>,
        config: &JobConfig,
        result: &mut RestoreResult,
        cx: &Context,
    ) -> Result<()> {
        let several = chosen.len() > 1;
        let made = if several { make_empty(folder)? } else { false };
        let mut targets = Vec::new();
        for one in &chosen {
            let place = if several { folder.join(one.source.as_str()) } else { folder.to_owned() };
            targets.push(open::target_in_folder(&one.kind, &place)?);
        }
        let loaded = self.load(snapshot, chosen, targets, config, result, cx).await;
        if loaded.is_err() && made {
            // It is empty again, or what is left in it is worth a look.
            let _ = std::fs::remove_dir(folder);
        }
        loaded
    }

    async fn restore_in_place(
        &self,
        snapshot: &Snapshot,
        chosen: Vec<Chosen>,
        config: &JobConfig,
        confirm: &(dyn Fn(&RestoreIntent) -> Result<()> + Sync),
        result: &mut RestoreResult,
        cx: &Context,
    ) -> Result<()> {
        // Two restores in one second must not meet under one name.
        let stamp = SnapshotId::new(cx.now())?.to_string();
        let (mut targets, mut places) = (Vec::new(), Vec::new());
        for one in &chosen {
            let source = config.sources.get(one.source.as_str()).ok_or_else(|| {
                let message = format!("the file does not say where {} belongs", one.source);
                Error::new(ErrorKind::NotFound, "restore.choose", message)
                    .remedy_is("restore it to a folder with --to")
            })?;
            if one.selection.is_all() {
                places.extend(open::places_of(source));
            } else {
                let below_root = |path: &PathBytes| Path::new("/").join(path.as_path());
                places.extend(one.selection.paths().iter().map(below_root));
            }
            targets.push(open::target_in_place(source, &stamp)?);
        }
        self.refuse_own_folders(&places)?;
        confirm(&RestoreIntent {
            job: result.job.clone(),
            id: result.id.clone(),
            places,
            before: config.restore.before.clone(),
        })?;
        // Held until the end: no prune can take the snapshot away, and no backup reads half of it.
        let lock = self
            .engine_job(&result.job, &result.sink, &|_| false, |_| {}, cx)
            .await?
            .lock(&format!("restore {}", result.job))?;
        let done = async {
            run_before(&config.restore.before, cx).await?;
            self.make_safe(&chosen, &lock, result, cx).await?;
            self.load(snapshot, chosen, targets, config, result, cx).await
        }
        .await;
        // Also when it failed or was interrupted: what `before` stopped has to start again.
        let after = run_after(&config.restore.after, cx).await;
        match (done, after) {
            (Err(error), Err(after)) => {
                cx.emit(Event::warning(after.chain()));
                Err(error)
            }
            (done, after) => done.and(after),
        }
    }

    /// Fails where one of our own folders would be moved aside, with every snapshot in it.
    fn refuse_own_folders(&self, places: &[PathBuf]) -> Result<()> {
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        for own in self.own_folders().iter().map(real) {
            if let Some(place) = places.iter().map(real).find(|place| own.starts_with(place)) {
                let message = format!(
                    "{} cannot be replaced: {} lies in it and would be moved aside",
                    place.display(),
                    own.display()
                );
                return Err(Error::new(ErrorKind::InvalidInput, "restore.in_place", message)
                    .remedy_is("restore to a folder with --to, or in parts with --only"));
            }
        }
        Ok(())
    }

    /// Makes a safety snapshot of what is there. Data that cannot be backed up any more is no
    /// reason not to restore it: it is moved aside, not removed.
    async fn make_safe(
        &self,
        chosen: &[Chosen],
        lock: &seaworthy_backup::JobLock,
        result: &mut RestoreResult,
        cx: &Context,
    ) -> Result<()> {
        let names: Vec<_> = chosen.iter().map(|one| one.source.clone()).collect();
        let mut attempts = vec![names.clone()];
        while let Some(names) = attempts.pop() {
            let job = self
                .engine_job(
                    &result.job,
                    &result.sink,
                    &|source| names.contains(source),
                    |options| options.kind = SnapshotKind::Safety,
                    cx,
                )
                .await?;
            let error = match job.run_locked(lock, cx).await {
                Ok(report) => {
                    if report.verified.as_ref().is_some_and(|verified| !verified.is_good()) {
                        let id = &report.id;
                        cx.emit(Event::warning(format!("the safety snapshot {id} is damaged")));
                    }
                    result.safety.push(report.id);
                    continue;
                }
                Err(error) => error,
            };
            let beyond_saving = matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::Source | ErrorKind::Damaged | ErrorKind::NoSpace
            );
            if !beyond_saving {
                return Err(error);
            }
            if names.len() > 1 {
                // One of them is at fault: the others are made safe without it.
                attempts.extend(names.into_iter().rev().map(|name| vec![name]));
                continue;
            }
            let message = format!(
                "no safety snapshot of {}: {}; what is there is moved aside instead",
                names.first().map_or("", Name::as_str),
                error.chain()
            );
            cx.emit(Event::warning(message));
        }
        Ok(())
    }

    async fn load(
        &self,
        snapshot: &Snapshot,
        chosen: Vec<Chosen>,
        targets: Vec<Box<dyn seaworthy_backup::RestoreTarget>>,
        config: &JobConfig,
        result: &mut RestoreResult,
        cx: &Context,
    ) -> Result<()> {
        let mut options = RestoreOptions::default();
        options.temp = self.temp_of(config);
        if let Some(workers) = config.limit.workers {
            options.workers = workers.into();
        }
        let names: Vec<_> = chosen.iter().map(|one| one.source.clone()).collect();
        let restorations = chosen
            .into_iter()
            .zip(targets)
            .map(|(one, target)| Restoration::new(one.source, target, one.selection))
            .collect();
        let reports = restore(snapshot, restorations, &options, cx).await?;
        let restored = names.into_iter().zip(reports);
        result.restored = restored.map(|(source, report)| Restored { source, report }).collect();
        Ok(())
    }
}

/// Runs commands one after another, until one fails.
async fn run_before(commands: &[CommandLine], cx: &Context) -> Result<()> {
    for command in commands {
        command.run(cx, None).await.map_err(|error| {
            let message = "a command of `before` failed, so nothing was replaced";
            Error::new(error.kind(), "restore.before", message).caused_by(error)
        })?;
    }
    Ok(())
}

/// Runs every command, also after one failed and after an interruption; gives the first failure.
async fn run_after(commands: &[CommandLine], cx: &Context) -> Result<()> {
    let mut first = Ok(());
    for command in commands {
        let Err(error) = command.run(&Context::new(), None).await else { continue };
        let message = "a command of `after` failed; what it starts may still be down";
        let error = Error::new(error.kind(), "restore.after", message).caused_by(error);
        if first.is_ok() {
            first = Err(error);
        } else {
            cx.emit(Event::warning(error.chain()));
        }
    }
    first
}

/// How many items of the chosen sources could not be read when the snapshot was made.
fn missing_of(snapshot: &Snapshot, chosen: &[Chosen]) -> u64 {
    let sources = snapshot.manifest().sources.iter();
    let chosen = sources.filter(|held| chosen.iter().any(|one| one.source == held.name));
    chosen.map(|source| source.summary.unreadable).sum()
}

/// Losses are what the snapshot lacks, and what could not be restored as it was.
fn outcome_of(result: &RestoreResult) -> Outcome {
    let lossy = |restored: &Restored| !restored.report.warnings.is_empty();
    if result.missing > 0 || result.restored.iter().any(lossy) {
        Outcome::Losses
    } else {
        Outcome::Done
    }
}

/// Makes sure that `folder` is there and empty; true where it had to be made.
fn make_empty(folder: &Path) -> Result<bool> {
    let fail =
        |e| Error::io("restore.prepare", format!("cannot restore to {}", folder.display()), e);
    match std::fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => {
                let message = format!("{} is not empty", folder.display());
                Err(Error::new(ErrorKind::NotEmpty, "restore.prepare", message)
                    .remedy_is("name a new or empty folder; nothing is ever overwritten"))
            }
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder).map_err(fail).map(|()| true)
        }
        Err(e) => Err(fail(e)),
    }
}

fn name_of(snapshot: &Snapshot) -> String {
    format!("{}@{}", snapshot.job(), snapshot.id())
}
