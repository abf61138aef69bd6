//! SQLite databases: copied online while others write, checked, then stored.
//!
//! The copy is made with SQLite's online backup API in one step, so writers in WAL mode are not
//! blocked and the copy is one transaction's view (<https://sqlite.org/backup.html>).

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::{
    Connection, ErrorCode, InterruptHandle, OpenFlags,
    backup::{Backup, StepResult},
};
use seaworthy_core::{ByteSize, Context, Error, ErrorKind, Event, Result};
use tokio::task::JoinSet;

use super::ForeignKeys;
use crate::{
    format::{
        PayloadKind, SourceSummary,
        index::{DatabaseRecord, Entry, PathBytes},
    },
    payload::{SEGMENT_SIZE, Segment, SegmentSender},
    sources::BackupSource,
};

/// How many pages are copied in one step: some tens of megabytes.
const STEP: i32 = 8192;

/// How often a locked database is tried again, and how long to wait between.
const LOCKED_TRIES: u32 = 300;
const LOCKED_WAIT: Duration = Duration::from_millis(100);

/// How long to wait before SQLite is interrupted again.
const INTERRUPT_AGAIN: Duration = Duration::from_millis(50);

/// An SQLite database.
#[derive(Clone, Debug)]
pub struct SqliteSource {
    path: PathBuf,
    temp: PathBuf,
    foreign_keys: ForeignKeys,
}

impl SqliteSource {
    /// The database at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (temp, foreign_keys) = (std::env::temp_dir(), ForeignKeys::default());
        Self { path: path.into(), temp, foreign_keys }
    }

    /// Makes the private copy below the folder `temp`, which needs space for the whole database.
    #[must_use]
    pub fn temp(mut self, temp: impl Into<PathBuf>) -> Self {
        self.temp = temp.into();
        self
    }

    /// Sets what to do about foreign-key violations.
    #[must_use]
    pub fn foreign_keys(mut self, foreign_keys: ForeignKeys) -> Self {
        self.foreign_keys = foreign_keys;
        self
    }

    fn fail(&self, kind: ErrorKind, why: &str) -> Error {
        let message = format!("cannot back up the database {}: {why}", self.path.display());
        Error::new(kind, "sqlite.dump", message)
    }

    fn sqlite_failed(&self, source: rusqlite::Error) -> Error {
        use ErrorCode as Code;
        let (kind, why) = match source.sqlite_error_code() {
            Some(Code::NotADatabase) => (ErrorKind::Source, "it is not an SQLite database"),
            Some(Code::DatabaseCorrupt) => (ErrorKind::Source, "it is corrupt"),
            Some(Code::PermissionDenied | Code::CannotOpen | Code::ReadOnly) => {
                (ErrorKind::PermissionDenied, "it cannot be opened")
            }
            Some(Code::DiskFull) => (ErrorKind::NoSpace, "the disk is full"),
            Some(Code::OperationInterrupted) => return Error::cancelled("sqlite.dump"),
            _ => (ErrorKind::Io, "SQLite failed"),
        };
        self.fail(kind, why).caused_by(source)
    }

    /// The database's size including its write-ahead log, in bytes.
    fn look(&self) -> Result<fs::Metadata> {
        let fail = |e: std::io::Error| {
            let message = format!("cannot back up the database {}", self.path.display());
            Error::io("sqlite.dump", message, e).remedy_is("check the path in the file")
        };
        File::open(&self.path).map_err(fail)?;
        let metadata = fs::metadata(&self.path).map_err(fail)?;
        if !metadata.is_file() {
            return Err(self.fail(ErrorKind::Source, "it is not a regular file"));
        }
        let log = fs::metadata(with_suffix(&self.path, "-wal")).map_or(0, |log| log.len());
        if log == 0 {
            self.check_length(&metadata)?;
        }
        let needed = metadata.len() + log;
        let room = rustix::fs::statvfs(&self.temp).map_err(|e| {
            let message = format!("cannot make a copy in {}", self.temp.display());
            Error::io("sqlite.dump", message, e.into())
        })?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        if free < needed {
            let why = format!(
                "its copy needs {} in {}, but only {} are free",
                ByteSize::new(needed),
                self.temp.display(),
                ByteSize::new(free)
            );
            return Err(self
                .fail(ErrorKind::NoSpace, &why)
                .remedy_is("set `limit.temp` to a folder with more space"));
        }
        Ok(metadata)
    }

    /// Fails if the file is shorter than its header says. SQLite itself treats the missing pages of
    /// a small database as free ones. Format: <https://sqlite.org/fileformat2.html>.
    fn check_length(&self, metadata: &fs::Metadata) -> Result<()> {
        let mut header = [0; 100];
        let read = File::open(&self.path).and_then(|file| file.read_exact_at(&mut header, 0));
        if read.is_err() || !header.starts_with(b"SQLite format 3\0") {
            return Ok(());
        }
        let number = |at: usize| {
            header[at..at + 4].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let page = match u64::from(header[16]) << 8 | u64::from(header[17]) {
            1 => 65_536,
            size => size,
        };
        // The page count is valid only if both change counters agree.
        let expected = if number(24) == number(92) { number(28) * page } else { 0 };
        if metadata.len() >= expected {
            return Ok(());
        }
        let why = format!("it is truncated: {} of {expected} bytes", metadata.len());
        Err(self.fail(ErrorKind::Source, &why).remedy_is("restore an earlier snapshot of it"))
    }

    /// Makes the checked copy and returns how many foreign-key violations it has.
    fn copy(&self, copy: &Path, interrupt: &Sender<InterruptHandle>, cx: &Context) -> Result<Copy> {
        let source = self.open()?;
        // There is no receiver once the run was dropped.
        let _ = interrupt.send(source.get_interrupt_handle());
        let mut target = Connection::open(copy).map_err(|e| self.sqlite_failed(e))?;
        // Private, and read only after a successful end: nothing has to survive a crash.
        target.execute_batch("PRAGMA synchronous=OFF").map_err(|e| self.sqlite_failed(e))?;
        {
            // A read transaction of our own: every step sees the same state, however many others
            // write meanwhile, and the run can be interrupted between two steps.
            let begin = "BEGIN; SELECT count(*) FROM sqlite_schema";
            source.execute_batch(begin).map_err(|e| self.sqlite_failed(e))?;
            let backup = Backup::new(&source, &mut target).map_err(|e| self.sqlite_failed(e))?;
            let mut tries = 0;
            loop {
                cx.check("sqlite.dump")?;
                match backup.step(STEP).map_err(|e| self.sqlite_failed(e))? {
                    StepResult::Done => break,
                    StepResult::More => continue,
                    _ if tries == LOCKED_TRIES => {
                        return Err(self
                            .fail(ErrorKind::TimedOut, "another program keeps it locked")
                            .remedy_is("use WAL mode, in which readers and writers do not wait"));
                    }
                    _ => std::thread::sleep(LOCKED_WAIT),
                }
                tries += 1;
            }
        }
        drop(source);
        target.close().map_err(|(_, e)| self.sqlite_failed(e))?;
        let copy = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|e| self.sqlite_failed(e))?;
        let _ = interrupt.send(copy.get_interrupt_handle());
        cx.check("sqlite.dump")?;
        self.check(&copy)
    }

    /// Opens the source for reading; for writing only if a crashed writer's journal must be rolled
    /// back first, as any program that opens the database would.
    fn open(&self) -> Result<Connection> {
        let probe = |flags| {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(LOCKED_WAIT * LOCKED_TRIES)?;
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(connection)
        };
        let read = probe(OpenFlags::SQLITE_OPEN_READ_ONLY);
        match read {
            Err(error) if needs_recovery(&error) => probe(OpenFlags::SQLITE_OPEN_READ_WRITE),
            read => read,
        }
        .map_err(|e| self.sqlite_failed(e))
    }

    fn check(&self, copy: &Connection) -> Result<Copy> {
        let failed = |e| self.sqlite_failed(e);
        let mut problems = Vec::new();
        copy.pragma_query(None, "integrity_check", |row| {
            problems.push(row.get::<_, String>(0)?);
            Ok(())
        })
        .map_err(failed)?;
        if problems != ["ok"] {
            let first = problems.first().map_or("no result", String::as_str);
            let why = format!("its integrity check failed: {first}");
            return Err(self.fail(ErrorKind::Source, &why).remedy_is(
                "repair it (`sqlite3 … .recover`) or restore an earlier snapshot; the last good \
                 snapshot is untouched",
            ));
        }
        let mut violations = 0;
        copy.pragma_query(None, "foreign_key_check", |_| {
            violations += 1;
            Ok(())
        })
        .map_err(failed)?;
        if violations > 0 && self.foreign_keys == ForeignKeys::Fail {
            let why = format!("{violations} rows refer to missing rows");
            return Err(self.fail(ErrorKind::Source, &why).remedy_is(
                "`PRAGMA foreign_key_check` lists them; `foreign_keys = \"count\"` only counts them",
            ));
        }
        let tables = copy
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
            .map_err(failed)?;
        Ok(Copy { violations, is_empty: tables == 0 })
    }
}

/// Facts about a checked copy.
struct Copy {
    violations: u64,
    /// Whether it has no tables.
    is_empty: bool,
}

#[async_trait]
impl BackupSource for SqliteSource {
    fn payload(&self) -> PayloadKind {
        PayloadKind::SQLITE
    }

    async fn dump(&self, out: SegmentSender, cx: &Context) -> Result<SourceSummary> {
        let fail = |e| {
            let message = format!("cannot make a copy in {}", self.temp.display());
            Error::io("sqlite.dump", message, e).remedy_is("set `limit.temp` to another folder")
        };
        let metadata = self.look()?;
        let folder = tempfile::Builder::new()
            .prefix("seaworthy-sqlite-")
            .tempdir_in(&self.temp)
            .map_err(fail)?;
        let path = folder.path().join("copy.sqlite");
        let copy = self.copy_aside(path.clone(), cx).await?;
        if copy.violations > 0 {
            cx.emit(Event::warning(format!(
                "{}: {} rows refer to missing rows",
                self.path.display(),
                copy.violations
            )));
        }
        let file = File::open(&path).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        let mut record = DatabaseRecord::new(PathBytes::from_path(&self.path), size);
        record.mode = metadata.mode() & 0o7777;
        (record.uid, record.gid) = (metadata.uid(), metadata.gid());
        record.foreign_key_violations = copy.violations;
        send(file, record, out).await?;
        let files = u64::from(!copy.is_empty);
        Ok(SourceSummary { files, bytes: size, ..SourceSummary::default() })
    }
}

impl SqliteSource {
    /// [`copy`](Self::copy) on a blocking thread, interrupted when `cx` is cancelled.
    async fn copy_aside(&self, path: PathBuf, cx: &Context) -> Result<Copy> {
        let (interrupt, handles): (_, Receiver<InterruptHandle>) = channel();
        let (source, own_cx) = (self.clone(), cx.clone());
        let mut copying =
            tokio::task::spawn_blocking(move || source.copy(&path, &interrupt, &own_cx));
        tokio::select! {
            copied = &mut copying => return copied.map_err(panicked)?,
            () = cx.cancel().triggered() => {}
        }
        // Interrupts the current operation, and every later one until the work stops.
        loop {
            handles.try_iter().for_each(|handle| handle.interrupt());
            if let Ok(copied) = tokio::time::timeout(INTERRUPT_AGAIN, &mut copying).await {
                return copied.map_err(panicked)?;
            }
        }
    }
}

/// Sends the copy in pieces, read and compressed in parallel.
async fn send(file: File, record: DatabaseRecord, out: SegmentSender) -> Result<()> {
    let size = record.size;
    let copy = Arc::new(Pieces { file, next: Mutex::new((0, Some(record))) });
    let mut workers = JoinSet::new();
    for _ in 0..out.workers() {
        let (copy, out) = (copy.clone(), out.clone());
        workers.spawn_blocking(move || copy.send(size, &out));
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(panicked)??;
    }
    Ok(())
}

struct Pieces {
    file: File,
    /// The offset of the next piece, and the record for the first one.
    next: Mutex<(u64, Option<DatabaseRecord>)>,
}

impl Pieces {
    fn send(&self, size: u64, out: &SegmentSender) -> Result<()> {
        loop {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let at = next.0;
            if at >= size {
                return Ok(());
            }
            let slot = out.reserve_blocking()?;
            let len = (size - at).min(SEGMENT_SIZE as u64);
            next.0 += len;
            let record = next.1.take();
            drop(next);

            let mut data = out.buffer();
            data.resize(usize::try_from(len).unwrap_or(SEGMENT_SIZE), 0);
            self.file
                .read_exact_at(&mut data, at)
                .map_err(|e| Error::io("sqlite.dump", "cannot read the private copy", e))?;
            let entries = record.map(Entry::Database).into_iter().collect();
            slot.fill(Segment { data, entries, progress_bytes: len })?;
        }
    }
}

/// Whether read-only access fails because something must be rolled back or recovered first.
fn needs_recovery(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi;
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        code,
        Some(ffi::SQLITE_READONLY_ROLLBACK | ffi::SQLITE_READONLY_RECOVERY | ffi::SQLITE_CANTOPEN)
    )
}

/// The name of the file that SQLite keeps next to the database `path`, such as `-wal`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "sqlite.dump", "a worker panicked").caused_by(source)
}
