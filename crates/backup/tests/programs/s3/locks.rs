//! Object lock: what is locked stays whole, and is named with its end.

use std::sync::Arc;

use seaworthy_backup::{
    BackupSink, Keep, KeepPolicy, Prune,
    sinks::s3::{LockMode, ObjectLock, S3Options},
};
use seaworthy_core::{Context, ErrorKind, ManualClock, Span, TimeZone, Timestamp};

use super::support::{b2, b2_options, job, moto, options, repository, sink};

async fn stays_locked(options: &mut S3Options, object: &str) {
    options.object_lock = Some(ObjectLock::new(LockMode::Compliance, Span::days(30)));
    let sink = sink(options);
    let now = Timestamp::from(std::time::SystemTime::now());
    let clock = Arc::new(ManualClock::new(now));
    let cx = Context::new().with_clock(clock.clone());
    let first = job(&sink, 20 << 20).run(&cx).await.unwrap();
    clock.set(now.plus(Span::days(2), &TimeZone::utc()));
    job(&sink, 20 << 20).run(&cx).await.unwrap();
    let policy = KeepPolicy::new(Keep::new().last(1), TimeZone::utc()).unwrap();
    let prune = || Prune::new(repository(&sink)).policy(&policy);
    let report = prune().run(None, &cx).await.unwrap();
    assert_eq!(report.locked.len(), 1, "{report:?}");
    assert!(report.locked[0].id == first.id && report.removed.is_empty());
    let until = report.locked[0].until.unwrap();
    assert!((29..=30).contains(&(until.since(now).as_secs() / 86_400)), "{until}");
    let listed = repository(&sink).list(&cx).await.unwrap();
    assert!(listed.iter().all(|snapshot| snapshot.is_good()), "left whole: {listed:?}");
    let payload = first.folder.join(object).unwrap();
    assert!(sink.history(&payload).await.unwrap().locked_until.is_some());
    let refused = sink.delete(&payload).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    // Pins come and go all the same.
    repository(&sink).pin(&first.id, &cx).await.unwrap();
    repository(&sink).unpin(&first.id).await.unwrap();
}

#[tokio::test]
async fn a_locked_snapshot_is_left_whole() {
    let (_, server) = moto(true);
    // moto forgets the lock of what is uploaded in parts.
    stays_locked(&mut options(&server.url()), "manifest.json").await;
}

#[tokio::test]
async fn a_locked_snapshot_at_b2_is_left_whole() {
    let (_, server) = b2();
    stays_locked(&mut b2_options(&server, seaworthy_tests::s3::KEY_ID), "data.bin.zst").await;
}
