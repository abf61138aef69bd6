//! A source of plain bytes, a target in memory, and a clock that is moved by hand.

pub(crate) use std::sync::{Arc, Mutex};

pub(crate) use async_trait::async_trait;
pub(crate) use seaworthy_backup::{
    BackupJob, BackupReport, BackupSink, BackupSinkExt, BackupSource, HostId, Keep, KeepPolicy,
    MemorySink, ObjectKey, PayloadKind, Prune, PutOptions, Repository, RestoreReport,
    RestoreTarget, RunOptions, Selection, Snapshot, SnapshotState, SourceSummary, StateFolder,
    format::{
        SnapshotKind,
        index::{DatabaseRecord, Entry, Loss, LossRecord, PathBytes, Record},
    },
    payload::{Codec, Compression, Segment, SegmentSender},
    restore::{Restoration, RestoreOptions, restore},
    snapshot::PayloadReader,
    testing::{Call, Fault, FaultySink, Plan},
    verify::{VerifyOptions, rebuild_index, verify},
};
pub(crate) use seaworthy_core::{
    Clock, Context, Error, ErrorKind, ManualClock, Name, Result, Span, TimeZone, Timestamp,
};

/// Sends `chunks`, each as a segment, and claims what `summary` says.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    pub(crate) chunks: Mutex<Vec<Vec<u8>>>,
    pub(crate) summary: Mutex<SourceSummary>,
    pub(crate) fails: bool,
}

impl Chunks {
    pub(crate) fn new(chunks: impl IntoIterator<Item = Vec<u8>>) -> Arc<Self> {
        let source = Self::default();
        source.set(chunks);
        Arc::new(source)
    }

    pub(crate) fn set(&self, chunks: impl IntoIterator<Item = Vec<u8>>) {
        let chunks: Vec<_> = chunks.into_iter().collect();
        let mut summary = self.summary.lock().unwrap();
        summary.files = chunks.len() as u64;
        summary.bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        *self.chunks.lock().unwrap() = chunks;
    }

    pub(crate) fn set_unreadable(&self, unreadable: u64) {
        self.summary.lock().unwrap().unreadable = unreadable;
    }
}

#[async_trait]
impl BackupSource for Chunks {
    fn payload(&self) -> PayloadKind {
        PayloadKind::new("bytes").unwrap()
    }

    async fn dump(&self, out: SegmentSender, _: &Context) -> Result<SourceSummary> {
        let chunks = self.chunks.lock().unwrap().clone();
        let mut workers = tokio::task::JoinSet::new();
        for (n, data) in chunks.into_iter().enumerate() {
            let path = PathBytes(format!("item {n}").into_bytes());
            let entry = Entry::Database(DatabaseRecord::new(path, data.len() as u64));
            let progress_bytes = data.len() as u64;
            let segment = Segment { data, entries: vec![entry], progress_bytes };
            // The places are taken in order; the work is done in any.
            let slot = out.reserve().await?;
            workers.spawn_blocking(move || slot.fill(segment));
        }
        while let Some(done) = workers.join_next().await {
            done.unwrap()?;
        }
        if self.fails {
            return Err(Error::new(ErrorKind::Source, "test", "the source failed late"));
        }
        let summary = self.summary.lock().unwrap().clone();
        if summary.unreadable > 0 {
            let loss = LossRecord::new(PathBytes(b"x".to_vec()), Loss::Unreadable, "denied");
            let mut segment = Segment::default();
            segment.entries.push(Entry::Loss(loss));
            out.send(segment).await?;
        }
        Ok(summary)
    }
}

/// Loads a payload into memory.
#[derive(Debug)]
pub(crate) struct Collected(pub(crate) Arc<Mutex<Vec<u8>>>);

#[async_trait]
impl RestoreTarget for Collected {
    async fn prepare(&mut self, _: &Snapshot, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn load(&mut self, payload: PayloadReader, _: &Selection, _: &Context) -> Result<()> {
        let (mut decoder, mut plain) = (payload.decoder()?, Vec::new());
        let records: Vec<_> = payload.records()?.collect::<Result<_>>()?;
        for record in records {
            if let Record::Frame(frame) = record {
                decoder.decode(&frame, &payload.fetch(&frame).await?, &mut plain)?;
                self.0.lock().unwrap().extend_from_slice(&plain);
            }
        }
        Ok(())
    }

    async fn finish(self: Box<Self>, _: &Context) -> Result<RestoreReport> {
        Ok(RestoreReport::default())
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.0.lock().unwrap().clear();
        Ok(())
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn host() -> HostId {
    HostId::from_machine_id("test")
}

pub(crate) fn job(sink: &MemorySink, source: &Arc<Chunks>) -> BackupJob {
    BackupJob::new(name("nightly"), host(), Arc::new(sink.clone()))
        .source(name("data"), source.clone())
}

pub(crate) fn repository(sink: &MemorySink) -> Repository {
    Repository::new(Arc::new(sink.clone()), name("nightly"), host())
}

/// A context whose clock starts on a day of 2026 and is moved by hand.
pub(crate) fn clock() -> (Context, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix(1_780_000_000)));
    (Context::new().with_clock(clock.clone()), clock)
}

pub(crate) async fn restored(repository: &Repository, report: &BackupReport) -> Result<Vec<u8>> {
    let cx = Context::new();
    let snapshot = repository.open(&report.id).await?;
    let out = Arc::new(Mutex::new(Vec::new()));
    let target = Box::new(Collected(out.clone()));
    let restoration = Restoration::new(name("data"), target, Selection::all());
    restore(&snapshot, vec![restoration], &RestoreOptions::default(), &cx).await?;
    Ok(out.lock().unwrap().clone())
}

/// Bytes that do not repeat at once, so that no codec hides a difference.
pub(crate) fn noise(len: usize, mut seed: u32) -> Vec<u8> {
    let next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}
