//! Removing old rotated logs, and nothing else.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use seaworthy_core::{Context, Error, Result, Span, TimeZone, Timestamp};
use serde::Serialize;

use crate::{
    evidence,
    rotated::{RotatedName, files_in},
};

/// Removes rotated logs that are older than a span.
///
/// Only files whose name says that they were rotated and whose content is a log's are removed, by the
/// time of their last change. Never removed: a log that is not rotated, the newest of a family whose
/// names all have dates, and a file that any process has open for writing.
///
/// ```no_run
/// use seaworthy_core::{Context, Span};
/// use seaworthy_log_view::Clean;
/// let report = Clean::older_than(Span::days(7)).dry_run(true).run(&["/var/log/nginx".into()], &Context::new())?;
/// println!("{} bytes would be free", report.freed_bytes);
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Clean {
    older_than: Span,
    dry_run: bool,
}

/// The result of cleaning.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct CleanReport {
    /// Whether this was a dry run: nothing was removed.
    pub dry_run: bool,
    /// What was removed, or would be.
    pub removed: Vec<RemovedLog>,
    /// What was kept, and why.
    pub kept: Vec<KeptLog>,
    /// What could not be removed, and why.
    pub failed: Vec<FailedLog>,
    /// How many bytes were freed, or would be.
    pub freed_bytes: u64,
    /// Whether the open files of some processes could not be read: run as root to read them all.
    pub unseen_processes: bool,
}

/// A log that was removed, or would be.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct RemovedLog {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// A log that was kept.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct KeptLog {
    /// Its path.
    pub path: PathBuf,
    /// Why it was kept.
    pub reason: KeptBecause,
}

/// Why a log was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeptBecause {
    /// It is not rotated: it is the one being written.
    NotRotated,
    /// It is the newest of the logs with the same base name.
    Newest,
    /// A process has it open for writing.
    BeingWritten,
    /// It is not old enough.
    Young,
    /// Its content does not look like a log, or cannot be read.
    NotALog,
}

impl std::fmt::Display for KeptBecause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotRotated => "not rotated",
            Self::Newest => "the newest of its kind",
            Self::BeingWritten => "open for writing",
            Self::Young => "not old enough",
            Self::NotALog => "does not look like a log",
        })
    }
}

/// A log that could not be removed.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct FailedLog {
    /// Its path.
    pub path: PathBuf,
    /// What went wrong.
    pub error: String,
}

/// A file that may be a log, and what its name says.
struct Candidate {
    path: PathBuf,
    rotated: Option<RotatedName>,
}

impl Clean {
    /// Removes logs that were last changed more than `span` ago.
    pub fn older_than(span: Span) -> Self {
        Self { older_than: span, dry_run: false }
    }

    /// Whether this is a dry run: nothing is removed, the report says what would be.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Cleans folders, with everything below them, and the rotated predecessors of log files.
    ///
    /// # Errors
    /// Fails with the operating system's error for a folder that cannot be read. A file that cannot
    /// be removed is named in the report.
    pub fn run(&self, places: &[PathBuf], cx: &Context) -> Result<CleanReport> {
        let mut report = CleanReport { dry_run: self.dry_run, ..CleanReport::default() };
        let before = cx.now().minus(self.older_than, &TimeZone::utc());
        let mut due = Vec::new();
        for family in families(places, cx)?.into_values() {
            self.choose(family, before, &mut due, &mut report)?;
        }
        if due.is_empty() {
            return Ok(report);
        }
        let (written, unseen) = open_for_writing();
        report.unseen_processes = unseen;
        due.sort_by(|(a, _), (b, _)| a.cmp(b));
        due.dedup_by(|(a, _), (b, _)| a == b);
        for (path, metadata) in due {
            cx.check("logs.clean")?;
            if written.contains(&(metadata.dev(), metadata.ino())) {
                report.keep(path, KeptBecause::BeingWritten);
            } else {
                self.remove(path, &metadata, &mut report);
            }
        }
        Ok(report)
    }

    /// Sorts one family into what is due and what stays.
    fn choose(
        &self,
        family: Vec<Candidate>,
        before: Timestamp,
        due: &mut Vec<(PathBuf, Metadata)>,
        report: &mut CleanReport,
    ) -> Result<()> {
        let has_unrotated = family.iter().any(|one| one.rotated.is_none());
        let order = |one: &Candidate| one.rotated.as_ref().map(|rotated| rotated.order);
        let newest = family.iter().filter_map(order).max();
        for one in family {
            let Ok(metadata) = fs::symlink_metadata(&one.path) else { continue };
            let modified: Timestamp = metadata.modified().map_or(Timestamp::UNIX_EPOCH, Into::into);
            let reason = if one.rotated.is_none() {
                KeptBecause::NotRotated
            } else if !has_unrotated && order(&one) == newest {
                KeptBecause::Newest
            } else if modified >= before {
                KeptBecause::Young
            } else if !evidence::is_log(&one.path, one.rotated.as_ref()) {
                KeptBecause::NotALog
            } else {
                due.push((one.path, metadata));
                continue;
            };
            report.keep(one.path, reason);
        }
        Ok(())
    }

    fn remove(&self, path: PathBuf, seen: &Metadata, report: &mut CleanReport) {
        let unchanged = |now: &Metadata| {
            (now.dev(), now.ino(), now.mtime(), now.mtime_nsec(), now.len())
                == (seen.dev(), seen.ino(), seen.mtime(), seen.mtime_nsec(), seen.len())
        };
        match fs::symlink_metadata(&path) {
            Ok(now) if !unchanged(&now) => return report.keep(path, KeptBecause::BeingWritten),
            Ok(_) => {}
            // Another process removed it first.
            Err(_) => return,
        }
        if !self.dry_run
            && let Err(e) = fs::remove_file(&path)
        {
            return report.failed.push(FailedLog { path, error: e.to_string() });
        }
        let modified = seen.modified().map_or(Timestamp::UNIX_EPOCH, Into::into);
        // The space is freed when the last hard link is removed.
        report.freed_bytes += if seen.nlink() > 1 { 0 } else { seen.blocks() * 512 };
        report.removed.push(RemovedLog { path, bytes: seen.len(), modified });
    }
}

impl CleanReport {
    fn keep(&mut self, path: PathBuf, reason: KeptBecause) {
        self.kept.push(KeptLog { path, reason });
    }
}

/// Everything in these places that may be a log, by folder and family.
fn families(
    places: &[PathBuf],
    cx: &Context,
) -> Result<BTreeMap<(PathBuf, String), Vec<Candidate>>> {
    let mut families: BTreeMap<_, Vec<Candidate>> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut add = |path: PathBuf| {
        let rotated = RotatedName::of(&path);
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let folder = path.parent().map(Path::to_owned);
        let (Some(name), Some(folder)) = (name, folder) else { return };
        let family = rotated.as_ref().map_or(name, |rotated| rotated.family.clone());
        if seen.insert(path.clone()) {
            families.entry((folder, family)).or_default().push(Candidate { path, rotated });
        }
    };
    for place in places {
        let fail = |e| Error::io("logs.clean", format!("cannot read {}", place.display()), e);
        let place = std::path::absolute(place).map_err(fail)?;
        if !fs::metadata(&place).map_err(fail)?.is_dir() {
            // The whole family, so that the newest of it is known.
            let folder = place.parent().unwrap_or(Path::new("/"));
            let family = |path: &Path| {
                let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
                RotatedName::of(path).map(|rotated| rotated.family).or(own)
            };
            let wanted = family(&place);
            files_in(folder)?.into_iter().filter(|file| family(file) == wanted).for_each(&mut add);
            continue;
        }
        let mut folders = vec![place];
        while let Some(folder) = folders.pop() {
            cx.check("logs.clean")?;
            files_in(&folder)?.into_iter().for_each(&mut add);
            let below = fs::read_dir(&folder).map_err(fail)?.filter_map(|entry| entry.ok());
            folders.extend(
                below.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()),
            );
        }
    }
    // Ignore a file that is neither rotated nor has rotated relatives.
    families.retain(|(_, family), files| {
        files.iter().any(|file| file.rotated.is_some()) || family.ends_with(".log")
    });
    Ok(families)
}

/// The files that any process has open for writing, by device and inode, and whether some processes
/// could not be inspected.
fn open_for_writing() -> (HashSet<(u64, u64)>, bool) {
    let mut written = HashSet::new();
    let mut unseen = false;
    let Ok(processes) = fs::read_dir("/proc") else { return (written, true) };
    for process in processes.filter_map(|entry| entry.ok()) {
        let name = process.file_name();
        if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
            // It may have ended by now, and then it writes nothing.
            unseen |= process.path().exists();
            continue;
        };
        for descriptor in descriptors.filter_map(|entry| entry.ok()) {
            let info = process.path().join("fdinfo").join(descriptor.file_name());
            let Ok(metadata) = fs::metadata(descriptor.path()) else { continue };
            if !metadata.is_file() {
                continue;
            }
            let info = fs::read_to_string(info).unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
            // The lowest two bits: 0 is read only. Unknown values count as writing.
            if flags.is_none_or(|flags| flags & 3 != 0) {
                written.insert((metadata.dev(), metadata.ino()));
            }
        }
    }
    (written, unseen)
}
