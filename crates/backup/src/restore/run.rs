//! Driving restore targets: all are prepared, then all loaded, and only then is anything replaced.

use std::path::PathBuf;

use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result};

use super::{RestoreReport, RestoreTarget, Selection};
use crate::{snapshot::Snapshot, workers::MAX_WORKERS};

/// A part of a snapshot and its target.
#[derive(Debug)]
pub struct Restoration {
    source: Name,
    target: Box<dyn RestoreTarget>,
    selection: Selection,
}

impl Restoration {
    /// Restores `selection` of `source` to `target`.
    pub fn new(source: Name, target: Box<dyn RestoreTarget>, selection: Selection) -> Self {
        Self { source, target, selection }
    }
}

/// How a restore runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// How many threads fetch, decode and write in parallel.
    pub workers: usize,
    /// Where temporary files go.
    pub temp: PathBuf,
}

impl Default for RestoreOptions {
    /// A worker per processor, the system's folder for temporary files.
    fn default() -> Self {
        let run = crate::options::RunOptions::default();
        Self { workers: run.workers, temp: run.temp }
    }
}

/// Restores parts of `snapshot`, and returns a report for each, in the given order.
///
/// Existing data is not changed until everything is loaded. If something fails before that, all
/// targets are aborted and stay as they were.
pub async fn restore(
    snapshot: &Snapshot,
    restorations: Vec<Restoration>,
    options: &RestoreOptions,
    cx: &Context,
) -> Result<Vec<RestoreReport>> {
    let mut restorations = restorations;
    if let Err(error) = load_all(snapshot, &mut restorations, options, cx).await {
        // The last one first: it may be in a folder that the first one created.
        for restoration in restorations.into_iter().rev() {
            if let Err(abort) = restoration.target.abort().await {
                let source = restoration.source;
                tracing::warn!(%source, error = abort.chain(), "cannot remove what was loaded");
            }
        }
        return Err(error);
    }
    let mut reports: Vec<RestoreReport> = Vec::new();
    let mut rest = restorations.into_iter();
    while let Some(Restoration { source, target, .. }) = rest.next() {
        match target.finish(cx).await {
            Ok(report) => reports.push(report),
            Err(error) => {
                for later in rest {
                    // The first error matters more.
                    let _ = later.target.abort().await;
                }
                let placed =
                    reports.iter().flat_map(|r| &r.placed).map(|p| p.display().to_string());
                let placed: Vec<_> = placed.collect();
                let error = Error::new(
                    error.kind(),
                    "restore.finish",
                    format!("{source} was loaded but could not be moved to its place"),
                )
                .caused_by(error);
                return Err(if placed.is_empty() {
                    error
                } else {
                    error.with("already placed", placed.join(", "))
                });
            }
        }
    }
    Ok(reports)
}

async fn load_all(
    snapshot: &Snapshot,
    restorations: &mut [Restoration],
    options: &RestoreOptions,
    cx: &Context,
) -> Result<()> {
    if restorations.is_empty() {
        let message = format!("nothing of {}@{} was selected", snapshot.job(), snapshot.id());
        return Err(Error::new(ErrorKind::InvalidInput, "restore", message));
    }
    for restoration in &mut *restorations {
        restoration.target.prepare(snapshot, cx).await?;
    }
    let index = snapshot.index(&options.temp, cx).await?;
    for Restoration { source, target, selection } in restorations {
        let payload = snapshot.payload(&index, source, options.workers.clamp(1, MAX_WORKERS))?;
        let task = format!("{}: {source}", snapshot.job());
        let total_bytes = selection.is_all().then_some(payload.source().summary.bytes);
        let started = cx.now();
        cx.emit(Event::Started { task: task.clone(), total_bytes });
        target.load(payload, selection, cx).await?;
        cx.check("restore.load")?;
        cx.emit(Event::Finished { task, elapsed: cx.now().since(started) });
    }
    Ok(())
}
