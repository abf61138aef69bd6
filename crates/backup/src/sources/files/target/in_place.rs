//! Restores files in place: loaded next to the originals, swapped in at the end.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, ErrorKind, Result};

use super::{
    plan::Place,
    swap::{self, Swap},
};
use crate::{
    format::index::PathBytes,
    restore::{RestoreReport, Selection, renames::Renames},
};

/// Replaces files and folders where they are.
#[derive(Debug)]
pub(super) struct InPlace {
    paths: Vec<PathBuf>,
    stamp: String,
    swaps: Vec<Swap>,
    is_partial: bool,
}

impl InPlace {
    pub(super) fn new(paths: Vec<PathBuf>, stamp: String) -> Self {
        Self { paths, stamp, swaps: Vec::new(), is_partial: false }
    }

    /// Fails if the paths cannot be replaced.
    pub(super) fn check(&self) -> Result<()> {
        let stamp_is_fine = !self.stamp.is_empty()
            && self.stamp.len() <= 64
            && self.stamp.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !stamp_is_fine {
            let message = format!("{:?} cannot be part of a file's name", self.stamp);
            return Err(Error::new(ErrorKind::InvalidInput, "restore", message));
        }
        for path in &self.paths {
            if !path.is_absolute() || path.file_name().is_none() {
                let message = format!("{} cannot be restored in place", path.display());
                return Err(Error::new(ErrorKind::InvalidInput, "restore", message)
                    .remedy_is("restore to a folder, and move the files from there"));
            }
        }
        Ok(())
    }

    /// Creates the staging folders next to what will be replaced.
    pub(super) fn open(&mut self, selection: &Selection) -> Result<Vec<Place>> {
        self.check()?;
        self.is_partial = !selection.is_all();
        let mut places = Vec::new();
        for (part, within) in self.parts(selection)? {
            let (parent, missing, name) = self.find(&part, &within)?;
            refuse_mounts_below(&parent, &missing, &name)?;
            let swap = Swap::begin(part.clone(), parent, missing, name, &self.stamp)?;
            places.push(swap.place()?);
            self.swaps.push(swap);
        }
        Ok(places)
    }

    /// What is replaced: names in the archive, each with the configured path that contains it; none
    /// within another.
    fn parts(&self, selection: &Selection) -> Result<Vec<(PathBytes, PathBytes)>> {
        let names: Vec<_> = self
            .paths
            .iter()
            .map(|path| PathBytes::from_path(path.strip_prefix("/").unwrap_or(path)))
            .collect();
        let mut parts = BTreeSet::new();
        for name in &names {
            if selection.contains(name) {
                parts.insert((name.clone(), name.clone()));
            }
            for wanted in selection.paths() {
                let trimmed = wanted.0.strip_suffix(b"/").unwrap_or(&wanted.0).to_vec();
                if wanted.is_within(&name.0) {
                    parts.insert((PathBytes(trimmed), name.clone()));
                }
            }
        }
        let inner = |part: &PathBytes| {
            parts.iter().any(|(outer, _)| outer != part && part.is_within(&outer.0))
        };
        let mut outer: Vec<_> = parts.iter().filter(|(part, _)| !inner(part)).cloned().collect();
        outer.dedup_by(|a, b| a.0 == b.0);
        if outer.is_empty() {
            let message = "none of the selected paths is part of the backup";
            let paths: Vec<_> = self.paths.iter().map(|p| p.display().to_string()).collect();
            return Err(Error::new(ErrorKind::NotFound, "restore", message)
                .remedy_is(format!("select something in {}", paths.join(", "))));
        }
        Ok(outer)
    }

    /// The parent folder of `part`, or the last existing one on the path and the missing names
    /// after it; and the last name.
    fn find(
        &self,
        part: &PathBytes,
        within: &PathBytes,
    ) -> Result<(PathBuf, Vec<Vec<u8>>, Vec<u8>)> {
        let live = Path::new("/").join(within.as_path());
        // A configured path that is a link means its target, as when it was read.
        let live = live.canonicalize().unwrap_or(live);
        let below = part.0.strip_prefix(&*within.0).unwrap_or_default();
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut start = live.clone();
        if below.is_empty() {
            let last = live.file_name().unwrap_or_default();
            names.push(last.as_encoded_bytes().to_vec());
            start.pop();
        }
        while fs::symlink_metadata(&start).is_err() {
            let Some(name) = start.file_name() else { break };
            names.insert(0, name.as_encoded_bytes().to_vec());
            start.pop();
        }
        let mut start = start.canonicalize().unwrap_or(start);
        names.extend(below.split(|b| *b == b'/').filter(|n| !n.is_empty()).map(<[u8]>::to_vec));
        let Some(last) = names.pop() else {
            return Err(Error::new(ErrorKind::Internal, "restore", "a path has no name"));
        };
        let mut missing = Vec::new();
        for name in names {
            let next = start.join(PathBytes(name.clone()).as_path());
            match fs::symlink_metadata(&next) {
                _ if !missing.is_empty() => missing.push(name),
                Ok(meta) if meta.is_dir() => start = next,
                Ok(_) => {
                    let message = format!("{} is in the way: it is not a folder", next.display());
                    return Err(Error::new(ErrorKind::AlreadyExists, "restore", message)
                        .remedy_is("move it away, or restore to a folder"));
                }
                Err(_) => missing.push(name),
            }
        }
        Ok((start, missing, last))
    }

    pub(super) fn finish(self, report: &mut RestoreReport) -> Result<()> {
        let Self { swaps, is_partial, .. } = self;
        let metas: Vec<_> = swaps.iter().map(Swap::metadata).collect();
        let mut done = Renames::default();
        let swapped = swap::all(&swaps, is_partial, &mut done, report);
        if let Err(error) = swapped {
            report.placed.clear();
            report.moved_aside.clear();
            let error = done.undo_after(error);
            for swap in &swaps {
                // The first error is the one that matters.
                let _ = swap.remove();
            }
            return Err(error);
        }
        swaps.iter().zip(metas).try_for_each(|(swap, meta)| swap.complete(meta, report))
    }

    pub(super) fn abort(self) -> Result<()> {
        self.swaps.iter().try_for_each(Swap::remove)
    }
}

/// Fails if a file system is mounted somewhere below what will be moved aside: it would be moved
/// along, and be back in its place after the next boot.
fn refuse_mounts_below(parent: &Path, missing: &[Vec<u8>], name: &[u8]) -> Result<()> {
    if !missing.is_empty() {
        return Ok(());
    }
    let live = parent.join(PathBytes(name.to_vec()).as_path());
    // Without /proc mounts are unknown; renaming a mount point itself still fails.
    let Ok(mounts) = fs::read("/proc/self/mountinfo") else { return Ok(()) };
    // proc_pid_mountinfo(5): the fifth field, with some characters as octal escapes.
    let lines = mounts.split(|byte| *byte == b'\n');
    let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescape);
    for point in points {
        if point.as_path() != live && point.as_path().starts_with(&live) {
            let message = format!(
                "{} cannot be replaced: another file system is mounted at {point}",
                live.display()
            );
            return Err(Error::new(ErrorKind::Unsupported, "restore", message).remedy_with(
                "unmount it first, or restore `to` a folder and move the files by hand",
                &["to"],
            ));
        }
    }
    Ok(())
}

/// A path as mountinfo writes it, with `\040` for a space.
fn unescape(text: &[u8]) -> PathBytes {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBytes(bytes)
}
