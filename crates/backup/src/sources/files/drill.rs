//! Files: restored below a scratch folder, then read again and compared with what is stored.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use rustix::fs::{AtFlags, CWD, FileType as Kind, Mode, OFlags, Stat, openat, readlinkat, statat};
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};

use super::{
    archive::{EntryMeta, Parsed, Stored, parse_entry, parse_map},
    target::{FilesTarget, Folders},
};
use crate::{
    drill::{Drill, DrillPayload, Found, Scratch, panicked},
    format::index::{FileRecord, FileType, FrameRecord, Record},
    snapshot::PayloadReader,
};

/// The drill of files: the restored tree is read again and compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct FilesDrill;

#[async_trait]
impl Drill for FilesDrill {
    async fn run(&self, payload: DrillPayload<'_>, cx: &Context) -> Result<Found> {
        let scratch = Scratch::new(&payload.options.temp)?;
        let folder = scratch.path().join("files");
        let report = payload.restore(FilesTarget::to_folder(&folder), cx).await?;
        let (reader, cx) = (payload.reader(cx).await?, cx.clone());
        let comparing = tokio::task::spawn_blocking(move || {
            let mut found = Comparison::new(&folder)?.run(&reader, &cx)?;
            (found.bytes, found.notes) = (report.bytes, report.warnings);
            // Removing a large tree takes its time as well.
            drop(scratch);
            Ok(found)
        });
        comparing.await.map_err(panicked)?
    }
}

/// The restored tree, compared entry by entry with the payload that it came from.
struct Comparison {
    folders: Folders,
    /// The file whose contents continue in the next frames.
    open: Option<Contents>,
    found: Found,
    is_root: bool,
}

/// A file that is being compared.
struct Contents {
    record: FileRecord,
    file: File,
    stored: Stored,
    /// The offset of its data in the payload.
    data_at: u64,
}

impl Comparison {
    fn new(folder: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root: OwnedFd = openat(CWD, folder, flags, Mode::empty()).map_err(|e| {
            Error::io("drill", format!("cannot read {}", folder.display()), e.into())
        })?;
        Ok(Self {
            folders: Folders::new(Arc::new(root)),
            open: None,
            found: Found::default(),
            is_root: rustix::process::geteuid().is_root(),
        })
    }

    fn run(mut self, payload: &PayloadReader, cx: &Context) -> Result<Found> {
        let (mut decoder, mut plain) = (payload.decoder()?, Vec::new());
        let mut present: Option<FrameRecord> = None;
        for record in payload.records()? {
            match record? {
                Record::Frame(frame) => {
                    cx.check("drill")?;
                    decoder.decode(&frame, &payload.fetch_blocking(&frame)?, &mut plain)?;
                    cx.emit(Event::Advanced { bytes: frame.plain, items: 0 });
                    if let Some(open) = self.open.take_if(|open| open.end() > frame.plain_offset) {
                        self.contents(open, &plain, frame.plain_offset);
                    }
                    present = Some(frame);
                }
                Record::File(record) => {
                    let start = present.as_ref().map_or(0, |frame| frame.plain_offset);
                    self.entry(record, &plain, start)?;
                }
                _ => {}
            }
        }
        Ok(self.found)
    }

    /// Compares the entry of `record`, which begins in `plain`.
    fn entry(&mut self, record: FileRecord, plain: &[u8], start: u64) -> Result<()> {
        let at = record.at.checked_sub(start).and_then(|at| usize::try_from(at).ok());
        let entry = at.and_then(|at| plain.get(at..)).ok_or_else(|| damaged(&record))?;
        let parsed = parse_entry(entry)?.ok_or_else(|| damaged(&record))?;
        self.found.compared += u64::from(record.file_type != FileType::Directory);
        let (is_root, findings) = (self.is_root, &mut self.found.faults);
        let mut wrong = |what: String| findings.push(format!("/{}: {what}", record.path));
        let (folder, name) = self.folders.parent(&record.path.0)?;
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Reported by the restore: only root can create devices.
            Err(_) if is_device(record.file_type) && !is_root => return Ok(()),
            Err(_) => {
                wrong("it was not restored".to_owned());
                return Ok(());
            }
        };
        compare_metadata(&parsed.meta, &stat, is_root, &mut wrong);
        if let Some(target) = &record.link
            && record.file_type == FileType::Symlink
            && readlinkat(folder, name, Vec::new()).ok().is_none_or(|to| to.as_bytes() != target.0)
        {
            wrong("the link has a different target".to_owned());
        }
        if record.file_type != FileType::File {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(folder, name, flags, Mode::empty()) {
            Ok(file) => {
                let body = &entry[parsed.headers as usize..];
                let contents = Contents::new(record, file.into(), &parsed, body)?;
                self.contents(contents, plain, start);
            }
            // A file without read permission is restored as it was.
            Err(error) if !is_root => {
                let why = std::io::Error::from(error);
                self.found.notes.push(format!("/{} could not be compared: {why}", record.path));
            }
            Err(error) => wrong(format!("it cannot be read: {}", std::io::Error::from(error))),
        }
        Ok(())
    }

    /// Compares the part of a file in `plain`, and keeps it open if it continues.
    fn contents(&mut self, contents: Contents, plain: &[u8], start: u64) {
        if !contents.is_same(plain, start) {
            self.found.faults.push(format!("/{}: its contents differ", contents.record.path));
        } else if contents.end() > start + plain.len() as u64 {
            self.open = Some(contents);
        }
    }
}

impl Contents {
    fn new(record: FileRecord, file: File, parsed: &Parsed, body: &[u8]) -> Result<Self> {
        let (extents, map) = if parsed.is_sparse {
            let stored = usize::try_from(parsed.stored).unwrap_or(usize::MAX).min(body.len());
            parse_map(parsed, &body[..stored])?
        } else {
            (vec![super::archive::Extent { offset: 0, len: parsed.meta.size }], 0)
        };
        let data_at = record.at + parsed.headers + map;
        Ok(Self { record, file, stored: Stored::new(&extents), data_at })
    }

    fn end(&self) -> u64 {
        self.data_at + self.stored.len()
    }

    /// Whether the file has the same bytes as `plain`, which begins at `start` in the payload.
    fn is_same(&self, plain: &[u8], start: u64) -> bool {
        let end = start + plain.len() as u64;
        let (from, to) = (start.max(self.data_at).min(end), end.min(self.end()));
        if from >= to {
            return true;
        }
        let mut bytes = &plain[(from - start) as usize..(to - start) as usize];
        let mut restored = Vec::new();
        self.stored.range(from - self.data_at, to - self.data_at).all(|extent| {
            let (part, rest) = bytes.split_at(extent.len as usize);
            bytes = rest;
            restored.resize(part.len(), 0);
            self.file.read_exact_at(&mut restored, extent.offset).is_ok() && restored == part
        })
    }
}

fn compare_metadata(meta: &EntryMeta, stat: &Stat, is_root: bool, wrong: &mut impl FnMut(String)) {
    let kind = match meta.file_type {
        FileType::File | FileType::Hardlink => Kind::RegularFile,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::CharDevice => Kind::CharacterDevice,
        FileType::BlockDevice => Kind::BlockDevice,
    };
    let found = Kind::from_raw_mode(stat.st_mode);
    // A hard link may be one of anything except a folder.
    if found != kind && meta.file_type != FileType::Hardlink {
        return wrong(format!("it is a {found:?}, not a {kind:?}"));
    }
    if meta.file_type == FileType::Hardlink {
        return;
    }
    if meta.file_type == FileType::File && u64::try_from(stat.st_size) != Ok(meta.size) {
        wrong(format!("it has {} bytes instead of {}", stat.st_size, meta.size));
    }
    // If not root, the setuid and setgid bits may be lost.
    let mask = if is_root { 0o7777 } else { 0o777 };
    if meta.file_type != FileType::Symlink && (stat.st_mode ^ meta.mode) & mask != 0 {
        wrong(format!("its mode is {:o} instead of {:o}", stat.st_mode & mask, meta.mode & mask));
    }
    if stat.st_mtime != meta.mtime {
        wrong("its modification time differs".to_owned());
    }
    let owner = (u64::from(stat.st_uid), u64::from(stat.st_gid));
    if is_root && owner != (meta.uid, meta.gid) {
        let (uid, gid) = owner;
        wrong(format!("it belongs to {uid}:{gid} instead of {}:{}", meta.uid, meta.gid));
    }
}

fn is_device(kind: FileType) -> bool {
    matches!(kind, FileType::CharDevice | FileType::BlockDevice)
}

fn damaged(record: &FileRecord) -> Error {
    let message = format!("{} is not at the offset in the index", record.path);
    Error::new(ErrorKind::Damaged, "drill", message)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use seaworthy_core::Name;

    use super::*;
    use crate::{
        drill::DrillOptions, format::HostId, run::BackupJob, sinks::MemorySink,
        sources::FilesSource,
    };

    /// Every difference that a wrong restore could make is found.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_differs_from_the_payload_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir_all(data.join("sub")).unwrap();
        for name in ["same", "longer", "other", "gone", "mode", "time"] {
            fs::write(data.join(name), name).unwrap();
        }
        fs::write(data.join("large"), vec![7; 9 << 20]).unwrap();
        std::os::unix::fs::symlink("here", data.join("link")).unwrap();
        let sink = Arc::new(MemorySink::new());
        let name = Name::new("data").unwrap();
        let source = Arc::new(FilesSource::new([&data]).unwrap());
        let job = BackupJob::new(Name::new("job").unwrap(), HostId::from_machine_id("x"), sink)
            .source(name.clone(), source);
        let cx = Context::new();
        let report = job.run(&cx).await.unwrap();
        let snapshot = job.repository().open(&report.id).await.unwrap();
        let options = DrillOptions { workers: 2, temp: folder.path().to_owned() };
        let payload =
            DrillPayload { snapshot: &snapshot, source: &name, checks: &[], options: &options };
        let whole = FilesDrill.run(payload, &cx).await.unwrap();
        assert_eq!(whole.faults.into_vec(), [""; 0]);

        let out = folder.path().join("out");
        payload.restore(FilesTarget::to_folder(&out), &cx).await.unwrap();
        let at = |name: &str| out.join(data.strip_prefix("/").unwrap()).join(name);
        let time = fs::metadata(at("other")).unwrap().modified().unwrap();
        let rewrite = |name: &str, bytes: &[u8]| {
            fs::write(at(name), bytes).unwrap();
            fs::File::open(at(name)).unwrap().set_modified(time).unwrap();
        };
        rewrite("longer", b"longer!");
        rewrite("other", b"OTHER");
        let mut large = vec![7; 9 << 20];
        large[8 << 20] = 8;
        rewrite("large", &large);
        fs::remove_file(at("gone")).unwrap();
        fs::set_permissions(at("mode"), std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
        fs::File::open(at("time")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::remove_file(at("link")).unwrap();
        std::os::unix::fs::symlink("there", at("link")).unwrap();

        let index = snapshot.index(folder.path(), &cx).await.unwrap();
        let payload = snapshot.payload(&index, &name, 2).unwrap();
        let found = tokio::task::spawn_blocking(move || {
            Comparison::new(&out).unwrap().run(&payload, &Context::new()).unwrap()
        });
        let findings = found.await.unwrap().faults.into_vec().join("\n");
        for words in [
            "/longer: it has 7 bytes instead of 6",
            "/other: its contents differ",
            "/large: its contents differ",
            "/gone: it was not restored",
            "/mode: its mode is 777",
            "/time: its modification time differs",
            "/link: the link has a different target",
        ] {
            assert!(findings.contains(words), "no {words:?} in {findings}");
        }
        assert!(!findings.contains("/same"), "{findings}");
    }
}
