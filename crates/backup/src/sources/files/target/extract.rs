//! Workers that fetch frames and write their contents.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rustix::{
    fs::{FileType as Kind, Mode, OFlags, ftruncate, makedev, mkdirat, mknodat, openat, symlinkat},
    io::Errno,
};
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};

use super::{
    confine::{Folders, cannot, damaged},
    deferred::{Deferred, Waiting},
    large::{LargeFile, OpenFile},
    metadata::Metadata,
    plan::{Dest, Group, Plan, Scope, Wanted},
};
use crate::{
    format::index::FileType,
    snapshot::PayloadReader,
    sources::files::archive::{EntryMeta, Extent, Parsed, Stored, parse_entry, parse_map},
};

/// What the workers of a restore share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) scope: Arc<Scope>,
    plan: Mutex<Plan>,
    pub(super) metadata: Metadata,
    pub(super) deferred: Mutex<Deferred>,
    pub(super) reader: PayloadReader,
    cx: Context,
    stop: AtomicBool,
    pub(super) files: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl Shared {
    pub(super) fn new(scope: Scope, reader: PayloadReader, cx: &Context) -> Result<Self> {
        let temp = scope.places.first().map(|place| place.path.clone()).unwrap_or_default();
        let scope = Arc::new(scope);
        Ok(Self {
            plan: Mutex::new(Plan::new(scope.clone(), &reader)?),
            scope,
            metadata: Metadata::new(),
            deferred: Mutex::new(Deferred::new(&temp)),
            reader,
            cx: cx.clone(),
            stop: AtomicBool::new(false),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// The folders of each place, for one thread.
    pub(super) fn folders(&self) -> Vec<Folders> {
        self.scope.places.iter().map(|place| Folders::new(place.root.clone())).collect()
    }
}

/// Extracts until there are no more frames.
pub(super) fn work(shared: &Shared) -> Result<()> {
    let mut worker = Worker { shared, folders: shared.folders(), waiting: Vec::new() };
    let worked = worker.run();
    if worked.is_err() {
        shared.stop.store(true, Ordering::Relaxed);
    }
    worked
}

struct Worker<'s> {
    shared: &'s Shared,
    folders: Vec<Folders>,
    /// The deferred entries of the current frame.
    waiting: Vec<Waiting>,
}

/// Wakes those who wait for a file with an error if its first frame fails.
struct Heads(Vec<Arc<LargeFile>>);

impl Drop for Heads {
    fn drop(&mut self) {
        self.0.iter().for_each(|head| head.failed_unless_opened());
    }
}

impl Worker<'_> {
    fn run(&mut self) -> Result<()> {
        let shared = self.shared;
        let mut decoder = shared.reader.decoder()?;
        let mut plain = Vec::new();
        while !shared.stop.load(Ordering::Relaxed) {
            shared.cx.check("restore")?;
            let group = shared.plan.lock().unwrap_or_else(PoisonError::into_inner).next_group()?;
            let Some(group) = group else { break };
            let heads = Heads(group.wanted.iter().filter_map(|w| w.large.clone()).collect());
            let stored = shared.reader.fetch_blocking(&group.frame)?;
            decoder.decode(&group.frame, &stored, &mut plain)?;
            drop(stored);
            self.extract(&group, &plain)?;
            drop(heads);
            if !self.waiting.is_empty() {
                let mut deferred = shared.deferred.lock().unwrap_or_else(PoisonError::into_inner);
                deferred.push(group.number, &self.waiting)?;
                self.waiting.clear();
            }
        }
        Ok(())
    }

    fn extract(&mut self, group: &Group, plain: &[u8]) -> Result<()> {
        let (start, mut bytes, mut items) = (group.frame.plain_offset, 0, 0);
        for wanted in &group.wanted {
            items += 1;
            let entry = &plain[(wanted.record.at - start) as usize..];
            let parsed = parse_entry(entry)?.ok_or_else(|| damaged("headers are cut off"))?;
            let (at, len) = (wanted.record.at, parsed.len());
            if parsed.meta.record(at, len) != wanted.record {
                let path = &wanted.record.path;
                return Err(damaged(&format!("{path} differs from the index")));
            }
            let body = &entry[parsed.headers as usize..];
            match &wanted.large {
                Some(large) => {
                    let open = self.begin_large(wanted, parsed, body)?;
                    large.opened(open.clone());
                    self.write_large(&open, plain, start)?;
                }
                None => {
                    bytes += parsed.stored;
                    self.entry(parsed, body, &wanted.dest)?;
                }
            }
        }
        if let Some(large) = &group.continues {
            let open = large.wait()?;
            self.write_large(&open, plain, start)?;
        }
        self.shared.cx.emit(Event::Advanced { bytes, items });
        Ok(())
    }

    /// Extracts an entry that is completely in its frame; its stored data is at the beginning of
    /// `body`.
    fn entry(&mut self, parsed: Parsed, body: &[u8], dest: &Dest) -> Result<()> {
        let metadata = &self.shared.metadata;
        let meta = &parsed.meta;
        if meta.file_type == FileType::File {
            let file = self.create(meta, dest)?;
            let body =
                body.get(..parsed.stored as usize).ok_or_else(|| damaged("data is cut off"))?;
            write_small(&file, &parsed, body)?;
            metadata.apply(&file, meta)?;
            self.count(meta);
            return Ok(());
        }
        let (folder, name) = self.folders[dest.place].parent(&dest.path)?;
        let path = &meta.path.0;
        match meta.file_type {
            FileType::Directory => {
                match mkdirat(folder, name, Mode::RWXU) {
                    // Already created as the parent of something in it.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(cannot("make the folder", path, error)),
                }
                self.waiting.push(Waiting::new(parsed.meta, dest.place, dest.path.clone()));
                return Ok(());
            }
            FileType::Hardlink => {
                if meta.link.is_none() {
                    return Err(damaged("a link has no target"));
                }
                self.waiting.push(Waiting::new(parsed.meta, dest.place, dest.path.clone()));
                return Ok(());
            }
            FileType::Symlink => {
                let target = meta.link.as_ref().ok_or_else(|| damaged("a link has no target"))?;
                symlinkat(&*target.0, folder, name).map_err(|e| already("link", path, e))?;
            }
            FileType::Fifo | FileType::CharDevice | FileType::BlockDevice => {
                let kind = match meta.file_type {
                    FileType::Fifo => Kind::Fifo,
                    FileType::CharDevice => Kind::CharacterDevice,
                    _ => Kind::BlockDevice,
                };
                let device = makedev(meta.device.0, meta.device.1);
                match mknodat(folder, name, kind, Mode::RUSR | Mode::WUSR, device) {
                    Ok(()) => {}
                    Err(Errno::PERM) => {
                        let what = "a device was not restored, since only root can make one";
                        metadata.warnings.add(what, &meta.path);
                        return Ok(());
                    }
                    Err(error) => return Err(already("special file", path, error)),
                }
            }
            FileType::File => {}
        }
        metadata.apply_at(folder, name, meta)?;
        self.count(meta);
        Ok(())
    }

    fn create(&mut self, meta: &EntryMeta, dest: &Dest) -> Result<File> {
        let (folder, name) = self.folders[dest.place].parent(&dest.path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(folder, name, flags, Mode::RUSR | Mode::WUSR);
        file.map(File::from).map_err(|error| already("file", &meta.path.0, error))
    }

    fn begin_large(
        &mut self,
        wanted: &Wanted,
        parsed: Parsed,
        body: &[u8],
    ) -> Result<Arc<OpenFile>> {
        let (extents, map) = extents(&parsed, body)?;
        let file = self.create(&parsed.meta, &wanted.dest)?;
        let data_at = wanted.record.at + parsed.headers + map;
        Ok(Arc::new(OpenFile::new(file, parsed.meta, Stored::new(&extents), data_at)))
    }

    fn write_large(&self, open: &OpenFile, plain: &[u8], start: u64) -> Result<()> {
        if open.write(plain, start)? {
            self.shared.metadata.apply(&open.file, &open.meta)?;
            self.count(&open.meta);
        }
        self.shared.cx.emit(Event::Advanced { bytes: plain.len() as u64, items: 0 });
        Ok(())
    }

    fn count(&self, meta: &EntryMeta) {
        self.shared.files.fetch_add(1, Ordering::Relaxed);
        self.shared.bytes.fetch_add(meta.size, Ordering::Relaxed);
    }
}

/// The parts of a file that are stored, and how many bytes the map of them takes.
fn extents(parsed: &Parsed, body: &[u8]) -> Result<(Vec<Extent>, u64)> {
    if parsed.is_sparse {
        let stored = usize::try_from(parsed.stored).unwrap_or(usize::MAX).min(body.len());
        return parse_map(parsed, &body[..stored]);
    }
    Ok((vec![Extent { offset: 0, len: parsed.meta.size }], 0))
}

fn write_small(file: &File, parsed: &Parsed, body: &[u8]) -> Result<()> {
    let path = &parsed.meta.path;
    let fail = |error| Error::io("restore", format!("cannot write {path}"), error);
    if !parsed.is_sparse {
        return if body.is_empty() { Ok(()) } else { file.write_all_at(body, 0).map_err(fail) };
    }
    let (extents, map) = extents(parsed, body)?;
    let mut data = &body[map as usize..];
    for extent in extents {
        let (part, rest) = data.split_at(extent.len as usize);
        file.write_all_at(part, extent.offset).map_err(fail)?;
        data = rest;
    }
    ftruncate(file, parsed.meta.size).map_err(|error| cannot("set the size of", &path.0, error))
}

/// The name is free, since the target was empty.
fn already(what: &str, path: &[u8], error: Errno) -> Error {
    let failed = cannot(&format!("make the {what}"), path, error);
    match failed.kind() {
        ErrorKind::AlreadyExists => {
            damaged(&format!("{} is in it twice", super::confine::shown(path))).caused_by(failed)
        }
        _ => failed,
    }
}
