//! The index as an object: written while the payloads are, read from a verified private copy.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use flate2::bufread::MultiGzDecoder;
use futures_util::TryStreamExt;
use seaworthy_core::{Context, Error, ErrorKind, Name, Result};
use sha2::{Digest, Sha256};

use super::upload::HashedUpload;
use crate::{
    encryption::{Opening, Recipients, Unsealer},
    format::{
        Codec, Digest256, ENCRYPTED_SUFFIX, MAX_FRAME, Manifest, ManifestObject, ObjectKey,
        index::{FrameRecord, Loss, LossRecord, Record},
    },
    payload::{Compression, codec::Compressor},
    sinks::BackupSink,
};

/// How much of the index is buffered before it is compressed, in bytes.
const BATCH: usize = 1 << 20;

/// How many losses a run's report lists.
const LOSSES: usize = 100;

/// The longest line of an index, in bytes: two paths of the longest kind, escaped.
const MAX_LINE: u64 = 1 << 20;

/// Writes the index while the payloads are written.
pub(crate) struct IndexWriter {
    upload: HashedUpload,
    /// Taken while a blocking thread works with it.
    compressor: Option<Compressor>,
    lines: Vec<u8>,
    /// The first losses, for the run's report; all of them are in the index.
    losses: Vec<LossRecord>,
}

impl IndexWriter {
    pub(crate) async fn begin(
        sink: &dyn BackupSink,
        folder: &ObjectKey,
        compression: Compression,
        recipients: Option<&Recipients>,
    ) -> Result<Self> {
        let name = format!("index.jsonl{}", compression.codec.suffix());
        let upload = HashedUpload::begin_for(recipients, sink, folder, name).await?;
        let compressor = Some(Compressor::new(compression)?);
        let lines = Vec::with_capacity(BATCH + 4096);
        Ok(Self { upload, compressor, lines, losses: Vec::new() })
    }

    /// The first losses that were recorded.
    pub(crate) fn losses(&self) -> &[LossRecord] {
        &self.losses
    }

    pub(crate) async fn push(&mut self, record: &Record) -> Result<()> {
        match record {
            Record::Loss(loss) if self.losses.len() < LOSSES && loss.loss != Loss::Socket => {
                self.losses.push(loss.clone());
            }
            _ => {}
        }
        let start = self.lines.len();
        serde_json::to_writer(&mut self.lines, record).map_err(|source| {
            Error::new(ErrorKind::Internal, "index.write", "cannot write an index record")
                .caused_by(source)
        })?;
        self.lines.push(b'\n');
        if (self.lines.len() - start) as u64 > MAX_LINE {
            let message = "an index record is longer than a reader accepts";
            return Err(Error::new(ErrorKind::InvalidInput, "index.write", message));
        }
        if self.lines.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        let broken =
            || Error::new(ErrorKind::Internal, "index.write", "the index writer has failed");
        let lines = std::mem::replace(&mut self.lines, Vec::with_capacity(BATCH + 4096));
        let mut compressor = self.compressor.take().ok_or_else(broken)?;
        let compressing = tokio::task::spawn_blocking(move || {
            let mut frame = Vec::new();
            let compressed = compressor.compress(&lines, &mut frame);
            (compressor, compressed.map(|()| frame))
        });
        let (compressor, frame) = compressing.await.map_err(|e| broken().caused_by(e))?;
        self.compressor = Some(compressor);
        self.upload.write(frame?.into()).await
    }

    pub(crate) async fn commit(mut self) -> Result<ManifestObject> {
        self.flush().await?;
        self.upload.commit().await
    }

    pub(crate) async fn abort(self) {
        self.upload.abort().await;
    }
}

/// The index of a snapshot: a private copy whose bytes were checked against the manifest.
/// Cloning shares it.
#[derive(Clone, Debug)]
pub struct Index {
    file: Arc<File>,
    codec: Codec,
    manifest: Arc<Manifest>,
    /// The copy is encrypted if the object is.
    unsealer: Option<Arc<Unsealer>>,
}

impl Index {
    /// Fetches the index in `manifest` into an unnamed file in the folder `temp` and checks its
    /// size and SHA-256.
    pub(crate) async fn fetch(
        sink: &dyn BackupSink,
        folder: &ObjectKey,
        manifest: Arc<Manifest>,
        opening: Option<Opening>,
        temp: &Path,
        cx: &Context,
    ) -> Result<Self> {
        opening.iter().try_for_each(Opening::check)?;
        let name = &manifest.index;
        let damaged = |why: String| {
            let message = format!("the index of {}@{} {why}", manifest.job, manifest.id);
            Error::new(ErrorKind::Damaged, "index.read", message).with("object", name).remedy_with(
                format!(
                    "verify {}@{} with `rebuild_index`: it makes a new one from the payloads",
                    manifest.job, manifest.id
                ),
                &["rebuild_index"],
            )
        };
        let vouched =
            manifest.object(name).ok_or_else(|| damaged("is not listed in the manifest".into()))?;
        let plain_name = name.strip_suffix(ENCRYPTED_SUFFIX).unwrap_or(name);
        let codec = [Codec::Zstd, Codec::Gzip, Codec::None]
            .into_iter()
            .find(|codec| plain_name == format!("index.jsonl{}", codec.suffix()))
            .ok_or_else(|| damaged("has an unknown name".into()))?;
        let fail = |e| {
            let message = format!("cannot keep a copy of the index in {}", temp.display());
            Error::io("index.read", message, e)
        };
        let mut file = tempfile::tempfile_in(temp).map_err(fail)?;
        let mut hash = Sha256::new();
        let mut size = 0;
        let mut stream = match sink.read(&folder.join(name)?, None).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(damaged("is missing".into()).caused_by(error));
            }
            stream => stream?,
        };
        while let Some(chunk) = stream.try_next().await? {
            cx.check("index.read")?;
            size += chunk.len() as u64;
            if size > vouched.size {
                break;
            }
            hash.update(&chunk);
            file.write_all(&chunk).map_err(fail)?;
        }
        if size != vouched.size {
            return Err(damaged(format!("does not have the size of {} bytes", vouched.size)));
        }
        if Digest256::from(hash.finalize()) != vouched.sha256 {
            return Err(damaged("does not have the SHA-256 in the manifest".into()));
        }
        let file = Arc::new(file);
        let unsealer = match opening {
            None => None,
            Some(opening) => {
                let copy = ReadAt { file: file.clone(), at: 0 };
                let unsealer = tokio::task::spawn_blocking(move || unseal(copy, size, &opening));
                let unsealer = unsealer.await.map_err(|source| {
                    Error::new(ErrorKind::Internal, "index.read", "a worker panicked")
                        .caused_by(source)
                })?;
                Some(Arc::new(unsealer?))
            }
        };
        Ok(Self { file, codec, manifest: manifest.clone(), unsealer })
    }

    /// The manifest of the snapshot.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Every record in order. Blocks on reading a local file.
    pub fn records(&self) -> Result<Records> {
        let copy = ReadAt { file: self.file.clone(), at: 0 };
        let copy: Box<dyn Read + Send> = match &self.unsealer {
            None => Box::new(copy),
            Some(unsealer) => unsealer.reader(copy)?,
        };
        let copy = BufReader::with_capacity(128 << 10, copy);
        let lines: Box<dyn BufRead + Send> = match self.codec {
            Codec::Zstd => {
                let zstd = zstd::stream::read::Decoder::with_buffer(copy)
                    .map_err(|e| Error::io("index.read", "cannot set up zstd", e))?;
                Box::new(BufReader::with_capacity(128 << 10, zstd))
            }
            Codec::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(copy))),
            Codec::None => Box::new(copy),
        };
        Ok(Records {
            lines,
            line: Vec::new(),
            manifest: self.manifest.clone(),
            payload: None,
            wanted: None,
            stored: 0,
            plain: 0,
        })
    }

    /// The records of the payload of `source`, in order, without its opening record.
    pub fn records_of(&self, source: &Name) -> Result<Records> {
        Ok(Records { wanted: Some(source.clone()), ..self.records()? })
    }
}

/// Reads the records of an index in order and rejects impossible ones.
pub struct Records {
    lines: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    manifest: Arc<Manifest>,
    /// Which of the manifest's sources the current payload belongs to.
    payload: Option<usize>,
    /// Only this source's records are returned.
    wanted: Option<Name>,
    /// Stored and plain bytes of the current payload so far: where the next frame must begin.
    stored: u64,
    plain: u64,
}

impl Records {
    fn next_record(&mut self) -> Result<Option<Record>> {
        loop {
            self.line.clear();
            let mut limited = (&mut self.lines).take(MAX_LINE);
            let read = limited.read_until(b'\n', &mut self.line);
            if read.map_err(|e| self.damaged(&e.to_string()))? == 0 {
                return self.check_payload().map(|()| None);
            }
            let record =
                serde_json::from_slice(&self.line).map_err(|e| self.damaged(&e.to_string()))?;
            match &record {
                Record::Payload(payload) => {
                    let sources = &self.manifest.sources;
                    let position = sources.iter().position(|s| s.name == payload.source);
                    let known = position.ok_or_else(|| self.damaged("a source is unknown"))?;
                    self.check_payload()?;
                    (self.payload, self.stored, self.plain) = (Some(known), 0, 0);
                    if self.wanted.is_some() {
                        continue;
                    }
                }
                Record::Frame(frame) => self.check_frame(frame)?,
                _ => {}
            }
            let present = self.payload.and_then(|at| self.manifest.sources.get(at));
            let present = present.ok_or_else(|| self.damaged("a payload's record is missing"))?;
            if self.wanted.as_ref().is_none_or(|wanted| *wanted == present.name) {
                return Ok(Some(record));
            }
        }
    }

    /// The frames of the finished payload must cover all of it.
    fn check_payload(&self) -> Result<()> {
        let source = self.payload.and_then(|at| self.manifest.sources.get(at));
        match source {
            Some(source) if (source.stored, source.plain) != (self.stored, self.plain) => {
                Err(self.damaged(&format!("it does not cover all of {}", source.object)))
            }
            _ => Ok(()),
        }
    }

    /// Frames follow each other without gaps in an object of the manifest.
    fn check_frame(&mut self, frame: &FrameRecord) -> Result<()> {
        let object = self.manifest.object(&frame.object);
        let object_size = object.ok_or_else(|| self.damaged("an object is unknown"))?.size;
        let end = frame.offset.checked_add(frame.stored);
        let fits = frame.plain <= MAX_FRAME
            && frame.stored <= 2 * MAX_FRAME
            && frame.offset == self.stored
            && frame.plain_offset == self.plain
            && end.is_some_and(|end| end <= object_size);
        if !fits {
            return Err(self.damaged("a frame is at an invalid offset"));
        }
        self.stored += frame.stored;
        self.plain = self.plain.saturating_add(frame.plain);
        Ok(())
    }

    fn damaged(&self, why: &str) -> Error {
        let message =
            format!("the index of {}@{} is damaged: {why}", self.manifest.job, self.manifest.id);
        Error::new(ErrorKind::Damaged, "index.read", message)
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// Finds the key of the index, whose `size` bytes are in `copy`.
fn unseal(copy: ReadAt, size: u64, opening: &Opening) -> Result<Unsealer> {
    let mut beginning = Vec::new();
    copy.take(1 << 20)
        .read_to_end(&mut beginning)
        .map_err(|e| Error::io("index.read", "cannot read the copy of the index", e))?;
    Unsealer::open(&beginning, size, opening)?
        .ok_or_else(|| Error::new(ErrorKind::Damaged, "index.read", "the index ends in its header"))
}

/// Reads a shared file with its own position.
struct ReadAt {
    file: Arc<File>,
    at: u64,
}

impl Read for ReadAt {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
