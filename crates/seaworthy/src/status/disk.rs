//! How full the disks with our folders are, and when they will be full.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use seaworthy_core::{ByteSize, Name};

use super::{
    DiskStatus, Finding, JobStatus, Severity,
    forecast::{DAYS, Forecast, full_in},
};
use crate::{
    Seaworthy,
    machine::{Room, nearest_that_exists, room},
};

/// A disk that will be full within this many days is critical.
const SOON: u64 = 3;
/// And within this many days, a warning.
const LATER: u64 = 14;
/// Less than this many bytes free is critical, whatever the forecast says: 1 GiB.
const LITTLE: u64 = 1 << 30;
/// The day whose growth is reported.
const MONTH: u16 = 30;

impl Seaworthy {
    /// How full the disks are. `forecasts` are those of the sinks, by name.
    pub(super) fn disk_states(
        &self,
        jobs: &[JobStatus],
        forecasts: &[(Name, Forecast)],
    ) -> (Vec<DiskStatus>, Vec<Finding>) {
        let mut disks: BTreeMap<u64, Disk> = BTreeMap::new();
        for (sink, folder) in self.used_folders() {
            let Some((device, there)) = device_of(&folder) else { continue };
            let disk = disks.entry(device).or_insert_with(|| Disk::new(there));
            if !disk.folders.contains(&folder) {
                disk.folders.push(folder);
            }
            let Some(sink) = sink else { continue };
            let sinks = jobs.iter().flat_map(|job| &job.sinks).filter(|of| of.sink == sink);
            disk.snapshots += sinks.map(|of| of.stored).sum::<u64>();
            for (_, Forecast(changes)) in forecasts.iter().filter(|(of, _)| *of == sink) {
                disk.add(changes);
            }
        }
        let (mut states, mut findings) = (Vec::new(), Vec::new());
        for disk in disks.into_values() {
            if let Some(state) = disk.state() {
                findings.extend(judge(&state));
                states.push(state);
            }
        }
        (states, findings)
    }

    /// The folders that we fill, with their sinks.
    fn used_folders(&self) -> Vec<(Option<Name>, PathBuf)> {
        let sinks = self.config.sink_folders();
        let sinks = sinks.map(|(name, folder)| (Some(name.clone()), folder.to_owned()));
        let mut all: Vec<_> = sinks.collect();
        all.push((None, self.state.path().to_owned()));
        if !self.config.certificate.is_empty() {
            let tls = self.config.tls.clone().unwrap_or_default();
            all.push((None, tls.store().to_owned()));
        }
        let temps = self.config.backup.iter().map(|(_, job)| (None, self.temp_of(job)));
        all.extend(temps);
        all
    }
}

/// A disk, while its data is collected.
struct Disk {
    /// An existing folder on it.
    there: PathBuf,
    folders: Vec<PathBuf>,
    snapshots: u64,
    changes: Option<Vec<i64>>,
}

impl Disk {
    fn new(there: PathBuf) -> Self {
        Self { there, folders: Vec::new(), snapshots: 0, changes: None }
    }

    /// Adds the changes of one more sink, as far as all forecasts reach.
    fn add(&mut self, changes: &[i64]) {
        self.changes = Some(match self.changes.take() {
            None => changes.to_vec(),
            Some(sum) => sum.iter().zip(changes).map(|(a, b)| a.saturating_add(*b)).collect(),
        });
    }

    fn state(self) -> Option<DiskStatus> {
        let Room { free, total } = room(&self.there).ok()?;
        let month = DAYS.iter().position(|day| *day == MONTH);
        let changes = self.changes.unwrap_or_default();
        Some(DiskStatus {
            folders: self.folders,
            total,
            free,
            snapshots: self.snapshots,
            growth: month.and_then(|at| changes.get(at)).copied(),
            full_in_days: full_in(&changes, free),
        })
    }
}

/// The disk of `folder`, or of its nearest existing parent.
fn device_of(folder: &Path) -> Option<(u64, PathBuf)> {
    let there = nearest_that_exists(folder);
    Some((std::fs::metadata(there).ok()?.dev(), there.to_owned()))
}

fn judge(disk: &DiskStatus) -> Option<Finding> {
    let subject = disk.folders.first().map(|folder| folder.display().to_string());
    let free = ByteSize::new(disk.free);
    let (severity, message) = match disk.full_in_days {
        Some(days) if days <= LATER => {
            let severity = if days <= SOON { Severity::Error } else { Severity::Warning };
            (severity, format!("{free} are free; snapshots fill that in {days} days"))
        }
        _ if disk.free < LITTLE => (Severity::Warning, format!("only {free} are free")),
        _ => return None,
    };
    let remedy =
        "keep fewer snapshots (`seaworthy prune --dry-run` says what goes), or a larger disk";
    Some(Finding::new(severity, "disk.full", subject.unwrap_or_default(), message).remedy(remedy))
}
