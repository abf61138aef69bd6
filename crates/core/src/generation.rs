//! Generations: folders of rendered files side by side, and the record of what was written.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Context, Error, ErrorKind, FileSet, Origin, Place, RenderedFile, Result, StagedFiles, Timestamp,
};

/// The record in each generation, hidden from the programs that read the files.
const RECORD: &str = ".seaworthy.json";
/// Marks a folder as ours.
const MARKER: &str = ".seaworthy";
const MARKER_TEXT: &[u8] = b"Seaworthy keeps its rendered files here. Edits are lost.\n";
/// The link to the files that are live.
const CURRENT: &str = "current";
/// The link to the newest files that were proved to work.
const GOOD: &str = "last-good";

/// A folder that holds generations of rendered files, and the links `current` and `last-good`.
#[derive(Clone, Debug)]
pub struct Generations {
    base: PathBuf,
}

/// What was written, so that later edits can be detected.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    files: BTreeMap<String, Written>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    mode: u32,
    origin: String,
    content: String,
}

/// How a file on disk differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change {
    /// It is only in the new set.
    Added,
    /// It is only in the old set.
    Removed,
    /// Its bytes or its mode differ.
    Changed,
}

impl Generations {
    /// The generations below `base`, such as `/etc/nginx/seaworthy`. Changes nothing on disk.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }

    /// The folder that holds them.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The link to the files that are live.
    pub fn link(&self) -> PathBuf {
        self.base.join(CURRENT)
    }

    /// The files that are live, as they were written; `None` when there are none.
    pub fn current(&self) -> Result<Option<StagedFiles>> {
        self.staged(CURRENT)
    }

    /// The newest files that were proved to work.
    pub fn last_good(&self) -> Result<Option<StagedFiles>> {
        self.staged(GOOD)
    }

    /// Which of the live files are no longer as they were written, because somebody edited them.
    pub fn drift(&self) -> Result<Vec<(String, Change)>> {
        let Some(staged) = self.current()? else { return Ok(Vec::new()) };
        Ok(compare(&staged.files, &read_folder(&staged.folder)?))
    }

    /// How `files` differ from the live files on disk.
    pub fn diff(&self, files: &FileSet) -> Result<Vec<(String, Change)>> {
        let old = match self.current()? {
            Some(staged) => read_folder(&staged.folder)?,
            None => FileSet::new(),
        };
        Ok(compare(&old, files))
    }

    fn staged(&self, link: &str) -> Result<Option<StagedFiles>> {
        let Some(name) = self.target(link)? else { return Ok(None) };
        let folder = self.base.join(name);
        let path = folder.join(RECORD);
        let bytes = fs::read(&path)
            .map_err(|e| Error::io("apply.read", format!("cannot read {}", path.display()), e))?;
        let damaged = |message: String| Error::new(ErrorKind::Damaged, "apply.read", message);
        let record: Record = serde_json::from_slice(&bytes)
            .map_err(|e| damaged(format!("{} is damaged", path.display())).caused_by(e))?;
        if record.format != 1 {
            let message = format!("{} has format {}", path.display(), record.format);
            return Err(Error::new(ErrorKind::NewerFormat, "apply.read", message)
                .remedy_is("use the newer version of Seaworthy that wrote it"));
        }
        let mut files = FileSet::new();
        for (path, written) in record.files {
            let file = RenderedFile::new(written.content, Origin::new(written.origin));
            files.insert(path, file.with_mode(written.mode))?;
        }
        Ok(Some(StagedFiles::new(folder, self.link(), files)))
    }

    /// The name of the generation that `link` leads to.
    fn target(&self, link: &str) -> Result<Option<String>> {
        let path = self.base.join(link);
        let not_ours = || {
            Error::new(
                ErrorKind::AlreadyExists,
                "apply",
                format!("{} is not a link that Seaworthy made", path.display()),
            )
            .remedy_is("move it away: it will not be overwritten")
        };
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => {
                return Err(Error::io(
                    "apply",
                    format!("cannot read the status of {}", path.display()),
                    e,
                ));
            }
            Ok(metadata) if !metadata.is_symlink() => return Err(not_ours()),
            Ok(_) => {}
        }
        let target = fs::read_link(&path).map_err(|_| not_ours())?;
        let name = target.to_str().filter(|name| is_generation(name)).ok_or_else(not_ours)?;
        Ok(Some(name.to_owned()))
    }

    /// Creates the folder, or makes sure that it is ours.
    pub(crate) fn claim(&self) -> Result<()> {
        let fail =
            |e: io::Error| Error::io("apply", format!("cannot create {}", self.base.display()), e);
        let marker = self.base.join(MARKER);
        if marker.exists() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o755).create(&self.base).map_err(fail)?;
        // A crash before the marker exists leaves its half-written copy.
        let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(MARKER);
        for entry in fs::read_dir(&self.base).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if !ours(&entry.file_name()) {
                return Err(Error::new(
                    ErrorKind::NotEmpty,
                    "apply",
                    format!("{} has files that Seaworthy did not write", self.base.display()),
                )
                .with("file", entry.path().display())
                .remedy_is("move them away: they will not be overwritten"));
            }
        }
        crate::durable::write_file(&marker, MARKER_TEXT, 0o644)
    }

    /// Writes `files` into a new folder, durably.
    pub(crate) fn stage(&self, files: FileSet, now: Timestamp) -> Result<StagedFiles> {
        let fail = |path: &Path| {
            let message = format!("cannot write {}", path.display());
            move |e: io::Error| Error::io("apply.stage", message, e)
        };
        let mut random = [0; 3];
        getrandom::fill(&mut random)
            .map_err(|e| Error::io("apply.stage", "no randomness", io::Error::other(e)))?;
        let [a, b, c] = random;
        let folder = self.base.join(format!("{}-{a:02x}{b:02x}{c:02x}", now.compact()));
        DirBuilder::new().mode(0o755).create(&folder).map_err(fail(&folder))?;
        let mut folders = std::collections::BTreeSet::from([folder.clone()]);
        let mut record = Record { format: 1, files: BTreeMap::new() };
        for (path, file) in files.iter() {
            let content = String::from_utf8(file.bytes.clone()).map_err(|_| {
                Error::new(ErrorKind::InvalidInput, "apply.stage", format!("{path} is not text"))
            })?;
            let origin = file.origin.to_string();
            record.files.insert(path.to_owned(), Written { mode: file.mode, origin, content });
            let path = folder.join(path);
            for parent in path.ancestors().skip(1).take_while(|p| **p != *folder) {
                folders.insert(parent.to_owned());
            }
            if let Some(parent) = path.parent() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o755)
                    .create(parent)
                    .map_err(fail(parent))?;
            }
            write_new(&path, &file.bytes, file.mode).map_err(fail(&path))?;
        }
        let path = folder.join(RECORD);
        let bytes = serde_json::to_vec(&record)
            .map_err(|e| Error::new(ErrorKind::Internal, "apply.stage", e.to_string()))?;
        write_new(&path, &bytes, 0o600).map_err(fail(&path))?;
        for folder in folders {
            crate::durable::sync_folder(&folder)?;
        }
        crate::durable::sync_folder(&self.base)?;
        Ok(StagedFiles::new(folder, self.link(), files))
    }

    /// Makes `staged` live, or nothing. After a crash the link leads to the old or the new files.
    pub(crate) fn make_current(&self, staged: Option<&StagedFiles>) -> Result<()> {
        self.point(CURRENT, staged)
    }

    /// Remembers that `staged` works, or that nothing does.
    pub(crate) fn make_good(&self, staged: Option<&StagedFiles>) -> Result<()> {
        self.point(GOOD, staged)
    }

    fn point(&self, link: &str, staged: Option<&StagedFiles>) -> Result<()> {
        // Refuses to replace anything except a link of ours.
        self.target(link)?;
        let path = self.base.join(link);
        let name = staged.map(|staged| staged.folder.file_name().unwrap_or_default());
        crate::durable::swap_link(&path, name.map(Path::new))
            .map_err(|e| Error::io("apply.swap", format!("cannot set {}", path.display()), e))
    }

    /// Removes every generation except those in `keep`.
    pub(crate) fn prune(&self, keep: &[&StagedFiles]) -> Result<()> {
        let fail = |e: io::Error| {
            Error::io("apply.prune", format!("cannot tidy {}", self.base.display()), e)
        };
        for entry in fs::read_dir(&self.base).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let ours = path.file_name().and_then(|name| name.to_str()).is_some_and(is_generation);
            if ours && path.is_dir() && keep.iter().all(|staged| staged.folder != path) {
                fs::remove_dir_all(&path).map_err(fail)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Place for Generations {
    fn link(&self) -> PathBuf {
        Self::link(self)
    }

    async fn swap(&self, staged: Option<&StagedFiles>, _: &Context) -> Result<()> {
        self.make_current(staged)
    }
}

/// How `new` differs from `old`, sorted by path. Origins do not count.
pub(crate) fn compare(old: &FileSet, new: &FileSet) -> Vec<(String, Change)> {
    let mut found = BTreeMap::new();
    for (path, file) in old.iter() {
        match new.get(path) {
            None => {
                found.insert(path.to_owned(), Change::Removed);
            }
            Some(other) if other.bytes != file.bytes || other.mode != file.mode => {
                found.insert(path.to_owned(), Change::Changed);
            }
            Some(_) => {}
        }
    }
    for (path, _) in new.iter().filter(|(path, _)| old.get(path).is_none()) {
        found.insert(path.to_owned(), Change::Added);
    }
    found.into_iter().collect()
}

/// The visible files below `folder` as they are now.
fn read_folder(folder: &Path) -> Result<FileSet> {
    let fail = |path: &Path| {
        let message = format!("cannot read {}", path.display());
        move |e: io::Error| Error::io("apply.read", message, e)
    };
    let mut files = FileSet::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).map_err(fail(&next))? {
            let path = entry.map_err(fail(&next))?.path();
            let metadata = fs::metadata(&path).map_err(fail(&path))?;
            let inner = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                continue;
            }
            if metadata.is_dir() {
                waiting.push(path);
            } else {
                let bytes = fs::read(&path).map_err(fail(&path))?;
                let file = RenderedFile::new(bytes, Origin::default());
                files.insert(inner, file.with_mode(metadata.permissions().mode() & 0o7777))?;
            }
        }
    }
    Ok(files)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    // The umask must not decide what the programs may read.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    File::sync_all(&file)
}

/// `YYYYMMDDTHHMMSSZ-xxxxxx`: nothing else in the folder is ever removed.
fn is_generation(name: &str) -> bool {
    name.split_once('-').is_some_and(|(time, random)| {
        Timestamp::from_compact(time).is_ok()
            && random.len() == 6
            && random.bytes().all(|c| c.is_ascii_hexdigit())
    })
}
