//! One snapshot: whole or not there at all, named, locked, readable by stock tools.

use super::support::*;

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
