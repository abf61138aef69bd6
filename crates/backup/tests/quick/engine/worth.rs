//! What a snapshot is worth, and what retention makes of it.

use super::support::*;

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
