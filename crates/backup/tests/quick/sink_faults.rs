//! The fault wrapper does what it says.

use std::time::Duration;

use bytes::Bytes;
use seaworthy_backup::{
    BackupSink, BackupSinkExt, MemorySink, ObjectKey, PutOptions,
    testing::{Call, Fault, FaultySink, Plan},
};
use seaworthy_core::ErrorKind;

fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

async fn put(sink: &FaultySink, name: &str) -> Result<(), ErrorKind> {
    let done = sink.put(&key(name), "0123456789".into(), PutOptions::default()).await;
    done.map(drop).map_err(|error| error.kind())
}

#[tokio::test]
async fn the_nth_call_fails_and_only_for_that_name() {
    let sink = FaultySink::new(MemorySink::new());
    sink.plan(Plan::nth(Call::Commit, 2, Fault::Fail(ErrorKind::Unavailable)).on_name("m"));
    assert_eq!(put(&sink, "a/m").await, Ok(()));
    assert_eq!(put(&sink, "a/other").await, Ok(()));
    assert_eq!(put(&sink, "b/m").await, Err(ErrorKind::Unavailable));
    assert_eq!(sink.stat(&key("b/m")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(put(&sink, "b/m").await, Ok(()));
    assert_eq!(sink.calls(Call::Commit), 4);
}

#[tokio::test]
async fn every_method_can_fail_until_healed() {
    let sink = FaultySink::new(MemorySink::new());
    put(&sink, "a").await.unwrap();
    for call in [Call::Begin, Call::Write, Call::Commit] {
        sink.plan(Plan::every(call, Fault::Fail(ErrorKind::TimedOut)));
        assert_eq!(put(&sink, "b").await, Err(ErrorKind::TimedOut), "{call:?}");
        assert_eq!(put(&sink, "b").await, Err(ErrorKind::TimedOut), "{call:?}");
        sink.heal();
    }
    for call in [Call::Read, Call::Stat, Call::List, Call::Delete, Call::Abort] {
        sink.plan(Plan::every(call, Fault::Fail(ErrorKind::Io)));
    }
    assert!(sink.read(&key("a"), None).await.is_err());
    assert!(sink.stat(&key("a")).await.is_err());
    assert!(sink.list_sorted(&ObjectKey::root()).await.is_err());
    assert!(sink.delete(&key("a")).await.is_err());
    let upload = sink.begin(&key("c"), PutOptions::default()).await.unwrap();
    assert!(upload.abort().await.is_err());
    sink.heal();
    assert_eq!(sink.get(&key("a"), 100).await.unwrap(), b"0123456789");
}

#[tokio::test]
async fn a_lost_answer_still_stores() {
    let sink = FaultySink::new(MemorySink::new());
    sink.plan(Plan::nth(Call::Commit, 1, Fault::AnswerLost(ErrorKind::Unavailable)));
    assert_eq!(put(&sink, "a").await, Err(ErrorKind::Unavailable));
    assert_eq!(sink.stat(&key("a")).await.unwrap().size, 10);
}

#[tokio::test]
async fn reads_are_truncated_and_flipped_at_their_place() {
    let sink = FaultySink::new(MemorySink::new());
    put(&sink, "a").await.unwrap();
    sink.plan(Plan::nth(Call::Read, 1, Fault::Truncate(4)));
    assert_eq!(sink.get(&key("a"), 100).await.unwrap(), b"0123");
    sink.plan(Plan::every(Call::Read, Fault::Flip(6)));
    let whole = sink.get(&key("a"), 100).await.unwrap();
    assert_eq!((&whole[..6], whole[6], &whole[7..]), (&b"012345"[..], !b'6', &b"789"[..]));
    assert_eq!(sink.get_range(&key("a"), 5..8).await.unwrap(), &[b'5', !b'6', b'7'][..]);
    assert_eq!(sink.get_range(&key("a"), 7..9).await.unwrap(), "78");
}

#[tokio::test]
async fn space_runs_out_at_the_byte() {
    let sink = FaultySink::new(MemorySink::new());
    sink.fill_after(15);
    assert_eq!(put(&sink, "a").await, Ok(()));
    let mut upload = sink.begin(&key("b"), PutOptions::default()).await.unwrap();
    let error = upload.write(Bytes::from_static(b"0123456789")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    assert_eq!(upload.commit().await.unwrap().size, 5, "what fits is written");
    sink.heal();
    assert_eq!(put(&sink, "b").await, Ok(()));
}

#[tokio::test]
async fn a_slow_call_takes_its_time() {
    let sink = FaultySink::new(MemorySink::new());
    put(&sink, "a").await.unwrap();
    let at_once = Duration::ZERO;
    // A limit lets what is ready pass, however short it is.
    assert!(tokio::time::timeout(at_once, sink.stat(&key("a"))).await.is_ok());
    sink.plan(Plan::nth(Call::Stat, 1, Fault::Slow(Duration::from_secs(3600))));
    assert!(tokio::time::timeout(at_once, sink.stat(&key("a"))).await.is_err());
    assert!(tokio::time::timeout(at_once, sink.stat(&key("a"))).await.is_ok());
}
