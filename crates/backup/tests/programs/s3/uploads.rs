//! Uploads in parts: their sizes, and what dead ones leave.

use bytes::Bytes;
use seaworthy_backup::{BackupSink, BackupSinkExt, ObjectKey, PutOptions};
use seaworthy_core::{ByteRate, ByteSize, Timestamp};
use seaworthy_tests::{noise, s3::FilesServer};
use tokio::time::Instant;

use super::support::{b2, b2_options, files, key, moto, options, sink};

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing_at_the_store() {
    let (sink, server) = files();
    for abort in [true, false] {
        let mut upload = sink.begin(&key("job/a"), PutOptions::default()).await.unwrap();
        for chunk in noise(20 << 20, 1).chunks(3 << 20) {
            upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        assert!(server.unfinished() > 0, "several parts were sent");
        if abort {
            upload.abort().await.unwrap();
        } else {
            drop(upload);
            // It goes on in the background.
            while server.unfinished() > 0 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(server.unfinished(), 0);
    }
}

#[tokio::test]
async fn uploads_of_dead_runs_are_found_and_given_up() {
    let (sink, server) = b2();
    forget_two(&sink).await;
    assert_eq!(server.unfinished(), 2);
    let long_ago = Some(Timestamp::from_unix(1_000_000_000));
    assert_eq!(sink.discard_unfinished(&key("job"), long_ago).await.unwrap(), 0);
    assert_eq!(sink.discard_unfinished(&key("job"), None).await.unwrap(), 1);
    assert_eq!(sink.discard_unfinished(&ObjectKey::root(), None).await.unwrap(), 1);
    assert_eq!(server.unfinished(), 0);
    let (sink, _server) = moto(false);
    forget_two(&sink).await;
    assert_eq!(sink.discard_unfinished(&ObjectKey::root(), long_ago).await.unwrap(), 0);
    assert_eq!(sink.discard_unfinished(&ObjectKey::root(), None).await.unwrap(), 2);
    assert_eq!(sink.discard_unfinished(&ObjectKey::root(), None).await.unwrap(), 0);
}

async fn forget_two(sink: &dyn BackupSink) {
    for name in ["job/a", "jobs/b"] {
        let mut upload = sink.begin(&key(name), PutOptions::default()).await.unwrap();
        upload.write(noise(9 << 20, 1).into()).await.unwrap();
        std::mem::forget(upload);
    }
}

#[tokio::test]
async fn what_is_too_large_for_the_parts_is_refused_with_advice() {
    let (_, server) = b2();
    let mut small = b2_options(&server, seaworthy_tests::s3::KEY_ID);
    small.part_size = Some(ByteSize::new(5 << 20));
    assert_eq!(small.largest_object(), 10_000 * (5 << 20));
    // Ten thousand parts are too many for a test: the same store with room for three.
    let store = std::sync::Arc::new(object_store_of(&server.url()));
    let mut preset = seaworthy_backup::sinks::StorePreset::new(Default::default());
    preset.max_parts = 3;
    preset.part_size = 1 << 20;
    let sink = seaworthy_backup::ObjectStoreSink::new(store, "small", ObjectKey::root(), preset);
    let mut upload = sink.begin(&key("a"), PutOptions::default()).await.unwrap();
    let error = upload.write(vec![0; 10 << 20].into()).await.unwrap_err();
    assert!(error.remedy().unwrap().contains("part_size"), "{error:?}");
    upload.abort().await.unwrap();
}

fn object_store_of(_: &str) -> object_store::memory::InMemory {
    object_store::memory::InMemory::new()
}

#[tokio::test]
async fn uploads_and_downloads_keep_to_their_rates() {
    let server = FilesServer::start();
    let mut slow = options(&server.url());
    slow.upload_limit = Some(ByteRate::new(1 << 20));
    slow.download_limit = Some(ByteRate::new(2 << 20));
    // How long it may stand still, not how long it may take.
    slow.timeout = std::time::Duration::from_secs(1);
    let sink = sink(&slow);
    let start = Instant::now();
    let mut upload = sink.begin(&key("a"), PutOptions::default()).await.unwrap();
    upload.write(noise(2 << 20, 1).into()).await.unwrap();
    upload.commit().await.unwrap();
    // A limit is a promise of a least time; how much longer it takes is the machine's affair.
    assert!(start.elapsed().as_secs_f64() >= 1.5, "{:?}", start.elapsed());
    let start = Instant::now();
    assert_eq!(sink.get(&key("a"), 3 << 20).await.unwrap().len(), 2 << 20);
    assert!(start.elapsed().as_secs_f64() >= 0.7, "{:?}", start.elapsed());
}
