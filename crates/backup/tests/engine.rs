//! The engine end to end, on a sink in memory and a source of plain bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use seaworthy_backup::{
    BackupJob, BackupReport, BackupSink, BackupSinkExt, BackupSource, HostId, Keep, KeepPolicy,
    MemorySink, ObjectKey, PayloadKind, Prune, PutOptions, Repository, RestoreReport,
    RestoreTarget, RunOptions, Selection, Snapshot, SnapshotState, SourceSummary, StateFolder,
    payload::{Codec, Compression, PayloadReader, Segment, SegmentSender},
    restore::{Restoration, RestoreOptions, restore},
    snapshot::{
        SnapshotKind,
        index::{DatabaseRecord, Entry, Loss, LossRecord, PathBytes, Record},
    },
    testing::{Call, Fault, FaultySink, Plan},
    verify::{VerifyOptions, rebuild_index, verify},
};
use seaworthy_core::{
    Clock, Context, Error, ErrorKind, ManualClock, Name, Result, Span, TimeZone, Timestamp,
};

/// Sends `chunks`, each as a segment, and claims what `summary` says.
#[derive(Debug, Default)]
struct Chunks {
    chunks: Mutex<Vec<Vec<u8>>>,
    summary: Mutex<SourceSummary>,
    fails: bool,
}

impl Chunks {
    fn new(chunks: impl IntoIterator<Item = Vec<u8>>) -> Arc<Self> {
        let source = Self::default();
        source.set(chunks);
        Arc::new(source)
    }

    fn set(&self, chunks: impl IntoIterator<Item = Vec<u8>>) {
        let chunks: Vec<_> = chunks.into_iter().collect();
        let mut summary = self.summary.lock().unwrap();
        summary.files = chunks.len() as u64;
        summary.bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        *self.chunks.lock().unwrap() = chunks;
    }

    fn set_unreadable(&self, unreadable: u64) {
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
struct Collected(Arc<Mutex<Vec<u8>>>);

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

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn host() -> HostId {
    HostId::from_machine_id("test")
}

fn job(sink: &MemorySink, source: &Arc<Chunks>) -> BackupJob {
    BackupJob::new(name("nightly"), host(), Arc::new(sink.clone()))
        .source(name("data"), source.clone())
}

fn repository(sink: &MemorySink) -> Repository {
    Repository::new(Arc::new(sink.clone()), name("nightly"), host())
}

/// A context whose clock starts on a day of 2026 and is moved by hand.
fn clock() -> (Context, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix(1_780_000_000)));
    (Context::new().with_clock(clock.clone()), clock)
}

async fn restored(repository: &Repository, report: &BackupReport) -> Result<Vec<u8>> {
    let cx = Context::new();
    let snapshot = repository.open(&report.id).await?;
    let out = Arc::new(Mutex::new(Vec::new()));
    let target = Box::new(Collected(out.clone()));
    let restoration = Restoration::new(name("data"), target, Selection::all());
    restore(&snapshot, vec![restoration], &RestoreOptions::default(), &cx).await?;
    Ok(out.lock().unwrap().clone())
}

/// Bytes that do not repeat at once, so that no codec hides a difference.
fn noise(len: usize, mut seed: u32) -> Vec<u8> {
    let next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[tokio::test]
async fn what_is_backed_up_comes_back_in_order_with_every_codec() {
    let chunks: Vec<_> = (0..40).map(|n| noise(1 + n * 997, n as u32)).collect();
    let whole = chunks.concat();
    for codec in [Codec::Zstd, Codec::Gzip, Codec::None] {
        let sink = MemorySink::new();
        let mut options = RunOptions::default();
        options.compression = Compression::new(codec, None).unwrap();
        options.workers = 4;
        let job = job(&sink, &Chunks::new(chunks.clone())).options(options);
        let report = job.run(&Context::new()).await.unwrap();
        assert!(report.is_good());
        assert_eq!(report.plain, whole.len() as u64);
        assert_eq!(report.verified.as_ref().unwrap().frames, 40);
        assert!(restored(job.repository(), &report).await.unwrap() == whole, "{codec:?}");
    }
}

#[tokio::test]
async fn a_payload_is_an_ordinary_stream_and_the_digests_are_those_of_sha256sum() {
    let sink = MemorySink::new();
    let chunks = [noise(5000, 1), vec![7; 100_000], noise(3, 2)];
    let report = job(&sink, &Chunks::new(chunks.clone())).run(&Context::new()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for object in sink.list_sorted(&report.folder).await.unwrap() {
        let bytes = sink.get(&object.key, 1 << 30).await.unwrap();
        std::fs::write(folder.path().join(object.key.name().unwrap()), bytes).unwrap();
    }
    let run = |command: &str| {
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-ec", command]).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        output.stdout
    };
    assert_eq!(run("zstd -dc data.bytes.zst"), chunks.concat());
    run("sha256sum -c --strict SHA256SUMS");
    run("zstd -dc index.jsonl.zst | jq -es 'length == 7'");
    let seal = run("head -n -2 manifest.json | sha256sum | cut -d' ' -f1");
    let sealed = run("jq -r .sha256 manifest.json");
    assert_eq!(seal, sealed);
}

#[tokio::test]
async fn no_flipped_or_cut_byte_is_ever_silent() {
    let sink = MemorySink::new();
    let source = Chunks::new([noise(300, 1), vec![7; 600]]);
    let good = job(&sink, &source).run(&Context::new()).await.unwrap();
    let whole = restored(&repository(&sink), &good).await.unwrap();
    let cx = Context::new();
    for object in sink.list_sorted(&good.folder).await.unwrap() {
        let bytes = sink.get(&object.key, 1 << 20).await.unwrap();
        let flips = (0..bytes.len()).map(|at| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            flipped
        });
        let cuts = (0..bytes.len()).map(|at| bytes[..at].to_vec());
        for wrong in flips.chain(cuts) {
            sink.put(&object.key, wrong.into(), PutOptions::default()).await.unwrap();
            let found = match repository(&sink).open(&good.id).await {
                Err(error) => error.kind() == ErrorKind::Damaged,
                Ok(snapshot) => {
                    let report = verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap();
                    !report.is_good()
                }
            };
            assert!(found, "{} was changed and verify saw nothing", object.key);
            // What a restore gives back is right, or it fails.
            if let Ok(bytes) = restored(&repository(&sink), &good).await {
                assert!(bytes == whole, "{} was changed and restored", object.key);
            }
        }
        sink.put(&object.key, bytes.into(), PutOptions::default()).await.unwrap();
    }
    assert!(repository(&sink).list(&cx).await.unwrap()[0].is_good());
}

#[tokio::test]
async fn a_finding_names_object_place_and_item() {
    let sink = MemorySink::new();
    let source = Chunks::new((0..5).map(|n| noise(1000, n)));
    let report = job(&sink, &source).run(&Context::new()).await.unwrap();
    let key = report.folder.join("data.bytes.zst").unwrap();
    let mut bytes = sink.get(&key, 1 << 20).await.unwrap();
    bytes[2500] ^= 1;
    sink.put(&key, bytes.into(), PutOptions::default()).await.unwrap();
    let snapshot = repository(&sink).open(&report.id).await.unwrap();
    let found = verify(&snapshot, &VerifyOptions::default(), &Context::new()).await.unwrap();
    assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    assert_eq!(found.findings[0].object, "data.bytes.zst");
    assert_eq!(found.findings[0].affects, ["item 2"]);
    assert_eq!(found.frames, 5);
}

#[tokio::test]
async fn a_source_that_fails_late_leaves_nothing() {
    let sink = MemorySink::new();
    let source = Chunks { fails: true, ..Chunks::default() };
    source.set([noise(9000, 1)]);
    let state = tempfile::tempdir().unwrap();
    let job = job(&sink, &Arc::new(source)).state(StateFolder::new(state.path()));
    let error = job.run(&Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(sink.list_sorted(&ObjectKey::root()).await.unwrap().is_empty());
    assert!(repository(&sink).list(&Context::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn cancelling_leaves_nothing() {
    let sink = MemorySink::new();
    let cx = Context::new();
    cx.cancel().trigger();
    let error = job(&sink, &Chunks::new([noise(10, 1)])).run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(sink.list_sorted(&ObjectKey::root()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_empty_or_shrunken_source_is_suspect_until_three_alike() {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let source = Chunks::new((0..10).map(|n| noise(100, n)));
    let keep = KeepPolicy::new(Keep::new().last(1), TimeZone::utc()).unwrap();
    let job = job(&sink, &source).retention(Arc::new(keep));
    let good = job.run(&cx).await.unwrap();
    assert!(good.is_good());

    source.set([]);
    for _ in 0..2 {
        clock.advance(Span::days(1));
        let report = job.run(&cx).await.unwrap();
        assert!(!report.is_good() && report.prune.is_none());
        // The last real backup is still the latest.
        assert_eq!(repository(&sink).resolve("latest", &cx).await.unwrap().id, good.id);
    }
    clock.advance(Span::days(1));
    let third = job.run(&cx).await.unwrap();
    assert!(third.accepted && third.is_good());
    // Now it counts, and `last = 1` leaves it alone.
    let left = repository(&sink).list(&cx).await.unwrap();
    assert_eq!(left.iter().map(|s| &s.id).collect::<Vec<_>>(), [&third.id]);

    clock.advance(Span::days(1));
    let fourth = job.run(&cx).await.unwrap();
    assert!(fourth.suspicions.is_empty(), "what was accepted is not suspicious again");
}

#[tokio::test]
async fn accepting_makes_a_suspect_result_good_at_once() {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let source = Chunks::new([noise(100, 1)]);
    job(&sink, &source).run(&cx).await.unwrap();
    source.set_unreadable(2);
    clock.advance(Span::days(1));
    let report = job(&sink, &source).run(&cx).await.unwrap();
    assert!(!report.is_good() && report.has_losses());
    assert_eq!(report.losses.len(), 1);
    clock.advance(Span::days(1));
    let mut options = RunOptions::default();
    options.accept = true;
    let report = job(&sink, &source).options(options).run(&cx).await.unwrap();
    assert!(report.is_good() && report.has_losses());
    assert_eq!(repository(&sink).resolve("latest", &cx).await.unwrap().id, report.id);
}

#[tokio::test]
async fn exactly_one_copy_is_replaced_after_the_new_one_is_verified() {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let source = Chunks::new([noise(100, 1)]);
    let keep = KeepPolicy::new(Keep::new().last(1), TimeZone::utc()).unwrap();
    let job = job(&sink, &source).retention(Arc::new(keep));
    let mut last = job.run(&cx).await.unwrap();
    for _ in 0..3 {
        clock.advance(Span::days(7));
        let report = job.run(&cx).await.unwrap();
        assert!(report.verified.as_ref().unwrap().is_good());
        assert_eq!(report.prune.as_ref().unwrap().removed, [last.id.clone()]);
        let left = repository(&sink).list(&cx).await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].id, report.id);
        last = report;
    }
    let objects = sink.list_sorted(&ObjectKey::root()).await.unwrap();
    assert!(objects.iter().all(|o| o.key.starts_with(&last.folder)), "litter: {objects:?}");
}

#[tokio::test]
async fn pins_protect_and_a_dry_run_changes_nothing() {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let job = job(&sink, &Chunks::new([noise(100, 1)]));
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(job.run(&cx).await.unwrap().id);
        clock.advance(Span::days(1));
    }
    let repository = repository(&sink);
    repository.pin(&ids[0], &cx).await.unwrap();
    let keep = KeepPolicy::new(Keep::new().last(1), TimeZone::utc()).unwrap();
    let prune = || Prune::new(repository.clone()).policy(&keep);
    let dry = prune().dry_run(true).run(None, &cx).await.unwrap();
    assert_eq!(dry.removed, [ids[2].clone(), ids[1].clone()]);
    assert_eq!(repository.list(&cx).await.unwrap().len(), 4);
    let real = prune().run(None, &cx).await.unwrap();
    assert_eq!((real.removed, real.freed), (dry.removed, dry.freed));
    repository.unpin(&ids[0]).await.unwrap();
    prune().run(None, &cx).await.unwrap();
    assert_eq!(repository.list(&cx).await.unwrap().len(), 1);
}

#[tokio::test]
async fn damaged_snapshots_are_listed_never_latest_and_never_pruned() {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let job = job(&sink, &Chunks::new([noise(100, 1)]));
    let first = job.run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    let second = job.run(&cx).await.unwrap();
    let key = second.folder.join("data.bytes.zst").unwrap();
    sink.put(&key, "short".into(), PutOptions::default()).await.unwrap();
    clock.advance(Span::days(400));
    let repository = repository(&sink);
    let listed = repository.list(&cx).await.unwrap();
    assert!(matches!(&listed[0].state, SnapshotState::Damaged { why } if why.contains("5 bytes")));
    assert_eq!(repository.resolve("latest", &cx).await.unwrap().id, first.id);
    let keep = KeepPolicy::new(Keep::new().last(1), TimeZone::utc()).unwrap();
    let report = Prune::new(repository).policy(&keep).run(None, &cx).await.unwrap();
    assert!(report.removed.is_empty());
}

#[tokio::test]
async fn ids_resolve_by_any_unambiguous_beginning() {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let job = job(&sink, &Chunks::new([noise(100, 1)]));
    let first = job.run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    job.run(&cx).await.unwrap();
    let repository = repository(&sink);
    let kind = |error: Error| error.kind();
    let found = repository.resolve(&first.id.as_str()[..12], &cx).await.unwrap();
    assert_eq!(found.id, first.id);
    let ambiguous = repository.resolve("2026", &cx).await.map_err(kind).unwrap_err();
    assert_eq!(ambiguous, ErrorKind::Ambiguous);
    for unknown in ["1999", "", "latest2"] {
        let error = repository.resolve(unknown, &cx).await.map_err(kind).unwrap_err();
        assert!(matches!(error, ErrorKind::NotFound | ErrorKind::Ambiguous), "{unknown:?}");
    }
}

#[tokio::test]
async fn the_remains_of_a_dead_run_of_this_host_are_reaped_at_once() {
    let sink = MemorySink::new();
    let state = tempfile::tempdir().unwrap();
    let source = Chunks::new([noise(100, 1)]);
    let job = job(&sink, &source).state(StateFolder::new(state.path()));
    job.run(&Context::new()).await.unwrap();
    // A run that was killed: its marker and an object, no manifest.
    let dead = "20260101T000000Z-dead00";
    let key: ObjectKey = format!("nightly/{dead}/data.bytes.zst").parse().unwrap();
    sink.put(&key, "half".into(), PutOptions::default()).await.unwrap();
    // A run of another host that is under way has no marker here.
    let other: ObjectKey = "nightly/20260101T000000Z-abcdef/data.bytes.zst".parse().unwrap();
    sink.put(&other, "half".into(), PutOptions::default()).await.unwrap();
    let sinks = std::fs::read_dir(state.path().join("sinks")).unwrap();
    let folder = sinks.map(|entry| entry.unwrap().path()).next().unwrap();
    std::fs::write(folder.join("nightly/runs").join(dead), "").unwrap();

    assert_eq!(repository(&sink).list(&Context::new()).await.unwrap().len(), 1);
    job.run(&Context::new()).await.unwrap();
    assert!(sink.stat(&key).await.is_err());
    assert!(sink.stat(&other).await.is_ok());
    assert!(!folder.join("nightly/runs").join(dead).exists());
}

#[tokio::test]
async fn two_runs_at_once_are_refused_and_the_holder_is_named() {
    let sink = MemorySink::new();
    let state = tempfile::tempdir().unwrap();
    let job = job(&sink, &Chunks::new([noise(9, 1)])).state(StateFolder::new(state.path()));
    let held = job.lock("backup nightly").unwrap();
    let error = job.run(&Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("backup nightly (process "), "{error}");
    job.run_locked(&held, &Context::new()).await.unwrap();
}

#[tokio::test]
async fn safety_snapshots_are_never_latest_and_prune_nothing() {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let source = Chunks::new([noise(100, 1)]);
    let first = job(&sink, &source).run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    let keep = KeepPolicy::new(Keep::new().last(1), TimeZone::utc()).unwrap();
    let mut options = RunOptions::default();
    options.kind = SnapshotKind::Safety;
    let safety = job(&sink, &source).retention(Arc::new(keep)).options(options);
    let report = safety.run(&cx).await.unwrap();
    assert!(report.prune.is_none());
    assert_eq!(repository(&sink).resolve("latest", &cx).await.unwrap().id, first.id);
}

#[tokio::test]
async fn a_lost_or_damaged_index_is_rebuilt_from_the_payloads() {
    let temp = std::env::temp_dir();
    for codec in [Codec::Zstd, Codec::Gzip, Codec::None] {
        let cx = Context::new();
        let sink = MemorySink::new();
        let chunks: Vec<_> = (0..7).map(|n| noise(70_000, n)).collect();
        let mut options = RunOptions::default();
        options.compression = Compression::new(codec, None).unwrap();
        let job = job(&sink, &Chunks::new(chunks.clone())).options(options);
        let report = job.run(&cx).await.unwrap();
        let repository = repository(&sink);
        let snapshot = repository.open(&report.id).await.unwrap();
        sink.delete(&report.folder.join(&snapshot.manifest().index).unwrap()).await.unwrap();
        assert!(!repository.list(&cx).await.unwrap()[0].is_good());
        let error = restored(&repository, &report).await.unwrap_err();
        assert!(error.remedy().unwrap().contains("--rebuild-index"), "{error:?}");

        let rebuilt = rebuild_index(&repository, &snapshot, &temp, &cx).await.unwrap();
        assert!(rebuilt.frames > 0);
        assert!(repository.list(&cx).await.unwrap()[0].is_good());
        assert!(restored(&repository, &report).await.unwrap() == chunks.concat(), "{codec:?}");
        let snapshot = repository.open(&report.id).await.unwrap();
        let found = verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap();
        assert!(found.is_good(), "{:?}", found.findings);
        assert_eq!(found.frames, rebuilt.frames);
    }
}

#[tokio::test]
async fn a_damaged_payload_gets_no_new_index_and_nothing_is_changed() {
    let cx = Context::new();
    let sink = MemorySink::new();
    let report = job(&sink, &Chunks::new([noise(5000, 1)])).run(&cx).await.unwrap();
    let repository = repository(&sink);
    let snapshot = repository.open(&report.id).await.unwrap();
    let key = report.folder.join("data.bytes.zst").unwrap();
    let mut bytes = sink.get(&key, 1 << 20).await.unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    sink.put(&key, bytes.into(), PutOptions::default()).await.unwrap();
    let index = report.folder.join(&snapshot.manifest().index).unwrap();
    let temp = std::env::temp_dir();
    // One that is whole is left alone: it knows more than a new one.
    let error = rebuild_index(&repository, &snapshot, &temp, &cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    sink.delete(&index).await.unwrap();
    let error = rebuild_index(&repository, &snapshot, &temp, &cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(sink.stat(&index).await.is_err());
}

#[tokio::test]
async fn a_sample_reads_a_part_and_finds_what_it_reads() {
    let cx = Context::new();
    let sink = MemorySink::new();
    let source = Chunks::new((0..200).map(|n| noise(500, n)));
    let report = job(&sink, &source).run(&cx).await.unwrap();
    let snapshot = repository(&sink).open(&report.id).await.unwrap();
    let mut options = VerifyOptions::default();
    options.sample = Some(0.1);
    let found = verify(&snapshot, &options, &cx).await.unwrap();
    assert!(found.is_good() && !found.complete);
    assert!((1..100).contains(&found.frames), "{} of 200 frames", found.frames);
    let key = report.folder.join("data.bytes.zst").unwrap();
    let size = sink.stat(&key).await.unwrap().size;
    sink.put(&key, noise(size as usize, 9).into(), PutOptions::default()).await.unwrap();
    assert!(!verify(&snapshot, &options, &cx).await.unwrap().is_good());
}

#[tokio::test]
async fn the_last_made_is_the_newest_also_within_a_second_and_after_the_clock_went_back() {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let keep = KeepPolicy::new(Keep::new().last(1), TimeZone::utc()).unwrap();
    let job = job(&sink, &Chunks::new([noise(100, 1)])).retention(Arc::new(keep));
    let start = clock.now();
    for (n, back) in [0, 0, 0, 1800, 3000].into_iter().enumerate() {
        clock.set(start.minus(Span::seconds(back), &TimeZone::utc()));
        let report = job.run(&cx).await.unwrap();
        let left = repository(&sink).list(&cx).await.unwrap();
        assert_eq!(left.len(), 1, "run {n}");
        assert_eq!(left[0].id, report.id, "run {n} removed what it had just made");
    }
}

#[tokio::test]
async fn a_snapshot_whose_verification_failed_to_end_is_never_good() {
    let cx = Context::new();
    let faulty = FaultySink::new(MemorySink::new());
    let host = host();
    let job = BackupJob::new(name("nightly"), host, Arc::new(faulty.clone()))
        .source(name("data"), Chunks::new([noise(5000, 1)]));
    // The payload cannot be read back, now or later.
    faulty.plan(Plan::every(Call::Read, Fault::Fail(ErrorKind::Io)).on_name("data.bytes.zst"));
    let report = job.run(&cx).await.unwrap();
    assert!(!report.is_good());
    // The index cannot be reached just now: that says nothing, so the run fails.
    faulty.heal();
    faulty.plan(
        Plan::every(Call::Read, Fault::Fail(ErrorKind::Unavailable)).on_name("index.jsonl.zst"),
    );
    let error = job.run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    faulty.heal();
    let listed = job.repository().list(&cx).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|s| !s.is_good()), "{listed:?}");
    // A complete verification proves it after all.
    let snapshot = job.repository().open(&listed[0].id).await.unwrap();
    let verified = verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap();
    let later = cx.now().plus(Span::seconds(5), &TimeZone::utc());
    job.repository().record_check(&listed[0].id, &verified.to_record(later)).await.unwrap();
    assert!(job.repository().list(&cx).await.unwrap()[0].is_good());
}

#[tokio::test]
async fn one_unreadable_old_manifest_keeps_nobody_from_backing_up() {
    let (cx, clock) = clock();
    let faulty = FaultySink::new(MemorySink::new());
    let job = BackupJob::new(name("nightly"), host(), Arc::new(faulty.clone()))
        .source(name("data"), Chunks::new([noise(50, 1)]));
    job.run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    faulty.plan(Plan::nth(Call::Read, 1, Fault::Fail(ErrorKind::Io)).on_name("manifest.json"));
    job.run(&cx).await.unwrap();
    faulty.heal();
    assert_eq!(job.repository().list(&cx).await.unwrap().len(), 2);
}
