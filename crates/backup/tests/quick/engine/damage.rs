//! Bytes that are not what was written, and what tells of them.

use super::support::*;

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
        assert!(error.remedy().unwrap().contains("rebuild_index"), "{error:?}");

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
