//! Sinks on the stores of the tests.

use std::{sync::Arc, time::Duration};

use seaworthy_backup::{
    BackupJob, BackupSink, HostId, ObjectKey, ObjectStoreSink, PayloadKind, Repository,
    payload::{Segment, SegmentSender},
    sinks::s3::{S3Credentials, S3Options},
    sources::{BackupSource, SourceSummary},
};
use seaworthy_core::{Context, Name, Result, Secret};
use seaworthy_tests::s3::{B2, B2Key, BUCKET, FilesServer, KEY_ID, Moto, SECRET};

/// All that an application key can be allowed that matters here.
pub(crate) const EVERYTHING: &[&str] =
    &["listFiles", "readFiles", "writeFiles", "deleteFiles", "writeFileRetentions"];

pub(crate) fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

pub(crate) fn credentials() -> S3Credentials {
    S3Credentials::key(KEY_ID, Secret::new(SECRET))
}

/// The bucket of the tests at `url`.
pub(crate) fn options(url: &str) -> S3Options {
    let mut options = S3Options::s3(BUCKET, credentials());
    options.endpoint = Some(url.to_owned());
    options.allow_http = true;
    options.timeout = Duration::from_secs(30);
    options.retries = 3;
    options
}

pub(crate) fn sink(options: &S3Options) -> ObjectStoreSink {
    ObjectStoreSink::s3(options.clone()).unwrap()
}

pub(crate) fn files() -> (ObjectStoreSink, FilesServer) {
    let server = FilesServer::start();
    let mut options = options(&server.url());
    options.prefix = key("prod");
    (sink(&options), server)
}

/// A stand-in for B2 with one key that may do everything, and a sink that uses it.
pub(crate) fn b2() -> (ObjectStoreSink, B2) {
    let server = B2::start(vec![B2Key::new(KEY_ID, EVERYTHING)]);
    (sink(&b2_options(&server, KEY_ID)), server)
}

pub(crate) fn b2_options(server: &B2, key_id: &str) -> S3Options {
    let credentials = S3Credentials::key(key_id, Secret::new(SECRET));
    let mut options = S3Options::b2(BUCKET, "eu-central-003", credentials);
    options.endpoint = Some(server.url());
    options.allow_http = true;
    options.prefix = key("prod");
    options.retries = 1;
    options
}

/// A moto server with the bucket, versioned, and with locks where they are asked for.
pub(crate) fn moto(locks: bool) -> (ObjectStoreSink, Moto) {
    let server = Moto::start();
    server.make_bucket(BUCKET, locks);
    (sink(&options(&server.url())), server)
}

/// A source that gives the same few bytes each time.
#[derive(Debug)]
pub(crate) struct Few(pub(crate) usize);

#[async_trait::async_trait]
impl BackupSource for Few {
    fn payload(&self) -> PayloadKind {
        PayloadKind::new("bin").unwrap()
    }

    async fn dump(&self, out: SegmentSender, _: &Context) -> Result<SourceSummary> {
        let bytes = seaworthy_tests::noise(self.0, 7);
        let mut summary = SourceSummary::default();
        for data in bytes.chunks(1 << 20).map(<[u8]>::to_vec) {
            summary.files += 1;
            summary.bytes += data.len() as u64;
            out.send(Segment { data, ..Segment::default() }).await?;
        }
        Ok(summary)
    }
}

pub(crate) fn host() -> HostId {
    HostId::from_machine_id("s3-tests")
}

/// A job that stores `size` bytes that do not compress in `sink`.
pub(crate) fn job(sink: &ObjectStoreSink, size: usize) -> BackupJob {
    let sink: Arc<dyn BackupSink> = Arc::new(sink.clone());
    let name = Name::new("nightly").unwrap();
    BackupJob::new(name, host(), sink).source(Name::new("data").unwrap(), Arc::new(Few(size)))
}

pub(crate) fn repository(sink: &ObjectStoreSink) -> Repository {
    Repository::new(Arc::new(sink.clone()), Name::new("nightly").unwrap(), host())
}
