//! Verifying one payload, frame by frame.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use seaworthy_core::{Context, Error, ErrorKind, Event, Result};
use sha2::{Digest, Sha256};
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    task::{JoinError, JoinSet},
};

use super::{Finding, Tally, VerifyOptions, problem};
use crate::{
    encryption::Unsealer,
    format::{
        Digest256, ManifestObject, ObjectKey,
        index::{FrameRecord, Record},
    },
    payload::buffers::Buffers,
    sinks::{BlockingReader, ByteStream},
    snapshot::{FrameDecoder, PayloadReader, Snapshot, reader::check},
    workers::MAX_WORKERS,
};

/// How many items a finding lists.
const AFFECTED: usize = 10;

/// Reads a payload, whole or in part, and checks each frame that was read.
pub(super) async fn verify(
    snapshot: &Snapshot,
    payload: PayloadReader,
    object: &ManifestObject,
    options: &VerifyOptions,
    tally: &mut Tally,
    cx: &Context,
) -> Result<()> {
    let key = snapshot.folder().join(&object.name)?;
    match snapshot.sink().stat(&key).await {
        Err(error) => {
            tally.find(&object.name, None, problem(error)?);
            return Ok(());
        }
        Ok(info) if info.size != object.size => {
            let problem = format!("it has {} bytes instead of {}", info.size, object.size);
            tally.find(&object.name, None, problem);
        }
        Ok(_) => {}
    }
    let unsealer = match payload.unsealer().await {
        Ok(unsealer) => unsealer,
        Err(error) => {
            tally.find(&object.name, None, problem(error)?);
            return Ok(());
        }
    };
    let pass = Pass {
        payload,
        unsealer,
        object: object.clone(),
        credits: Arc::new(Semaphore::new(options.workers.clamp(1, MAX_WORKERS) + 2)),
        idle: Arc::default(),
        buffers: Buffers::default(),
        cx: cx.clone(),
    };
    let sample = options.sample;
    let stream = match sample {
        None => match snapshot.sink().read(&key, None).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tally.find(&object.name, None, problem(error)?);
                return Ok(());
            }
        },
        Some(_) => None,
    };
    let name = object.name.clone();
    let part = tokio::task::spawn_blocking(move || match (stream, sample) {
        (Some(stream), _) => pass.whole(stream, &key),
        (None, part) => pass.sample(part.unwrap_or(1.0)),
    });
    let part = match part.await.map_err(worker_failed)? {
        Ok(part) => part,
        // From the index, or from an object that cannot be read any further.
        Err(error) => {
            tally.find(&name, None, problem(error)?);
            return Ok(());
        }
    };
    tally.frames += part.frames;
    tally.bytes += part.bytes;
    tally.findings.extend(part.findings);
    Ok(())
}

/// One pass over a payload, on a blocking thread.
struct Pass {
    payload: PayloadReader,
    unsealer: Option<Arc<Unsealer>>,
    object: ManifestObject,
    credits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Idle>>>,
    buffers: Buffers,
    cx: Context,
}

/// An idle decoder, and the buffer that it decodes into.
type Idle = (FrameDecoder, Vec<u8>);

/// What is wrong with a frame, if anything.
type Checked = Result<Option<Finding>>;

/// A frame and the items whose bytes it contains.
struct Group {
    frame: FrameRecord,
    items: Vec<String>,
}

impl Pass {
    /// Reads the whole object in one stream.
    fn whole(self, stream: ByteStream, key: &ObjectKey) -> Result<Tally> {
        let mut stored = Stored::new(BlockingReader::new(stream, key.clone()));
        let mut tally = Tally::default();
        let mut workers = JoinSet::new();
        for group in Groups::new(&self.payload)? {
            let group = group?;
            self.cx.check("verify")?;
            let before = stored.size;
            let range = group.frame.offset..group.frame.offset + group.frame.stored;
            let range = match &self.unsealer {
                Some(unsealer) => unsealer.stored_range(&range),
                None => range,
            };
            let bytes = stored.read(range, &self.buffers)?;
            self.cx.emit(Event::Advanced { bytes: stored.size - before, items: 0 });
            let Some(bytes) = bytes else {
                tally.findings.push(finding(&group, "the object ends before it"));
                continue;
            };
            self.check_aside(group, bytes, self.unsealer.clone(), &mut workers)?;
            while let Some(checked) = workers.try_join_next() {
                tally.add_frame(checked)?;
            }
        }
        let (size, sha256) = stored.finish()?;
        finish(workers, &mut tally)?;
        tally.findings.sort_by_key(|finding| finding.at);
        tally.bytes = size;
        if tally.findings.is_empty() {
            tally.check_object(&self.object, size, sha256);
        }
        Ok(tally)
    }

    /// Reads a random part of the frames, at least one.
    fn sample(self, part: f64) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut workers = JoinSet::new();
        let mut chosen = 0;
        for group in Groups::new(&self.payload)? {
            let group = group?;
            self.cx.check("verify")?;
            if chosen > 0 && !chance(part)? {
                continue;
            }
            chosen += 1;
            match self.payload.fetch_blocking(&group.frame) {
                Ok(bytes) => {
                    tally.bytes += bytes.len() as u64;
                    self.cx.emit(Event::Advanced { bytes: bytes.len() as u64, items: 0 });
                    // Fetching it decrypted it.
                    self.check_aside(group, bytes, None, &mut workers)?;
                }
                Err(error) => {
                    tally.frames += 1;
                    tally.findings.push(finding(&group, &problem(error)?));
                }
            }
        }
        finish(workers, &mut tally)?;
        Ok(tally)
    }

    /// Checks a frame on another blocking thread, when one is free; `unsealer` decrypts it first.
    fn check_aside(
        &self,
        group: Group,
        stored: Bytes,
        unsealer: Option<Arc<Unsealer>>,
        workers: &mut JoinSet<Checked>,
    ) -> Result<()> {
        let runtime = Handle::current();
        let credit = runtime.block_on(self.credits.clone().acquire_owned());
        let credit = credit.map_err(|_| Error::cancelled("verify"))?;
        let (payload, idle) = (self.payload.clone(), self.idle.clone());
        workers.spawn_blocking_on(
            move || {
                let _credit = credit;
                let range = group.frame.offset..group.frame.offset + group.frame.stored;
                let opened = match unsealer {
                    Some(unsealer) => unsealer.decrypt(&range, stored).map(Bytes::from),
                    None => Ok(stored),
                };
                let checked =
                    opened.and_then(|stored| check_frame(&payload, &idle, &group, &stored));
                match checked {
                    Ok(()) => Ok(None),
                    Err(error) if error.kind() == ErrorKind::Damaged => {
                        Ok(Some(finding(&group, &error.chain())))
                    }
                    Err(error) => Err(error),
                }
            },
            &runtime,
        );
        Ok(())
    }
}

/// An object that is read from its beginning to its end, piece by piece.
struct Stored {
    reader: BlockingReader,
    hash: Sha256,
    /// How much was read.
    size: u64,
    /// The last piece: the next frame may begin in it.
    last: Bytes,
}

impl Stored {
    fn new(reader: BlockingReader) -> Self {
        Self { reader, hash: Sha256::new(), size: 0, last: Bytes::new() }
    }

    /// The bytes in `range`, which begins in the previous piece or after it; `None` if the object
    /// ends in it.
    fn read(&mut self, range: Range<u64>, buffers: &Buffers) -> Result<Option<Bytes>> {
        self.skip_to(range.start)?;
        let again = self.size.saturating_sub(range.start).min(self.last.len() as u64);
        let again = self.last.len() - usize::try_from(again).unwrap_or_default();
        let mut bytes = buffers.take();
        bytes.clear();
        bytes.extend_from_slice(&self.last[again..]);
        let fresh = bytes.len();
        let wanted = range.end.saturating_sub(range.start);
        self.reader.read_up_to(range.end.saturating_sub(self.size), &mut bytes)?;
        self.hash.update(&bytes[fresh..]);
        self.size += (bytes.len() - fresh) as u64;
        self.last = buffers.lend(bytes);
        Ok((self.last.len() as u64 == wanted).then(|| self.last.clone()))
    }

    fn skip_to(&mut self, at: u64) -> Result<()> {
        let mut passed = Vec::new();
        while self.size < at {
            let wanted = (at - self.size).min(64 << 10);
            if self.reader.read_up_to(wanted, &mut passed)? == 0 {
                return Ok(());
            }
            self.hash.update(&passed);
            self.size += passed.len() as u64;
            passed.clear();
        }
        Ok(())
    }

    /// The size and SHA-256 of the whole object.
    fn finish(mut self) -> Result<(u64, Digest256)> {
        self.skip_to(u64::MAX)?;
        Ok((self.size, Digest256::from(self.hash.finalize())))
    }
}

/// Checks the stored bytes of a frame and decodes it.
fn check_frame(
    payload: &PayloadReader,
    idle: &Mutex<Vec<Idle>>,
    group: &Group,
    stored: &[u8],
) -> Result<()> {
    check(&group.frame, stored)?;
    let reused = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let (mut decoder, mut plain) = match reused {
        Some(reused) => reused,
        None => (payload.decoder()?, Vec::new()),
    };
    decoder.decode(&group.frame, stored, &mut plain)?;
    idle.lock().unwrap_or_else(PoisonError::into_inner).push((decoder, plain));
    Ok(())
}

fn finish(mut workers: JoinSet<Checked>, tally: &mut Tally) -> Result<()> {
    while let Some(checked) = Handle::current().block_on(workers.join_next()) {
        tally.add_frame(checked)?;
    }
    Ok(())
}

impl Tally {
    fn add_frame(&mut self, checked: Result<Checked, JoinError>) -> Result<()> {
        self.frames += 1;
        self.findings.extend(checked.map_err(worker_failed)??);
        Ok(())
    }
}

fn finding(group: &Group, problem: &str) -> Finding {
    Finding {
        object: group.frame.object.clone(),
        at: Some(group.frame.offset),
        problem: problem.to_owned(),
        affects: group.items.clone(),
    }
}

/// The frames of a payload, each with the items whose bytes it contains.
struct Groups {
    records: std::iter::Peekable<crate::snapshot::Records>,
    /// The last item and where its bytes end.
    open: Option<(String, u64)>,
}

impl Groups {
    fn new(payload: &PayloadReader) -> Result<Self> {
        Ok(Self { records: payload.records()?.peekable(), open: None })
    }

    fn next_group(&mut self) -> Result<Option<Group>> {
        let frame = loop {
            match self.records.next().transpose()? {
                None => return Ok(None),
                Some(Record::Frame(frame)) => break frame,
                Some(_) => {}
            }
        };
        let mut items = Vec::new();
        let continued = self.open.as_ref().filter(|(_, end)| *end > frame.plain_offset);
        items.extend(continued.map(|(item, _)| item.clone()));
        while let Some(Ok(record)) = self.records.peek() {
            let (item, end) = match record {
                Record::Frame(_) => break,
                Record::File(file) => (file.path.to_string(), file.at + file.len),
                Record::Database(database) => {
                    (database.path.to_string(), database.at + database.len)
                }
                Record::Rows(rows) => {
                    (format!("table {}.{}", rows.schema, rows.name), rows.at + rows.len)
                }
                Record::Sql(sql) => (format!("SQL ({:?})", sql.section), sql.at + sql.len),
                _ => {
                    self.records.next();
                    continue;
                }
            };
            if items.len() < AFFECTED {
                items.push(item.clone());
            }
            self.open = Some((item, end));
            self.records.next();
        }
        Ok(Some(Group { frame, items }))
    }
}

impl Iterator for Groups {
    type Item = Result<Group>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_group().transpose()
    }
}

/// True with the probability `part`.
fn chance(part: f64) -> Result<bool> {
    let random = getrandom::u32().map_err(|source| {
        let message = "the operating system gives no random numbers";
        Error::new(ErrorKind::Io, "verify", message).caused_by(source)
    })?;
    Ok(f64::from(random) < part * f64::from(u32::MAX))
}

pub(super) fn worker_failed(source: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "verify", "a worker panicked").caused_by(source)
}
