//! Rendered configuration: files that record which part of the model they came from.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;

use crate::{Context, Error, ErrorKind, Result};

/// Turns a model into files. Pure: the same model gives the same bytes.
pub trait ConfigRenderer: Debug + Send + Sync {
    /// What is rendered.
    type Model;

    /// The files of `model`.
    fn render(&self, model: &Self::Model) -> Result<FileSet>;
}

/// Brings staged files to life. [`apply`](crate::apply) calls the first three in this order, and the
/// fourth when one of them fails; each must be safe to call again.
#[async_trait]
pub trait Installer: Debug + Send + Sync {
    /// Checks whether the program accepts the staged files, which are not live yet.
    async fn check(&self, staged: &StagedFiles, cx: &Context) -> Result<()>;

    /// Makes the program read the files, which are live now. An empty set means that none of our
    /// configuration is left.
    async fn activate(&self, staged: &StagedFiles, cx: &Context) -> Result<()>;

    /// Checks that the program really works with them.
    async fn prove(&self, staged: &StagedFiles, cx: &Context) -> Result<()>;

    /// Makes the program read the files from before, which are live again, because `failure` came
    /// about with the new ones. An empty set means that there was nothing before.
    async fn reactivate(&self, before: &StagedFiles, failure: &Error, cx: &Context) -> Result<()> {
        let _ = failure;
        self.activate(before, cx).await
    }
}

/// A part of the model, written as in the file: `site.api.routes[0].csp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// The part at `path`.
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into().into())
    }

    /// The part `field` of this part.
    #[must_use]
    pub fn field(&self, field: impl fmt::Display) -> Self {
        match &*self.0 {
            "" => Self::new(field.to_string()),
            path => Self::new(format!("{path}.{field}")),
        }
    }

    /// The element `index` of this list, from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self::new(format!("{}[{index}]", self.0))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Origin {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for Origin {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl From<&Self> for Origin {
    fn from(origin: &Self) -> Self {
        origin.clone()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One file to install.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenderedFile {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
    /// Where the whole file comes from.
    pub origin: Origin,
    /// Where its lines come from: each entry holds from that line, counted from 1, to the next.
    pub lines: BTreeMap<usize, Origin>,
}

impl RenderedFile {
    /// A file that everybody may read (0644).
    pub fn new(bytes: impl Into<Vec<u8>>, origin: Origin) -> Self {
        Self { bytes: bytes.into(), mode: 0o644, origin, lines: BTreeMap::new() }
    }

    /// The same file with other permission bits.
    #[must_use]
    pub fn with_mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// The same file, with the origin of its lines.
    #[must_use]
    pub fn with_lines(self, lines: BTreeMap<usize, Origin>) -> Self {
        Self { lines, ..self }
    }

    /// Where `line`, counted from 1, comes from.
    pub fn origin_of_line(&self, line: usize) -> &Origin {
        self.lines.range(..=line).next_back().map_or(&self.origin, |(_, origin)| origin)
    }
}

/// Files by their relative path, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSet(BTreeMap<String, RenderedFile>);

impl FileSet {
    /// No file yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `file` at `path`, a relative path with `/` between its parts. Fails if the path could
    /// leave the folder, names a hidden file or is taken.
    pub fn insert(&mut self, path: impl Into<String>, file: RenderedFile) -> Result<()> {
        let path = path.into();
        let fail = |kind, message| Err(Error::new(kind, "render", message));
        let plain = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && !part.contains(char::is_control)
        };
        if !path.split('/').all(plain) {
            return fail(
                ErrorKind::InvalidInput,
                format!("{path:?} is not a relative path of visible files"),
            );
        }
        if self.0.contains_key(&path) {
            return fail(ErrorKind::AlreadyExists, format!("{path} is rendered twice"));
        }
        self.0.insert(path, file);
        Ok(())
    }

    /// The file at `path`.
    pub fn get(&self, path: &str) -> Option<&RenderedFile> {
        self.0.get(path)
    }

    /// All files with their paths, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RenderedFile)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them all below `folder`, which must not exist, so that they can be inspected.
    pub fn write_to(&self, folder: &Path) -> Result<()> {
        let fail = |path: &Path| {
            let message = format!("cannot write {}", path.display());
            move |e: std::io::Error| Error::io("render.write", message, e)
        };
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(fail(parent))?;
        }
        fs::create_dir(folder).map_err(fail(folder))?;
        for (path, file) in self.iter() {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(fail(parent))?;
            }
            crate::durable::write_file(&path, &file.bytes, file.mode)?;
        }
        Ok(())
    }
}

/// Files on disk, in a folder of their own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StagedFiles {
    /// The folder that holds them, such as `/etc/nginx/seaworthy/20261122T023000Z-0f3a9c`.
    pub folder: PathBuf,
    /// The link that leads to them once they are live, such as `/etc/nginx/seaworthy/current`.
    pub link: PathBuf,
    /// The files. Those of an earlier generation do not have their origin.
    pub files: FileSet,
}

impl StagedFiles {
    /// The files `files` in `folder`, live through `link`.
    pub fn new(folder: impl Into<PathBuf>, link: impl Into<PathBuf>, files: FileSet) -> Self {
        Self { folder: folder.into(), link: link.into(), files }
    }

    /// Which part of the model `line` of the file at `path` comes from, where `path` is one of
    /// these files in its folder or behind the link.
    pub fn blame(&self, path: &Path, line: usize) -> Option<&Origin> {
        let inner =
            path.strip_prefix(&self.folder).or_else(|_| path.strip_prefix(&self.link)).ok()?;
        Some(self.files.get(inner.to_str()?)?.origin_of_line(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_refuses_paths_that_leave_it_and_doubles() {
        let mut set = FileSet::new();
        let file = || RenderedFile::new("x", Origin::new("proxy"));
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a/.b", "a\nb"] {
            assert!(set.insert(bad, file()).is_err(), "{bad:?}");
        }
        set.insert("conf.d/a.conf", file()).unwrap();
        let error = set.insert("conf.d/a.conf", file()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_line_is_blamed_on_the_nearest_origin_above_it() {
        let site = Origin::new("site.api");
        let route = site.field("routes").index(0);
        let mut set = FileSet::new();
        let lines = BTreeMap::from([(3, route.clone())]);
        set.insert("a.conf", RenderedFile::new("1\n2\n3\n4\n", site.clone()).with_lines(lines))
            .unwrap();
        let staged = StagedFiles::new("/r/s/g1", "/r/s/current", set);
        assert_eq!(staged.blame(Path::new("/r/s/g1/a.conf"), 2), Some(&site));
        assert_eq!(staged.blame(Path::new("/r/s/current/a.conf"), 4), Some(&route));
        assert_eq!(staged.blame(Path::new("/r/nginx.conf"), 1), None);
        assert_eq!(route.to_string(), "site.api.routes[0]");
    }
}
