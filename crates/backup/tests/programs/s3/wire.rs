//! What requests look like: where they go, and what they say besides.

use seaworthy_backup::{
    BackupSink, BackupSinkExt, PutOptions,
    sinks::s3::{BucketIn, S3Credentials, S3Options, S3Proxy, ServerEncryption},
};
use seaworthy_core::Secret;
use seaworthy_tests::s3::{BUCKET, KEY_ID, Recorder, SECRET};

use super::support::{key, sink};

/// A store whose name nobody knows: all that is asked of it goes to `recorder`.
fn options(recorder: &Recorder) -> S3Options {
    let credentials = S3Credentials::Key {
        id: KEY_ID.into(),
        secret: Secret::new(SECRET),
        session_token: Some(Secret::new("the-session")),
    };
    let mut options = S3Options::s3(BUCKET, credentials);
    options.endpoint = Some("http://s3.example.invalid".into());
    options.allow_http = true;
    options.retries = 0;
    options.region = "eu-central-7".into();
    options.proxy = Some(S3Proxy::new(Secret::new(recorder.url())));
    options
}

#[tokio::test]
async fn the_bucket_stands_where_it_was_told_and_every_option_is_signed() {
    let recorder = Recorder::start();
    let mut plain = options(&recorder);
    plain.storage_class = Some("STANDARD_IA".into());
    plain.encryption = Some(ServerEncryption::Store);
    sink(&plain).put(&key("job/a"), "x".into(), PutOptions::default()).await.unwrap();
    plain.bucket_in = Some(BucketIn::Host);
    plain.encryption = Some(ServerEncryption::Kms(Some("arn:aws:kms:a:1:key/2".into())));
    sink(&plain).put(&key("job/a"), "x".into(), PutOptions::default()).await.unwrap();
    let asked = recorder.asked();
    let puts: Vec<_> = asked.iter().filter(|asked| asked.method == "PUT").collect();
    assert_eq!(puts.len(), 2);
    assert_eq!(puts[0].uri, "http://s3.example.invalid/backups/job/a");
    assert_eq!(puts[1].uri, "http://backups.s3.example.invalid/job/a");
    for (put, encryption) in puts.iter().zip(["AES256", "aws:kms"]) {
        assert_eq!(put.headers["x-amz-storage-class"], "STANDARD_IA");
        assert_eq!(put.headers["x-amz-server-side-encryption"], encryption);
        assert_eq!(put.headers["x-amz-security-token"], "the-session");
        assert_eq!(put.headers["host"], put.uri.host().unwrap());
        let signature = put.headers["authorization"].to_str().unwrap();
        assert!(signature.contains("/eu-central-7/s3/aws4_request"), "{signature}");
        for name in
            ["host", "x-amz-security-token", "x-amz-server-side-encryption", "x-amz-storage-class"]
        {
            assert!(signature.contains(name), "{name} is not signed: {signature}");
        }
    }
    let kms = &puts[1].headers["x-amz-server-side-encryption-aws-kms-key-id"];
    assert_eq!(kms, "arn:aws:kms:a:1:key/2");
}

#[tokio::test]
async fn parts_are_as_large_as_a_known_size_needs() {
    let recorder = Recorder::start();
    let sink = sink(&options(&recorder));
    let sizes = async |known: Option<u64>| {
        let before = recorder.asked().len();
        let mut options = PutOptions::default();
        options.size = known;
        let mut upload = sink.begin(&key("job/a"), options).await.unwrap();
        for _ in 0..5 {
            upload.write(vec![0; 5 << 20].into()).await.unwrap();
        }
        // The recorder knows no sizes, so what it says of the whole does not fit: no matter.
        let _ = upload.commit().await;
        let asked = recorder.asked().split_off(before);
        let parts = asked.iter().filter(|asked| asked.uri.query().unwrap_or("").contains("partN"));
        let mut sizes: Vec<u64> = parts
            .map(|part| part.headers["content-length"].to_str().unwrap().parse().unwrap())
            .collect();
        sizes.sort();
        sizes
    };
    let mib = |size: u64| size << 20;
    assert_eq!(sizes(None).await, [mib(1), mib(8), mib(8), mib(8)]);
    // Of so large an object, this is but the beginning.
    assert_eq!(sizes(Some(mib(12 * 9_999))).await, [mib(1), mib(12), mib(12)]);
}
