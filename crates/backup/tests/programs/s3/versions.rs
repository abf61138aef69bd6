//! What is deleted is gone in every version.

use seaworthy_backup::{BackupSink, BackupSinkExt, ObjectKey, PutOptions};
use seaworthy_core::ErrorKind;
use seaworthy_tests::s3::{B2, B2Key, KEY_ID};

use super::support::{EVERYTHING, b2, b2_options, files, key, moto, options, sink};

#[tokio::test]
async fn every_version_is_deleted_and_nothing_is_hidden() {
    let (sink, server) = b2();
    for content in ["one", "two", "three", "four", "five"] {
        sink.put(&key("job/a"), content.into(), PutOptions::default()).await.unwrap();
    }
    sink.put(&key("job/ab"), "other".into(), PutOptions::default()).await.unwrap();
    server.hide("prod/job/a");
    assert_eq!(server.versions("prod/job/a"), 7);
    let history = sink.history(&key("job/a")).await.unwrap();
    assert_eq!((history.present, history.versions, history.hide_marks), (false, 5, 1));
    sink.delete(&key("job/a")).await.unwrap();
    assert_eq!(server.versions("prod/job/a"), 1, "only `ab` is left");
    assert!(sink.history(&key("job/a")).await.unwrap().is_blank());
    assert_eq!(sink.get(&key("job/ab"), 10).await.unwrap(), b"other");
}

#[tokio::test]
async fn a_versioned_bucket_of_another_store_is_emptied_too() {
    let (sink, _server) = moto(false);
    for content in ["one", "two"] {
        sink.put(&key("job/a"), content.into(), PutOptions::default()).await.unwrap();
    }
    assert_eq!(sink.history(&key("job/a")).await.unwrap().versions, 2);
    sink.delete(&key("job/a")).await.unwrap();
    assert!(sink.history(&key("job/a")).await.unwrap().is_blank());
    assert!(sink.list_sorted(&ObjectKey::root()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_without_versions_deletes_as_well() {
    let (sink, _server) = files();
    sink.put(&key("job/a"), "x".into(), PutOptions::default()).await.unwrap();
    assert_eq!(sink.history(&key("job/a")).await.unwrap().versions, 1);
    sink.delete(&key("job/a")).await.unwrap();
    assert!(sink.history(&key("job/a")).await.unwrap().is_blank());
}

#[tokio::test]
async fn who_cannot_see_versions_is_told_that_the_object_is_only_hidden() {
    // As an S3 store would treat such a key: it may write and hide, but not see versions.
    let server = B2::start(vec![B2Key::new(KEY_ID, &["readFiles", "writeFiles"])]);
    let sink = sink(&options(&server.url()));
    sink.put(&key("a"), "x".into(), PutOptions::default()).await.unwrap();
    let error = sink.delete(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.chain().contains("hidden"), "{}", error.chain());
    assert!(error.remedy().unwrap().contains("s3:DeleteObjectVersion"), "{error:?}");
}

#[tokio::test]
async fn the_capability_that_is_missing_is_named() {
    let all_but = |missing: &str| {
        let rest: Vec<_> = EVERYTHING.iter().copied().filter(|c| *c != missing).collect();
        let server = B2::start(vec![
            B2Key::new(KEY_ID, EVERYTHING),
            B2Key::new("restricted", &rest).below("prod/"),
        ]);
        let restricted = sink(&b2_options(&server, "restricted"));
        (sink(&b2_options(&server, KEY_ID)), restricted, server)
    };
    for missing in ["readFiles", "writeFiles", "listFiles", "deleteFiles"] {
        let (full, restricted, _server) = all_but(missing);
        full.put(&key("job/a"), "x".into(), PutOptions::default()).await.unwrap();
        let error = match missing {
            "readFiles" => restricted.get(&key("job/a"), 10).await.unwrap_err(),
            "writeFiles" => {
                let other = key("job/b");
                restricted.put(&other, "x".into(), PutOptions::default()).await.unwrap_err()
            }
            "listFiles" => restricted.list_sorted(&key("job")).await.unwrap_err(),
            _ => restricted.delete(&key("job/a")).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{missing}");
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains(&format!("capability {missing},")), "{missing}: {remedy}");
        assert!(error.chain().contains("not entitled") || missing == "readFiles", "{error:?}");
        assert!(full.get(&key("job/a"), 10).await.is_ok(), "nothing was hidden or deleted");
    }
}
