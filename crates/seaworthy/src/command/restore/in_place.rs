//! A restore in place: commands before and after, a safety snapshot, everything loaded next to the
//! old data, then swapped in.

use std::path::{Path, PathBuf};

use seaworthy_backup::{
    Snapshot, SnapshotId,
    config::JobConfig,
    format::{SnapshotKind, index::PathBytes},
};
use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Event, Name, Result};

use super::{Chosen, RestoreIntent, RestoreResult};
use crate::Seaworthy;

impl Seaworthy {
    pub(super) async fn restore_in_place(
        &self,
        snapshot: &Snapshot,
        chosen: Vec<Chosen>,
        config: &JobConfig,
        confirm: &(dyn Fn(&RestoreIntent) -> Result<()> + Sync),
        result: &mut RestoreResult,
        cx: &Context,
    ) -> Result<()> {
        // Two restores in the same second must not use the same name.
        let stamp = SnapshotId::new(cx.now())?.to_string();
        let (mut targets, mut places, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for one in &chosen {
            let origin = self.origin(&result.job, &one.source).ok_or_else(|| {
                let message =
                    format!("the file does not contain the original place of {}", one.source);
                Error::new(ErrorKind::NotFound, "restore.choose", message)
                    .blame_request()
                    .remedy_with("restore it `to` a folder", &["to"])
            })?;
            let environment = self.source_environment(origin.name, config);
            let placed = origin.kind.in_place(origin.part, &stamp, &environment, cx).await?;
            match placed.place.named {
                Some(name) => shown.push(name),
                None if one.selection.is_all() => places.extend(placed.place.paths),
                None => {
                    let below_root = |path: &PathBytes| Path::new("/").join(path.as_path());
                    places.extend(one.selection.paths().iter().map(below_root));
                }
            }
            targets.push(placed.target);
        }
        self.refuse_own_folders(&places)?;
        shown.extend(places.iter().map(|place| place.display().to_string()));
        confirm(&RestoreIntent {
            job: result.job.clone(),
            id: result.id.clone(),
            places: shown,
            before: config.restore.before.clone(),
        })?;
        // Held until the end: no prune can remove the snapshot, and no backup reads half-restored
        // data.
        let lock = self
            .engine_job(&result.job, &result.sink, Some(&[]), |_| {}, cx)
            .await?
            .lock(&format!("restore {}", result.job))?;
        let done = async {
            run_before(&config.restore.before, cx).await?;
            self.make_safe(&chosen, &lock, result, cx).await?;
            self.load(snapshot, chosen, targets, config, result, cx).await
        }
        .await;
        // Also if it failed or was interrupted: what `before` stopped must be started again.
        let after = run_after(&config.restore.after, cx).await;
        match (done, after) {
            (Err(error), Err(after)) => {
                cx.emit(Event::warning(after.chain()));
                Err(error)
            }
            (done, after) => done.and(after),
        }
    }

    /// Fails if one of our own folders would be moved aside, with every snapshot in it.
    fn refuse_own_folders(&self, places: &[PathBuf]) -> Result<()> {
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        for own in self.environment.own_folders().iter().map(real) {
            if let Some(place) = places.iter().map(real).find(|place| own.starts_with(place)) {
                let message = format!(
                    "{} cannot be replaced: {} is in it and would be moved aside",
                    place.display(),
                    own.display()
                );
                return Err(Error::new(ErrorKind::InvalidInput, "restore.in_place", message)
                    .remedy_with(
                        "restore `to` a folder, or in parts with `only`",
                        &["to", "only"],
                    ));
            }
        }
        Ok(())
    }

    /// Makes a safety snapshot of the existing data. If the data cannot be backed up any more, the
    /// restore continues: the data is moved aside, not removed.
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
                    Some(&names),
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
                // One of them is the cause: the others are saved without it.
                attempts.extend(names.into_iter().rev().map(|name| vec![name]));
                continue;
            }
            let message = format!(
                "no safety snapshot of {}: {}; the existing data is moved aside instead",
                names.first().map_or("", Name::as_str),
                error.chain()
            );
            cx.emit(Event::warning(message));
        }
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

/// Runs every command, also after a failure or an interruption; returns the first failure.
async fn run_after(commands: &[CommandLine], cx: &Context) -> Result<()> {
    let mut first = Ok(());
    for command in commands {
        let Err(error) = command.run(&Context::new(), None).await else { continue };
        let message = "a command of `after` failed; what it starts may still be stopped";
        let error = Error::new(error.kind(), "restore.after", message).caused_by(error);
        if first.is_ok() {
            first = Err(error);
        } else {
            cx.emit(Event::warning(error.chain()));
        }
    }
    first
}
