//! Where logs are read from.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use seaworthy_core::{Error, ErrorKind, Result};

use crate::{
    filter::Filter,
    journal::Journal,
    rotated::{self, RotatedName},
};

/// A log: a file, a file and its rotated predecessors, the journal, or anything that can be read.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    pub(crate) kind: Kind,
}

/// The kinds of sources.
#[derive(Clone)]
pub(crate) enum Kind {
    /// Files, oldest first; the last one may grow.
    Files(Vec<PathBuf>),
    Journal(Journal),
    /// Read once.
    Reader(Arc<Mutex<Option<Box<dyn Read + Send>>>>),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(files) => f.debug_tuple("Files").field(files).finish(),
            Self::Journal(journal) => f.debug_tuple("Journal").field(journal).finish(),
            Self::Reader(_) => f.write_str("Reader"),
        }
    }
}

impl Source {
    /// The log file at `path`, compressed with gzip or zstd or not. A file whose name ends with
    /// `.journal` is read as a journal.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if path.extension().is_some_and(|extension| extension == "journal") {
            return Self::journal(Journal::new().at(path));
        }
        Self { name: path.display().to_string(), kind: Kind::Files(vec![path]) }
    }

    /// The log file at `path` with its rotated predecessors, oldest first: `access.log.2.gz`,
    /// `access.log.1`, `access.log`.
    ///
    /// # Errors
    /// The operating system's error if the folder cannot be read.
    pub fn with_rotated(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let mut source = Self::file(path.clone());
        if let Kind::Files(files) = &mut source.kind {
            *files = rotated::predecessors(&path)?;
            files.push(path);
        }
        Ok(source)
    }

    /// The logs in the folder `path`: those that are not rotated, or with `rotated` those too.
    ///
    /// # Errors
    /// The operating system's error if the folder cannot be read, [`ErrorKind::NotFound`] if there
    /// is no log in it.
    pub fn folder(path: &Path, rotated: bool) -> Result<Vec<Self>> {
        let mut files = rotated::files_in(path)?;
        if files.iter().any(|file| file.extension().is_some_and(|end| end == "journal")) {
            return Ok(vec![Self::journal(Journal::new().at(path))]);
        }
        files.retain(|file| {
            file.extension().is_some_and(|end| end == "log" || end == "err" || end == "out")
                && RotatedName::of(file).is_none()
        });
        if files.is_empty() {
            let message = format!("{} holds no file whose name ends with .log", path.display());
            return Err(Error::new(ErrorKind::NotFound, "logs.open", message));
        }
        files
            .into_iter()
            .map(|file| if rotated { Self::with_rotated(file) } else { Ok(Self::file(file)) })
            .collect()
    }

    /// The systemd journal.
    pub fn journal(journal: Journal) -> Self {
        Self { name: journal.name(), kind: Kind::Journal(journal) }
    }

    /// Anything that can be read, such as standard input; a second reading finds nothing.
    pub fn reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        let reader: Box<dyn Read + Send> = Box::new(reader);
        Self { name: name.into(), kind: Kind::Reader(Arc::new(Mutex::new(Some(reader)))) }
    }

    /// Its name in views of several sources.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens it for reading from the beginning.
    pub(crate) fn open(&self, filter: &Filter) -> Result<Box<dyn Read + Send>> {
        match &self.kind {
            Kind::Journal(journal) => Ok(Box::new(journal.start(filter, None)?)),
            Kind::Reader(reader) => {
                let taken = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
                Ok(taken.unwrap_or_else(|| Box::new(io::empty())))
            }
            Kind::Files(files) => {
                // The newest must exist; rotated ones may be removed at any time.
                let newest = files.last().map(|file| open_file(file)).transpose()?;
                Ok(Box::new(Chain {
                    older: files
                        .split_last()
                        .map_or(Vec::new(), |(_, older)| older.iter().rev().cloned().collect()),
                    newest,
                    present: None,
                    ends_line: true,
                }))
            }
        }
    }
}

/// Opens a plain or compressed file; its first bytes say which.
pub(crate) fn open_file(path: &Path) -> Result<Box<dyn Read + Send>> {
    let fail = |e| Error::io("logs.open", format!("cannot read {}", path.display()), e);
    let mut file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.is_dir() {
        let message = format!("{} is a folder", path.display());
        return Err(Error::new(ErrorKind::InvalidInput, "logs.open", message));
    }
    Ok(match packing(&mut file).map_err(fail)? {
        Packing::None => Box::new(file),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(file))),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(file).map_err(fail)?),
        Packing::Unknown(program) => {
            let message =
                format!("{} is compressed in a format that cannot be read here", path.display());
            let remedy = format!("decompress it first: `{program} -dc {}`", path.display());
            return Err(Error::new(ErrorKind::Unsupported, "logs.open", message).remedy_is(remedy));
        }
    })
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
    Unknown(&'static str),
}

/// Reads the first bytes of `file` and rewinds it; a file that cannot be rewound is not compressed.
pub(crate) fn packing(file: &mut File) -> io::Result<Packing> {
    if !file.metadata()?.is_file() {
        return Ok(Packing::None);
    }
    let mut head = Vec::new();
    Read::by_ref(file).take(6).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(match head.as_slice() {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Packing::Unknown("xz"),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Packing::Unknown("bzip2"),
        _ => Packing::None,
    })
}

/// Files one after another, each ending with a newline.
struct Chain {
    /// The next one is the last element.
    older: Vec<PathBuf>,
    newest: Option<Box<dyn Read + Send>>,
    present: Option<Box<dyn Read + Send>>,
    ends_line: bool,
}

impl Read for Chain {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(present) = &mut self.present {
                let length = present.read(out)?;
                if length > 0 {
                    self.ends_line = out[length - 1] == b'\n';
                    return Ok(length);
                }
                self.present = None;
                if !self.ends_line {
                    self.ends_line = true;
                    out[0] = b'\n';
                    return Ok(1);
                }
            }
            self.present = match self.older.pop() {
                Some(path) => match open_file(&path) {
                    Ok(file) => Some(file),
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(io::Error::other(error)),
                },
                None => self.newest.take(),
            };
            if self.present.is_none() {
                return Ok(0);
            }
        }
    }
}
