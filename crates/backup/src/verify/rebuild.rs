//! Rebuilds a lost or damaged index from the payloads.

use std::{
    io::{BufRead, Read},
    path::Path,
};

use flate2::bufread::GzDecoder;
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{
    counted::{Counted, Hashed, Whole},
    payload::worker_failed,
};
use crate::{
    format::{
        CheckKind, CheckOutcome, CheckRecord, Codec, Digest256, ENCRYPTED_SUFFIX, MAX_FRAME,
        Manifest, ManifestObject, ManifestSource, SUMS, SnapshotId,
        index::{FrameRecord, PayloadRecord, Record},
    },
    payload::{Compression, SEGMENT_SIZE},
    repository::Repository,
    sinks::BlockingReader,
    snapshot::{
        Snapshot, index_file::IndexWriter, sealed::SealedObject, signed::put_manifest,
        sums::write_sums,
    },
    sources::{EntryScanner, payload_handler},
};

/// The largest size of an entry's headers with the map of a sparse file, in bytes.
const MAP_ROOM: u64 = 3 << 20;

/// The result of a rebuild.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RebuildReport {
    /// The snapshot.
    pub id: SnapshotId,
    /// How many frames its payloads have.
    pub frames: u64,
    /// How many files or other items they contain.
    pub items: u64,
}

/// Rebuilds the index of `snapshot` from its payloads, and writes a new manifest with it.
///
/// Every payload is first read completely and must have the SHA-256 in the manifest; until then
/// nothing is changed. Facts that only the old index had, such as which files could not be read,
/// are lost; so an intact index is not replaced: that fails with [`ErrorKind::InvalidInput`].
/// Temporary files go to the folder `temp`. Call it under the job's lock.
pub async fn rebuild_index(
    repository: &Repository,
    snapshot: &Snapshot,
    temp: &Path,
    cx: &Context,
) -> Result<RebuildReport> {
    let (sink, folder) = (&**snapshot.sink(), snapshot.folder());
    if is_whole(snapshot, temp, cx).await? {
        let message = format!("the index of {}@{} is intact", snapshot.job(), snapshot.id());
        return Err(Error::new(ErrorKind::InvalidInput, "index.rebuild", message).remedy_is(
            "only a lost or damaged index is rebuilt: the old one contains more facts",
        ));
    }
    let mut manifest = snapshot.manifest().clone();
    let keys = repository.held_keys();
    keys.check_writing()?;
    let recipients = keys.recipients.as_ref().filter(|_| manifest.encryption.is_some());
    if manifest.encryption.is_some() && recipients.is_none() {
        // Those in the manifest may belong to anybody.
        let message =
            "the snapshot is encrypted, and no recipients are configured for its new index";
        return Err(Error::new(ErrorKind::InvalidInput, "index.rebuild", message)
            .remedy_is("set the recipients in the job's `encryption`"));
    }
    let plain_name = manifest.index.strip_suffix(ENCRYPTED_SUFFIX).unwrap_or(&manifest.index);
    let codec = [Codec::Gzip, Codec::Zstd].into_iter();
    let codec = codec.clone().find(|codec| plain_name.ends_with(codec.suffix()));
    let compression = Compression::new(codec.unwrap_or(Codec::None), None)?;
    let mut index = IndexWriter::begin(sink, folder, compression, recipients).await?;
    let mut report = RebuildReport { id: manifest.id.clone(), frames: 0, items: 0 };
    for source in &mut manifest.sources {
        let frames = report.frames;
        if let Err(error) = rebuild_payload(snapshot, source, &mut index, &mut report, cx).await {
            index.abort().await;
            return Err(error);
        }
        source.frames = report.frames - frames;
    }
    let index = index.commit().await?;
    manifest.objects.retain(|object| object.name != SUMS && object.name != manifest.index);
    manifest.index.clone_from(&index.name);
    manifest.objects.push(index);
    manifest.objects.push(write_sums(sink, folder, &manifest.objects).await?);
    put_manifest(sink, folder, manifest.to_bytes()?, keys.signing.as_ref(), true).await?;
    repository.record_check(&manifest.id, &record(&manifest, cx)).await?;
    Ok(report)
}

async fn is_whole(snapshot: &Snapshot, temp: &Path, cx: &Context) -> Result<bool> {
    let index = match snapshot.index(temp, cx).await {
        Err(error) if error.kind() == ErrorKind::Damaged => return Ok(false),
        index => index?,
    };
    let read = move || index.records()?.try_for_each(|record| record.map(drop));
    match tokio::task::spawn_blocking(read).await.map_err(worker_failed)? {
        Err(error) if error.kind() == ErrorKind::Damaged => Ok(false),
        read => read.map(|()| true),
    }
}

fn record(manifest: &Manifest, cx: &Context) -> CheckRecord {
    CheckRecord {
        time: cx.now(),
        kind: CheckKind::Rebuild,
        outcome: CheckOutcome::Ok,
        complete: true,
        sealed: false,
        findings: vec![format!("{} was rebuilt", manifest.index)],
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Describes one payload in the new index.
async fn rebuild_payload(
    snapshot: &Snapshot,
    source: &ManifestSource,
    index: &mut IndexWriter,
    report: &mut RebuildReport,
    cx: &Context,
) -> Result<()> {
    let key = snapshot.folder().join(&source.object)?;
    let promised = snapshot.manifest().object(&source.object).cloned().ok_or_else(|| {
        let message = format!("{} is not listed in the manifest", source.object);
        Error::new(ErrorKind::Damaged, "index.rebuild", message)
    })?;
    let record = PayloadRecord::new(source.name.clone(), source.kind.clone(), source.codec);
    index.push(&Record::Payload(record)).await?;
    let task = format!("{}: {}", snapshot.job(), source.name);
    cx.emit(Event::Started { task: task.clone(), total_bytes: Some(promised.size) });
    let started = cx.now();
    let unsealer = match SealedObject::of(snapshot, &source.object, None) {
        Some(sealed) => Some(sealed.open().await?),
        None => None,
    };
    let stream = snapshot.sink().read(&key, None).await?;
    let whole = Whole::default();
    let stored = Hashed::new(BlockingReader::new(stream, key), whole.clone());
    let stored: Box<dyn Read + Send> = match unsealer {
        None => Box::new(stored),
        // Reads the header, so it may block.
        Some(unsealer) => tokio::task::spawn_blocking(move || unsealer.reader(stored))
            .await
            .map_err(worker_failed)??,
    };
    let (records, mut scanned) = mpsc::channel(256);
    let scan = Scan {
        frames: Frames::new(stored, source.codec),
        whole,
        entries: payload_handler(&source.kind).scanner(source)?,
        source: source.clone(),
        promised,
        cx: cx.clone(),
    };
    let scanning = tokio::task::spawn_blocking(move || scan.run(&records));
    let mut pushed = Ok(());
    while let Some(record) = scanned.recv().await {
        match &record {
            Record::Frame(_) => report.frames += 1,
            _ => report.items += 1,
        }
        pushed = index.push(&record).await;
        if pushed.is_err() {
            // The scan stops when the receiver is dropped.
            scanned.close();
        }
    }
    let scanned = scanning.await.map_err(worker_failed)?;
    pushed.and(scanned)?;
    cx.emit(Event::Finished { task, elapsed: cx.now().since(started) });
    Ok(())
}

/// Reads one payload on a blocking thread and finds its frames and entries.
struct Scan {
    frames: Frames,
    /// What was read of the object, as stored.
    whole: Whole,
    entries: Box<dyn EntryScanner>,
    source: ManifestSource,
    promised: ManifestObject,
    cx: Context,
}

impl Scan {
    fn run(mut self, records: &mpsc::Sender<Record>) -> Result<()> {
        let (mut plain_offset, mut offset) = (0, 0);
        let send =
            |record| records.blocking_send(record).map_err(|_| Error::cancelled("index.rebuild"));
        loop {
            self.cx.check("index.rebuild")?;
            let mut found = Vec::new();
            let next = self.frames.next(&mut *self.entries, &mut found);
            let Some(frame) = next.map_err(|error| in_payload(&self.source, error))? else { break };
            send(Record::Frame(FrameRecord {
                object: self.source.object.clone(),
                offset,
                stored: frame.stored,
                plain_offset,
                plain: frame.plain,
                sha256: frame.sha256,
            }))?;
            offset += frame.stored;
            plain_offset += frame.plain;
            self.cx.emit(Event::Advanced { bytes: frame.stored, items: found.len() as u64 });
            found.into_iter().try_for_each(send)?;
        }
        let (size, sha256) = self.whole.finish();
        if size != self.promised.size || sha256 != self.promised.sha256 {
            let message = "it does not have the SHA-256 in the manifest";
            let error = Error::new(ErrorKind::Damaged, "index.rebuild", message);
            return Err(in_payload(&self.source, error));
        }
        self.entries.finish().map_err(|error| in_payload(&self.source, error))
    }
}

fn in_payload(source: &ManifestSource, error: Error) -> Error {
    let message = format!("cannot rebuild the index: {} is damaged, too", source.object);
    Error::new(error.kind(), "index.rebuild", message).caused_by(error)
}

/// A frame that was found in a payload.
struct Found {
    stored: u64,
    plain: u64,
    sha256: Digest256,
}

/// Finds the frames of a payload in order.
struct Frames {
    stored: Counted,
    codec: Codec,
    /// Plain bytes that were scanned but belong to the next frame, and the entry that begins in
    /// them; only without a codec.
    carried: Vec<u8>,
    carried_entry: Option<Record>,
    plain: Vec<u8>,
    /// The offset of the next frame in the plain bytes.
    start: u64,
}

impl Frames {
    fn new(stored: Box<dyn Read + Send>, codec: Codec) -> Self {
        let stored = Counted::new(stored);
        Self {
            stored,
            codec,
            carried: Vec::new(),
            carried_entry: None,
            plain: Vec::new(),
            start: 0,
        }
    }

    /// Reads the next frame and adds the entries that begin in it to `found`.
    fn next(
        &mut self,
        entries: &mut dyn EntryScanner,
        found: &mut Vec<Record>,
    ) -> Result<Option<Found>> {
        let next = match self.codec {
            Codec::None => self.cut(entries, found)?,
            _ => self.decode(entries, found)?,
        };
        self.start += next.as_ref().map_or(0, |frame| frame.plain);
        Ok(next)
    }

    /// A frame, as delimited by its codec.
    fn decode(
        &mut self,
        entries: &mut dyn EntryScanner,
        found: &mut Vec<Record>,
    ) -> Result<Option<Found>> {
        if self.stored.fill_buf().map_err(BlockingReader::unwrap_error)?.is_empty() {
            return Ok(None);
        }
        self.plain.clear();
        let begin = self.stored.size();
        let read = match self.codec {
            Codec::Gzip => {
                GzDecoder::new(&mut self.stored).take(MAX_FRAME + 1).read_to_end(&mut self.plain)
            }
            _ => zstd::stream::read::Decoder::with_buffer(&mut self.stored)
                .map(zstd::stream::read::Decoder::single_frame)
                .and_then(|frame| frame.take(MAX_FRAME + 1).read_to_end(&mut self.plain)),
        };
        read.map_err(|e| match e.downcast::<Error>() {
            Ok(error) => error,
            Err(e) => damaged(&format!("the frame at byte {begin} cannot be decompressed: {e}")),
        })?;
        if self.plain.len() as u64 > MAX_FRAME {
            return Err(damaged(&format!("the frame at byte {begin} contains more than 64 MiB")));
        }
        entries.push(&self.plain, found)?;
        let stored = self.stored.size() - begin;
        Ok(Some(Found { stored, plain: self.plain.len() as u64, sha256: self.stored.end_frame() }))
    }

    /// Without a codec frames have no delimiter: one is cut where an entry begins, near the usual
    /// size.
    fn cut(
        &mut self,
        entries: &mut dyn EntryScanner,
        found: &mut Vec<Record>,
    ) -> Result<Option<Found>> {
        found.extend(self.carried_entry.take());
        let had = self.carried.len();
        let wanted = SEGMENT_SIZE.saturating_sub(had).max(64 << 10) as u64;
        (&mut self.stored)
            .take(wanted)
            .read_to_end(&mut self.carried)
            .map_err(BlockingReader::unwrap_error)?;
        let ended = self.carried.len() == had;
        entries.push(&self.carried[had..], found)?;
        let len = if ended { self.carried.len() } else { self.cut_at(entries, found) };
        if len == 0 {
            return Ok(None);
        }
        let sha256 = Digest256::of(&self.carried[..len]);
        self.carried.drain(..len);
        Ok(Some(Found { stored: len as u64, plain: len as u64, sha256 }))
    }

    /// How many of the carried bytes form a frame. Headers, and the map of a sparse file after
    /// them, are not split: an entry that has just begun goes into the next frame.
    fn cut_at(&mut self, entries: &dyn EntryScanner, found: &mut Vec<Record>) -> usize {
        let end = self.start + self.carried.len() as u64;
        let begun = match found.last() {
            Some(Record::File(last)) if last.at + last.len > end && end - last.at < MAP_ROOM => {
                Some(last.at)
            }
            _ => None,
        };
        let cut = begun.or(entries.open_since()).filter(|at| *at > self.start);
        match cut.and_then(|at| usize::try_from(at - self.start).ok()) {
            Some(len) => {
                if begun.is_some() {
                    self.carried_entry = found.pop();
                }
                len
            }
            None => self.carried.len(),
        }
    }
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Damaged, "index.rebuild", why)
}
