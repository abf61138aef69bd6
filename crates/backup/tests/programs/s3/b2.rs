//! Backblaze B2: keys that are restricted to a prefix work for a whole life of a snapshot.

use seaworthy_backup::{BackupSink, BackupSinkExt, Prune, PutOptions, StateFolder};
use seaworthy_core::{Context, ErrorKind};
use seaworthy_tests::s3::{B2, B2Key, KEY_ID};

use super::support::{EVERYTHING, b2_options, job, key, repository, sink};

#[tokio::test]
async fn a_key_for_one_prefix_is_enough_for_everything() {
    let server = B2::start(vec![B2Key::new(KEY_ID, EVERYTHING).below("prod/")]);
    let sink = sink(&b2_options(&server, KEY_ID));
    let (cx, state) = (Context::new(), tempfile::tempdir().unwrap());
    let state = StateFolder::new(state.path());
    let report = job(&sink, 20 << 20).state(state.clone()).run(&cx).await.unwrap();
    assert!(report.is_good());
    let listed = repository(&sink).list(&cx).await.unwrap();
    assert!(listed.len() == 1 && listed[0].is_good(), "{listed:?}");
    Prune::new(repository(&sink)).run(Some(&state), &cx).await.unwrap();
    sink.delete(&key("nightly").join(report.id.as_str()).unwrap().join("manifest.json").unwrap())
        .await
        .unwrap();
    assert_eq!(server.unfinished(), 0);
}

#[tokio::test]
async fn outside_of_its_prefix_such_a_key_is_refused_with_advice() {
    let server = B2::start(vec![B2Key::new(KEY_ID, EVERYTHING).below("other/")]);
    let sink = sink(&b2_options(&server, KEY_ID));
    let error = sink.list_sorted(&key("nightly")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.remedy().unwrap().contains("this prefix"), "{error:?}");
    assert!(error.to_string().contains("b2://backups/prod"), "{error}");
}

#[tokio::test]
async fn no_request_has_what_b2_refuses() {
    // The stand-in refuses conditions and checksum headers, so that any of them would fail here.
    let server = B2::start(vec![B2Key::new(KEY_ID, EVERYTHING)]);
    let sink = sink(&b2_options(&server, KEY_ID));
    assert!(!sink.capabilities().if_absent);
    let refused = sink.put(&key("a"), "x".into(), PutOptions::if_absent()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    job(&sink, 20 << 20).run(&Context::new()).await.unwrap();
}
