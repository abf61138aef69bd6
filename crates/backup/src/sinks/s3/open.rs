//! How a bucket is opened: the options of the stores, and the sink that comes of them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use object_store::{
    ObjectStore,
    aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut},
    path::Path,
};
use seaworthy_core::{ByteRate, ByteSize, Error, ErrorKind, Result, Timestamp};

use super::{
    ObjectLock, Provider, S3Credentials, S3Proxy, ServerEncryption,
    bucket::Bucket,
    failure::Failure,
    headers::NewObjects,
    pace::Pace,
    service::{Service, Wire},
};
use crate::{
    format::ObjectKey,
    sinks::{
        Capabilities, ObjectHistory, ObjectStoreSink, StorePreset,
        store::{self, Store},
    },
};

/// The smallest and the largest part that stores accept.
const PART_SIZES: std::ops::RangeInclusive<u64> = 5 << 20..=5 << 30;

/// The size of each part at Cloudflare R2, in bytes: it accepts only parts of one size.
const R2_PART: usize = 32 << 20;

/// The most parts that an upload can have.
pub(crate) const MAX_PARTS: usize = 10_000;

/// How a bucket is addressed: in the path, or in the host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BucketIn {
    /// `https://host/bucket/object`
    Path,
    /// `https://bucket.host/object`
    Host,
}

/// A bucket, and its options.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct S3Options {
    /// The kind of store.
    pub provider: Provider,
    /// The bucket. It must exist.
    pub bucket: String,
    /// The prefix of all keys.
    pub prefix: ObjectKey,
    /// The region.
    pub region: String,
    /// The store's address, `https://…`. Default: that of Amazon or Backblaze.
    pub endpoint: Option<String>,
    /// `http://` is allowed in [`endpoint`](Self::endpoint).
    pub allow_http: bool,
    /// How the bucket is addressed. Default: in the path if there is an endpoint, else in the host
    /// name.
    pub bucket_in: Option<BucketIn>,
    /// Authorities in PEM to trust in addition to the machine's.
    pub roots: Option<Vec<u8>>,
    /// The proxy for requests. Default: none. The machine's metadata is always requested without a
    /// proxy.
    pub proxy: Option<S3Proxy>,
    /// The credentials.
    pub credentials: S3Credentials,
    /// The size of each part of an upload. Default: 8 MiB for the first thousand parts, then 8 MiB
    /// more every 500 parts: the largest object has 746 GiB. At Cloudflare R2, which accepts only
    /// parts of one size, 32 MiB: 312 GiB. An object of a known size, such as a copy, is sent in
    /// equal parts that are as large as needed.
    pub part_size: Option<ByteSize>,
    /// The storage class of new objects.
    pub storage_class: Option<String>,
    /// How the store encrypts new objects, if not as set for the bucket.
    pub encryption: Option<ServerEncryption>,
    /// Locks new objects. The bucket must be created with object lock.
    pub object_lock: Option<ObjectLock>,
    /// The upload limit in bytes per second.
    pub upload_limit: Option<ByteRate>,
    /// The download limit in bytes per second.
    pub download_limit: Option<ByteRate>,
    /// How long a request may make no progress, not how long it may take.
    pub timeout: Duration,
    /// How often a request is tried again, with growing pauses.
    pub retries: u32,
    /// Never deletes, so that the key does not need the right to.
    pub append_only: bool,
}

impl S3Options {
    /// `bucket` at Amazon, in `us-east-1`.
    pub fn s3(bucket: impl Into<String>, credentials: S3Credentials) -> Self {
        Self {
            provider: Provider::S3,
            bucket: bucket.into(),
            prefix: ObjectKey::root(),
            region: "us-east-1".into(),
            endpoint: None,
            allow_http: false,
            bucket_in: None,
            roots: None,
            proxy: None,
            credentials,
            part_size: None,
            storage_class: None,
            encryption: None,
            object_lock: None,
            upload_limit: None,
            download_limit: None,
            timeout: Duration::from_secs(120),
            retries: 8,
            append_only: false,
        }
    }

    /// `bucket` at Backblaze, in `region` (such as `eu-central-003`).
    pub fn b2(
        bucket: impl Into<String>,
        region: impl Into<String>,
        credentials: S3Credentials,
    ) -> Self {
        let (provider, region) = (Provider::B2, region.into());
        Self { provider, region, ..Self::s3(bucket, credentials) }
    }

    /// The largest object that can be stored, in bytes.
    pub fn largest_object(&self) -> u64 {
        let parts = (0..MAX_PARTS).map(|n| self.preset().part_size_of(n) as u64);
        parts.sum::<u64>().min(5 << 40)
    }

    fn preset(&self) -> StorePreset {
        let can = Capabilities { delete: !self.append_only, if_absent: false };
        let mut preset = StorePreset { marks: true, max_parts: MAX_PARTS, ..StorePreset::new(can) };
        match self.part_size {
            Some(size) => preset.part_size = usize::try_from(size.bytes()).unwrap_or(usize::MAX),
            None if self.wants_equal_parts() => preset.part_size = R2_PART,
            None => preset.parts_grow = true,
        }
        preset
    }

    /// Whether the store accepts only parts of one size.
    fn wants_equal_parts(&self) -> bool {
        let host = self.endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/'));
        host.is_some_and(|host| host.ends_with(".r2.cloudflarestorage.com"))
    }

    /// Whether parts grow, so that objects of unknown size fit.
    pub fn parts_grow(&self) -> bool {
        self.preset().parts_grow
    }

    /// The address of the store, and that of the bucket.
    fn urls(&self) -> Result<(String, String)> {
        let wrong = |key: &'static str, message: String, remedy: &str| {
            let error = Error::new(ErrorKind::Config, "sink.open", message);
            Err(error.remedy_is(remedy).with("key", key))
        };
        let of_name = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
        if self.bucket.is_empty() || !self.bucket.bytes().all(of_name) {
            let message = format!("{:?} is not the name of a bucket", self.bucket);
            let remedy = "write the bucket's name alone; a folder in it goes in `prefix`";
            return wrong("bucket", message, remedy);
        }
        if self.region.is_empty() || !self.region.bytes().all(of_name) {
            let message = format!("{:?} is not a region", self.region);
            return wrong("region", message, "write it like eu-central-1");
        }
        let usual = || match self.provider {
            Provider::S3 => format!("https://s3.{}.amazonaws.com", self.region),
            Provider::B2 => format!("https://s3.{}.backblazeb2.com", self.region),
        };
        let endpoint = self.endpoint.clone().unwrap_or_else(usual);
        let endpoint = endpoint.trim_end_matches('/');
        let host = match (endpoint.strip_prefix("https://"), endpoint.strip_prefix("http://")) {
            (Some(host), _) => host,
            (_, Some(host)) if self.allow_http => host,
            (_, Some(_)) => {
                let message = format!("{endpoint} would send everything unencrypted");
                return wrong("endpoint", message, "use https://, or set allow_http = true");
            }
            _ => "",
        };
        let is_host = |host: &str| {
            let plain = |c: u8| of_name(c) || b":[]".contains(&c);
            !host.is_empty() && host.bytes().all(plain)
        };
        if !is_host(host) {
            // It may contain a password, so it is not shown.
            let message = "the endpoint is not a valid address".to_owned();
            let remedy = "write it like https://s3.example.com, without bucket or path";
            return wrong("endpoint", message, remedy);
        }
        let by_default = if self.endpoint.is_none() && !self.bucket.contains('.') {
            BucketIn::Host
        } else {
            BucketIn::Path
        };
        let bucket = match self.bucket_in.unwrap_or(by_default) {
            BucketIn::Path => format!("{endpoint}/{}", self.bucket),
            BucketIn::Host => {
                let scheme = &endpoint[..endpoint.len() - host.len()];
                format!("{scheme}{}.{host}", self.bucket)
            }
        };
        Ok((endpoint.to_owned(), bucket))
    }

    /// The place's name for people.
    pub(super) fn label(&self) -> String {
        let scheme = match self.provider {
            Provider::S3 => "s3",
            Provider::B2 => "b2",
        };
        let mut label = format!("{scheme}://{}", self.bucket);
        if !self.prefix.as_str().is_empty() {
            label = format!("{label}/{}", self.prefix);
        }
        match &self.endpoint {
            Some(endpoint) => {
                let host = endpoint.split_once("://").map_or(endpoint.as_str(), |(_, host)| host);
                format!("{label} at {}", host.trim_end_matches('/'))
            }
            None => label,
        }
    }

    fn http_client(&self) -> Result<reqwest::Client> {
        let fail = |message: &str, source: reqwest::Error| {
            Error::new(ErrorKind::InvalidInput, "sink.open", message).caused_by(source)
        };
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("seaworthy/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .no_proxy()
            .referer(false)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.timeout.min(Duration::from_secs(30)))
            .pool_idle_timeout(Duration::from_secs(60));
        if let Some(pem) = &self.roots {
            let unreadable = "`roots` holds no certificates in PEM";
            let roots = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|source| fail(unreadable, source))?;
            if roots.is_empty() {
                return Err(Error::new(ErrorKind::InvalidInput, "sink.open", unreadable));
            }
            client = client.tls_certs_merge(roots);
        }
        if let Some(proxy) = &self.proxy {
            client = client.proxy(proxy.for_client()?);
        }
        client.build().map_err(|source| fail("cannot make an HTTP client", source))
    }

    /// Checks address, bucket and part size. The error's context names the wrong `key`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`].
    pub fn check(&self) -> Result<()> {
        if let Some(size) = self.part_size.filter(|size| !PART_SIZES.contains(&size.bytes())) {
            let message = format!("the part size cannot be {size}");
            return Err(Error::new(ErrorKind::Config, "sink.open", message)
                .remedy_is("write a size from 5MiB to 5GiB")
                .with("key", "part_size"));
        }
        self.urls().map(drop)
    }
}

impl ObjectStoreSink {
    /// The bucket that `options` describe. Nothing is sent before the sink is used.
    ///
    /// Memory: an upload holds at most [`parts_in_flight`](StorePreset::parts_in_flight) parts, which
    /// are two, and the chunk that is being written: `2 × part + 4 MiB`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an invalid address, bucket or part size,
    /// [`ErrorKind::InvalidInput`] for unusable keys and certificates.
    ///
    /// ```
    /// # use seaworthy_backup::sinks::{ObjectStoreSink, s3::{S3Credentials, S3Options}};
    /// # use seaworthy_core::Secret;
    /// let keys = S3Credentials::key("AKIA0EXAMPLE", Secret::new("not-so-secret"));
    /// let mut options = S3Options::s3("backups", keys);
    /// options.region = "eu-central-1".into();
    /// let sink = ObjectStoreSink::s3(options)?;
    /// assert_eq!(sink.to_string(), "s3://backups");
    /// # Ok::<(), seaworthy_core::Error>(())
    /// ```
    pub fn s3(options: S3Options) -> Result<Self> {
        let store = Arc::new(BucketStore::new(&options)?);
        Ok(Self::of_store(store, options.label(), options.prefix.clone(), options.preset()))
    }
}

/// A bucket, with all that its store can do.
pub(super) struct BucketStore {
    objects: AmazonS3,
    pub(super) bucket: Bucket,
}

impl BucketStore {
    pub(super) fn new(options: &S3Options) -> Result<Self> {
        options.check()?;
        let (_, url) = options.urls()?;
        let client = options.http_client()?;
        let new_objects = NewObjects::new(
            options.storage_class.as_deref(),
            options.encryption.as_ref(),
            options.object_lock,
        )?;
        let pace = |limit: Option<ByteRate>| limit.map(|rate| Arc::new(Pace::new(rate)));
        let service = Service(Arc::new(Wire {
            credentials: options.credentials.provider(&options.region, &client)?,
            client,
            region: options.region.clone(),
            new_objects,
            upload: pace(options.upload_limit),
            download: pace(options.download_limit),
            stall: options.timeout,
            retries: options.retries,
        }));
        let bucket = Bucket::new(service.clone(), &url, options.provider);
        // Interrupted bodies are continued where they stopped; everything else is retried by the
        // service, which also signs.
        let resume = object_store::RetryConfig {
            max_retries: options.retries as usize,
            retry_timeout: Duration::from_secs(24 * 3600),
            ..Default::default()
        };
        let objects = AmazonS3Builder::new()
            .with_bucket_name(&options.bucket)
            .with_region(&options.region)
            .with_endpoint(url)
            .with_virtual_hosted_style_request(true)
            .with_skip_signature(true)
            .with_conditional_put(S3ConditionalPut::Disabled)
            .with_retry(resume)
            .with_http_connector(service)
            .build()
            .map_err(|source| {
                let message = format!("cannot use {}", options.label());
                Error::new(ErrorKind::InvalidInput, "sink.open", message).caused_by(source)
            })?;
        Ok(Self { objects, bucket })
    }
}

#[async_trait]
impl Store for BucketStore {
    fn objects(&self) -> &dyn ObjectStore {
        &self.objects
    }

    async fn delete(&self, path: &Path) -> store::Result<()> {
        self.bucket.delete(path.as_ref()).await.map_err(wrapped)
    }

    async fn history(&self, path: &Path) -> store::Result<ObjectHistory> {
        self.bucket.history(path.as_ref()).await.map_err(wrapped)
    }

    async fn discard_unfinished(
        &self,
        prefix: &Path,
        before: Option<Timestamp>,
    ) -> store::Result<u64> {
        self.bucket.discard_uploads(prefix.as_ref(), before).await.map_err(wrapped)
    }

    fn explain(
        &self,
        operation: &'static str,
        message: &str,
        error: &object_store::Error,
    ) -> Option<Error> {
        let failure = Failure::of(error)?;
        Some(failure.explain(operation, message.to_owned(), self.bucket.provider()))
    }

    fn is_ambiguous(&self, error: &object_store::Error) -> bool {
        match Failure::of(error) {
            Some(failure) => failure.is_ambiguous(),
            None => matches!(error, object_store::Error::Generic { .. }),
        }
    }
}

/// As an error of a store. It is unwrapped again where it is explained.
fn wrapped(failure: Failure) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: Box::new(failure) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::Secret;

    fn options() -> S3Options {
        S3Options::s3("backups", S3Credentials::key("key", Secret::new("hunter2")))
    }

    #[test]
    fn the_address_follows_from_what_is_said() {
        let url = |change: fn(&mut S3Options)| {
            let mut options = options();
            change(&mut options);
            options.urls().unwrap().1
        };
        assert_eq!(url(|_| {}), "https://backups.s3.us-east-1.amazonaws.com");
        assert_eq!(
            url(|o| o.bucket_in = Some(BucketIn::Path)),
            "https://s3.us-east-1.amazonaws.com/backups"
        );
        assert_eq!(url(|o| o.bucket = "a.b".into()), "https://s3.us-east-1.amazonaws.com/a.b");
        let minio = |o: &mut S3Options| o.endpoint = Some("https://minio:9000/".into());
        let mut own = options();
        minio(&mut own);
        assert_eq!(own.urls().unwrap().1, "https://minio:9000/backups");
        own.bucket_in = Some(BucketIn::Host);
        assert_eq!(own.urls().unwrap().1, "https://backups.minio:9000");
        let keys = S3Credentials::key("key", Secret::new("hunter2"));
        let b2 = S3Options::b2("backups", "eu-central-003", keys);
        assert_eq!(b2.urls().unwrap().1, "https://backups.s3.eu-central-003.backblazeb2.com");
    }

    #[test]
    fn what_cannot_be_is_refused_with_advice() {
        for change in [
            (|o| o.endpoint = Some("http://minio".into())) as fn(&mut S3Options),
            |o| o.endpoint = Some("minio:9000".into()),
            |o| o.endpoint = Some("https://minio/bucket".into()),
            |o| o.endpoint = Some("https://user:hunter2@minio".into()),
            |o| o.bucket = "a/b".into(),
            |o| o.bucket = String::new(),
            |o| o.region = "eu west".into(),
            |o| o.part_size = Some(ByteSize::new(1 << 20)),
        ] {
            let mut options = options();
            change(&mut options);
            let error = ObjectStoreSink::s3(options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.remedy().is_some(), "{error}");
        }
        let mut broken = options();
        broken.roots = Some(b"nonsense".to_vec());
        assert!(ObjectStoreSink::s3(broken).is_err());
        let spaced = S3Credentials::key("key ", Secret::new("hunter2"));
        assert!(ObjectStoreSink::s3(S3Options::s3("b", spaced)).is_err());
    }

    #[test]
    fn parts_grow_so_that_large_objects_fit() {
        let growing = options();
        let preset = growing.preset();
        assert_eq!(preset.part_size_of(0), 8 << 20);
        assert_eq!(preset.part_size_of(999), 8 << 20);
        assert_eq!(preset.part_size_of(1000), 16 << 20);
        assert_eq!(preset.part_size_of(9_999), 152 << 20);
        assert_eq!(growing.largest_object() >> 30, 746);
        assert!(growing.parts_grow());
        // If the size is known, equal parts are enough.
        assert_eq!(preset.part_size_for(0), 8 << 20);
        assert_eq!(preset.part_size_for(70 << 30), 8 << 20);
        let large = preset.part_size_for(2 << 40) as u64;
        assert!(large < 211 << 20 && large * 9_999 >= 2 << 40, "{large}");
        let mut r2 = options();
        r2.endpoint = Some("https://0a1b.r2.cloudflarestorage.com/".into());
        assert!(!r2.parts_grow());
        assert_eq!(r2.preset().part_size_of(9_999), 32 << 20);
        assert_eq!(r2.largest_object() >> 30, 312);
        let mut equal = options();
        equal.part_size = Some(ByteSize::new(64 << 20));
        assert_eq!(equal.preset().part_size_of(9_999), 64 << 20);
        assert_eq!(equal.largest_object(), 10_000 * (64 << 20));
    }

    #[test]
    fn no_secret_is_shown() {
        let options = options();
        let sink = ObjectStoreSink::s3(options.clone()).unwrap();
        assert!(!format!("{options:?} {sink:?} {sink}").contains("hunter2"));
    }
}
