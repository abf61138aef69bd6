//! What the sink makes of a store that fails: done all the same, or a clear error and nothing to be
//! seen.

use std::time::Duration;

use seaworthy_backup::{
    BackupSink, BackupSinkExt, ObjectKey, ObjectStoreSink, PutOptions,
    verify::{VerifyOptions, verify},
};
use seaworthy_core::{Context, Error, ErrorKind, Result};
use seaworthy_tests::{
    noise,
    s3::{FaultProxy, FilesServer, Trouble, When},
};

use super::support::{job, key, options, repository, sink};

/// A store, and a proxy that makes trouble before it.
struct Lab {
    server: FilesServer,
    proxy: FaultProxy,
    sink: ObjectStoreSink,
}

impl Lab {
    fn new() -> Self {
        let server = FilesServer::start();
        let proxy = FaultProxy::start(&server.url());
        let mut options = options(&proxy.url());
        options.timeout = Duration::from_secs(5);
        Self { sink: sink(&options), server, proxy }
    }

    /// Stores one object of one part and one of several.
    async fn put_two(&self) -> Result<()> {
        self.sink.put(&key("small"), "hello".into(), PutOptions::default()).await?;
        let mut upload = self.sink.begin(&key("large"), PutOptions::default()).await?;
        for chunk in noise(20 << 20, 1).chunks(4 << 20) {
            if let Err(error) = upload.write(chunk.to_vec().into()).await {
                let _ = upload.abort().await;
                return Err(error);
            }
        }
        upload.commit().await.map(drop)
    }

    async fn both_are_whole(&self) {
        self.proxy.heal();
        assert_eq!(self.sink.get(&key("small"), 10).await.unwrap(), b"hello");
        assert!(self.sink.get(&key("large"), 30 << 20).await.unwrap() == noise(20 << 20, 1));
        assert_eq!(self.server.unfinished(), 0);
    }

    async fn nothing_is_shown(&self) {
        self.proxy.heal();
        assert!(self.sink.list_sorted(&ObjectKey::root()).await.unwrap().is_empty());
    }

    async fn nothing_is_there(&self) {
        self.nothing_is_shown().await;
        assert_eq!(self.server.unfinished(), 0, "unfinished uploads");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_until_it_is_done() {
    use {Trouble::*, When::*};
    for (when, trouble) in [
        (Always, Status(500)),
        (Always, Status(503)),
        (Put, Status(429)),
        (Part, Status(503)),
        (Create, Status(500)),
        (Complete, Status(500)),
        (Put, CutRequest(3)),
        (Part, CutRequest(3 << 20)),
        (Part, CutAnswer(0)),
        (Create, CutAnswer(20)),
        (Complete, CutAnswer(20)),
        (Put, LoseAnswer),
        (Part, LoseAnswer),
        (Create, LoseAnswer),
        (Complete, LoseAnswer),
        (Part, Slow(Duration::from_secs(7))),
    ] {
        let lab = Lab::new();
        lab.proxy.plan(when, 0, 2, trouble);
        let done = lab.put_two().await;
        assert!(done.is_ok(), "{when:?} {trouble:?}: {}", done.unwrap_err().chain());
        if !matches!((when, trouble), (Part, CutAnswer(0)) | (Create, LoseAnswer | CutAnswer(_))) {
            lab.both_are_whole().await;
        }
    }
}

#[tokio::test]
async fn what_does_not_pass_fails_clearly_and_leaves_nothing() {
    use {Trouble::*, When::*};
    for (when, pass, trouble, kind) in [
        (Put, 0, Status(503), ErrorKind::Unavailable),
        (Put, 0, Status(403), ErrorKind::PermissionDenied),
        (Put, 0, Skewed, ErrorKind::PermissionDenied),
        (Put, 0, CutRequest(1), ErrorKind::Unavailable),
    ] {
        let lab = Lab::new();
        lab.proxy.plan(when, pass, usize::MAX, trouble);
        let error = lab.put_two().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{when:?} {trouble:?}: {}", error.chain());
        assert!(error.remedy().is_some(), "{}", error.chain());
        assert!(error.to_string().contains("small"), "{error}");
        lab.nothing_is_there().await;
    }
    // In the middle of an upload in parts.
    for (when, pass, trouble) in
        [(Part, 1, Status(403)), (Part, 1, CutRequest(1 << 20)), (Complete, 0, Status(500))]
    {
        let lab = Lab::new();
        lab.proxy.plan(when, pass, usize::MAX, trouble);
        let error = lab.put_two().await.unwrap_err();
        assert!(error.to_string().contains("large"), "{error}");
        lab.proxy.heal();
        lab.sink.delete(&key("small")).await.unwrap();
        match trouble {
            // A store that is still at work on a part when its upload is given up may keep what came of it: retention
            // reaps that later.
            CutRequest(_) => lab.nothing_is_shown().await,
            _ => lab.nothing_is_there().await,
        }
    }
}

#[tokio::test]
async fn a_completion_whose_answers_are_all_lost_is_settled_by_looking() {
    let lab = Lab::new();
    lab.proxy.plan(When::Complete, 0, usize::MAX, Trouble::LoseAnswer);
    lab.put_two().await.unwrap();
    assert!(lab.proxy.heal() >= 1);
    lab.both_are_whole().await;
}

#[tokio::test]
async fn an_object_that_somebody_else_wrote_is_not_taken_for_ours() {
    let lab = Lab::new();
    // The same name and the same size, but of another upload.
    lab.sink.put(&key("a"), "theirs".into(), PutOptions::default()).await.unwrap();
    lab.proxy.plan(When::Put, 0, usize::MAX, Trouble::Status(500));
    let error = lab.sink.put(&key("a"), "mine!!".into(), PutOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn reads_go_on_where_they_broke() {
    let lab = Lab::new();
    lab.put_two().await.unwrap();
    lab.proxy.plan(When::Get, 0, 2, Trouble::CutAnswer(5 << 20));
    assert!(lab.sink.get(&key("large"), 30 << 20).await.unwrap() == noise(20 << 20, 1));
    assert_eq!(lab.proxy.heal(), 2);
    lab.proxy.plan(When::List, 0, 2, Trouble::CutAnswer(100));
    assert_eq!(lab.sink.list_sorted(&ObjectKey::root()).await.unwrap().len(), 2);
    lab.proxy.plan(When::Get, 0, usize::MAX, Trouble::CutAnswer(5));
    assert!(lab.sink.get(&key("large"), 30 << 20).await.is_err());
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_its_number() {
    let lab = Lab::new();
    lab.proxy.plan(When::Always, 0, usize::MAX, Trouble::Skewed);
    let error = lab.put_two().await.unwrap_err();
    assert!(error.remedy().unwrap().contains("seconds ahead"), "{error:?}");
    assert_eq!(lab.proxy.heal(), 1, "it was tried only once");
}

async fn fails(change: impl FnOnce(&mut seaworthy_backup::sinks::s3::S3Options)) -> Error {
    let mut options = options("http://127.0.0.1:1");
    options.retries = 1;
    change(&mut options);
    sink(&options).stat(&key("a")).await.unwrap_err()
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_named_with_the_reason() {
    let error = fails(|_| {}).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.chain().contains("refused"), "{}", error.chain());
    let error = fails(|o| o.endpoint = Some("https://no-such-host.invalid".into())).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.remedy().unwrap().contains("DNS"), "{} {error:?}", error.chain());
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_roots_make_it_so() {
    let (server, folder) = (FilesServer::start(), tempfile::tempdir().unwrap());
    let proxy = FaultProxy::start_tls(&server.url(), folder.path());
    let error = fails(|o| o.endpoint = Some(proxy.url())).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.remedy().unwrap().contains("roots"), "{} {error:?}", error.chain());
    let mut options = options(&proxy.url());
    options.allow_http = false;
    options.roots = Some(std::fs::read(folder.path().join("roots.pem")).unwrap());
    let sink = sink(&options);
    sink.put(&key("a"), "x".into(), PutOptions::default()).await.unwrap();
    assert_eq!(sink.get(&key("a"), 10).await.unwrap(), b"x");
}

#[tokio::test]
async fn wrong_keys_and_buckets_are_told_apart() {
    use seaworthy_backup::sinks::s3::S3Credentials;
    use seaworthy_core::Secret;
    let server = FilesServer::start();
    let url = server.url();
    let put = async |change: &dyn Fn(&mut seaworthy_backup::sinks::s3::S3Options)| {
        let mut options = options(&url);
        change(&mut options);
        sink(&options).put(&key("a"), "x".into(), PutOptions::default()).await.unwrap_err()
    };
    let wrong_secret = put(&|o| {
        o.credentials = S3Credentials::key(seaworthy_tests::s3::KEY_ID, Secret::new("wrong"));
    });
    let error = wrong_secret.await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.remedy().unwrap().contains("secret"), "{error:?}");
    let error = put(&|o| o.credentials = S3Credentials::key("nobody", Secret::new("x"))).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let mut other = options(&url);
    other.bucket = "other".into();
    let error = sink(&other).list_sorted(&ObjectKey::root()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
    assert!(error.remedy().unwrap().contains("bucket"), "{error:?}");
}

#[tokio::test]
async fn a_flipped_byte_on_the_store_is_found_and_named() {
    let lab = Lab::new();
    let cx = Context::new();
    let report = job(&lab.sink, 6 << 20).run(&cx).await.unwrap();
    let file = lab.server.bucket().join(report.folder.as_str()).join("data.bin.zst");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let snapshot = repository(&lab.sink).open(&report.id).await.unwrap();
    let found = verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap();
    assert!(!found.is_good());
    assert!(format!("{found:?}").contains("data.bin.zst"), "{found:?}");
}

#[tokio::test]
async fn a_run_on_a_store_that_fails_for_good_leaves_nothing_listable() {
    let lab = Lab::new();
    lab.proxy.plan(When::Manifest, 0, usize::MAX, Trouble::Status(403));
    let cx = Context::new();
    let error = job(&lab.sink, 20 << 20).run(&cx).await.unwrap_err();
    assert!(error.to_string().contains("manifest.json"), "{error}");
    assert!(repository(&lab.sink).list(&cx).await.unwrap().is_empty());
    lab.nothing_is_there().await;
}
