//! A growing file, followed by its name: through rotation, truncation and absence.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, Result};

use crate::source::{self, Packing};

/// How many times a rotated file must be found unchanged before it is closed: the writer may still
/// have it open for a while.
const FAREWELL: u32 = 100;

/// How many bytes before the current position are remembered, to notice that they changed.
const REMEMBERED: usize = 64;

/// How much is read at once, in bytes.
const BLOCK: usize = 256 << 10;

/// What happened to a file, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grown {
    Bytes(Vec<u8>),
    /// It starts again from the beginning.
    Truncated,
    /// One file has ended and the next begins: a line does not continue from one to the other.
    Ended,
}

/// A file that is followed by its name.
#[derive(Debug)]
pub(crate) struct Growing {
    path: PathBuf,
    present: Option<Open>,
    /// What was rotated away and may still be written.
    former: Vec<(Open, u32)>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    offset: u64,
    /// The bytes before `offset`.
    before: Vec<u8>,
}

impl Growing {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), present: None, former: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is no such file yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.present.is_none()
    }

    /// Opens the file if it exists, passes its complete lines to `last`, and continues after them.
    pub(crate) fn start<T: Default>(
        &mut self,
        last: impl FnOnce(&mut File, u64) -> io::Result<T>,
    ) -> Result<T> {
        let fail = |e| Error::io("logs.open", format!("cannot read {}", self.path.display()), e);
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(T::default()),
            Err(e) => return Err(fail(e)),
        };
        let metadata = file.metadata().map_err(fail)?;
        if source::packing(&mut file).map_err(fail)? != Packing::None || !metadata.is_file() {
            let message = format!(
                "{} cannot be followed: it is compressed or not a regular file",
                self.path.display()
            );
            return Err(Error::new(
                seaworthy_core::ErrorKind::InvalidInput,
                "logs.follow",
                message,
            ));
        }
        let size = whole_lines(&file, metadata.len()).map_err(fail)?;
        let found = last(&mut file, size).map_err(fail)?;
        let mut open = Open::new(file).map_err(fail)?;
        open.go_to(size).map_err(fail)?;
        self.present = Some(open);
        Ok(found)
    }

    /// Adds what happened since the last call.
    pub(crate) fn poll(&mut self, grown: &mut Vec<Grown>) -> io::Result<()> {
        for (former, quiet) in &mut self.former {
            let read = former.read_on(grown)?;
            if read {
                grown.push(Grown::Ended);
            }
            *quiet = if read { 0 } else { *quiet + 1 };
        }
        self.former.retain(|(_, quiet)| *quiet < FAREWELL);
        let identity = match std::fs::metadata(&self.path) {
            Ok(metadata) => Some((metadata.dev(), metadata.ino())),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if let Some(present) = &mut self.present {
            present.read_on(grown)?;
            // While there is no new file, the old one is still the log.
            if identity.is_none_or(|identity| identity == present.identity) {
                return Ok(());
            }
            grown.push(Grown::Ended);
            self.former.extend(self.present.take().map(|present| (present, 0)));
        }
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        let mut open = Open::new(file)?;
        open.read_on(grown)?;
        self.present = Some(open);
        Ok(())
    }
}

impl Open {
    fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        Ok(Self { file, identity, offset: 0, before: Vec::new() })
    }

    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        let length = offset.min(REMEMBERED as u64);
        self.before = vec![0; usize::try_from(length).unwrap_or(REMEMBERED)];
        self.file.read_exact_at(&mut self.before, offset - length)?;
        self.offset = offset;
        Ok(())
    }

    /// Reads what is new; returns whether there was anything.
    fn read_on(&mut self, grown: &mut Vec<Grown>) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        if size < self.offset || (size > self.offset && self.has_changed()?) {
            grown.push(Grown::Truncated);
            (self.offset, self.before) = (0, Vec::new());
        }
        let mut any = false;
        loop {
            let mut bytes = vec![0; BLOCK];
            let length = self.file.read_at(&mut bytes, self.offset)?;
            if length == 0 {
                return Ok(any);
            }
            bytes.truncate(length);
            self.offset += length as u64;
            self.before.extend_from_slice(&bytes[length.saturating_sub(REMEMBERED)..]);
            let surplus = self.before.len().saturating_sub(REMEMBERED);
            self.before.drain(..surplus);
            grown.push(Grown::Bytes(bytes));
            any = true;
        }
    }

    /// Whether the bytes before the current position have changed: then the file was truncated and
    /// has since grown past it.
    fn has_changed(&self) -> io::Result<bool> {
        let mut now = vec![0; self.before.len()];
        match self.file.read_exact_at(&mut now, self.offset - self.before.len() as u64) {
            Ok(()) => Ok(now != self.before),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(true),
            Err(e) => Err(e),
        }
    }
}

/// Where the last complete line of the first `size` bytes ends.
fn whole_lines(file: &File, size: u64) -> io::Result<u64> {
    let mut end = size;
    let mut block = vec![0; 8 << 10];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let bytes = &mut block[..usize::try_from(end - start).unwrap_or_default()];
        file.read_exact_at(bytes, start)?;
        if let Some(newline) = memchr::memrchr(b'\n', bytes) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write};

    struct Lab {
        folder: tempfile::TempDir,
        growing: Growing,
    }

    impl Lab {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.log");
            fs::write(&path, text).unwrap();
            let mut growing = Growing::new(&path);
            growing.start(|_, _| Ok(())).unwrap();
            Self { folder, growing }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn add(&self, name: &str, text: &str) {
            let mut file = File::options().append(true).create(true).open(self.path(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        /// What happened, bytes as text.
        fn poll(&mut self) -> Vec<String> {
            let mut grown = Vec::new();
            self.growing.poll(&mut grown).unwrap();
            let text = |grown: Grown| match grown {
                Grown::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
                other => format!("{other:?}"),
            };
            grown.into_iter().map(text).collect()
        }
    }

    #[test]
    fn goes_on_behind_the_last_whole_line() {
        let mut lab = Lab::new("one\ntw");
        assert_eq!(lab.poll(), ["tw"]);
        lab.add("a.log", "o\n");
        assert_eq!(lab.poll(), ["o\n"]);
        assert!(lab.poll().is_empty());
    }

    #[test]
    fn nothing_is_lost_when_a_log_is_renamed() {
        let mut lab = Lab::new("");
        lab.add("a.log", "1\n");
        fs::rename(lab.path("a.log"), lab.path("a.log.1")).unwrap();
        lab.add("a.log.1", "2\n");
        // There is no new file yet.
        assert_eq!(lab.poll(), ["1\n2\n"]);
        lab.add("a.log.1", "3\n");
        lab.add("a.log", "5\n");
        assert_eq!(lab.poll(), ["3\n", "Ended", "5\n"]);
        // The writer has not been told yet.
        lab.add("a.log.1", "4\n");
        lab.add("a.log", "6\n");
        assert_eq!(lab.poll(), ["4\n", "Ended", "6\n"]);
        fs::remove_file(lab.path("a.log")).unwrap();
        lab.add("a.log", "7\n");
        assert_eq!(lab.poll().last().unwrap(), "7\n");
    }

    #[test]
    fn truncation_is_noticed_even_when_the_file_grew_since() {
        let mut lab = Lab::new("");
        lab.add("a.log", "first\n");
        assert_eq!(lab.poll(), ["first\n"]);
        fs::write(lab.path("a.log"), "x\n").unwrap();
        assert_eq!(lab.poll(), ["Truncated", "x\n"]);
        fs::write(lab.path("a.log"), "longer than before\n").unwrap();
        assert_eq!(lab.poll(), ["Truncated", "longer than before\n"]);
    }

    #[test]
    fn a_log_that_is_not_there_yet_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut growing = Growing::new(&folder.path().join("a.log"));
        growing.start(|_, _| Ok(())).unwrap();
        assert!(growing.is_waiting());
        let mut lab = Lab { folder, growing };
        assert!(lab.poll().is_empty());
        lab.add("a.log", "1\n");
        assert_eq!(lab.poll(), ["1\n"]);
    }
}
