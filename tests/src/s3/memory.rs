//! A store in memory that checks every signature, for races: it does what any store must, and
//! little besides, so that its own work hides no difference between its clients.

use std::{
    collections::{BTreeMap, HashMap},
    ops::{Bound, Range},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, service::service_fn};
use s3s::{
    Body, S3, S3Request, S3Response, S3Result,
    auth::SimpleAuth,
    crypto::{Checksum, Md5},
    dto::*,
    s3_error,
    service::S3ServiceBuilder,
};

use super::{BUCKET, KEY_ID, SECRET, serve::Serving};

/// Contents above this many bytes are thrown away by a server that keeps none.
const SMALL: u64 = 4 << 20;

/// The server; its bucket is empty at first.
#[derive(Debug)]
pub struct MemoryServer {
    serving: Serving,
}

impl MemoryServer {
    /// One that keeps what it is given, or else only what is small and the sizes of the rest: then a
    /// bucket may hold more than this machine.
    pub fn start(keeps: bool) -> Self {
        let mut service = S3ServiceBuilder::new(Store { keeps, ..Store::default() });
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let answer = service_fn(move |request: Request<Incoming>| {
            let service = service.clone();
            async move { service.call(request.map(Body::from)).await }
        });
        Self { serving: Serving::start(answer, None) }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.serving.address)
    }
}

#[derive(Debug, Default)]
struct Store {
    keeps: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Contents>,
    uploads: HashMap<String, BTreeMap<i32, Contents>>,
    uploads_begun: u64,
}

/// An object, or a part of one.
#[derive(Clone, Debug)]
struct Contents {
    /// Nothing of them where they were thrown away.
    pieces: Vec<Bytes>,
    size: u64,
    e_tag: String,
    modified: SystemTime,
}

impl Contents {
    fn new(pieces: Vec<Bytes>, size: u64, e_tag: String) -> Self {
        Self { pieces, size, e_tag, modified: SystemTime::now() }
    }

    fn range(&self, range: Range<u64>) -> Bytes {
        let mut found = BytesMut::new();
        let mut at = 0;
        for piece in &self.pieces {
            let end = at + piece.len() as u64;
            let (from, to) = (range.start.clamp(at, end) - at, range.end.clamp(at, end) - at);
            found.extend_from_slice(&piece[from as usize..to as usize]);
            at = end;
        }
        found.freeze()
    }
}

impl Store {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn receive(&self, body: Option<StreamingBlob>) -> S3Result<Contents> {
        let body = Body::from(body.ok_or_else(|| s3_error!(IncompleteBody))?);
        let bytes = body.collect().await.map_err(|_| s3_error!(IncompleteBody))?.to_bytes();
        let (size, e_tag) = (bytes.len() as u64, hex(Md5::checksum(&bytes)));
        let kept = self.keeps || size <= SMALL;
        Ok(Contents::new(if kept { vec![bytes] } else { Vec::new() }, size, e_tag))
    }
}

impl State {
    fn object(&self, bucket: &str, key: &str) -> S3Result<Contents> {
        is_ours(bucket)?;
        self.objects.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey))
    }

    fn put(&mut self, key: String, contents: Contents, must_be_new: bool) -> S3Result<ETag> {
        if must_be_new && self.objects.contains_key(&key) {
            return Err(s3_error!(PreconditionFailed));
        }
        let e_tag = ETag::Strong(contents.e_tag.clone());
        self.objects.insert(key, contents);
        Ok(e_tag)
    }
}

fn is_ours(bucket: &str) -> S3Result<()> {
    if bucket == BUCKET { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
}

fn must_be_new(condition: Option<&ETagCondition>) -> bool {
    condition.is_some_and(ETagCondition::is_any)
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

#[async_trait]
impl S3 for Store {
    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        is_ours(&req.input.bucket)?;
        answer(HeadBucketOutput::default())
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        is_ours(&req.input.bucket)?;
        answer(GetBucketLocationOutput::default())
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        is_ours(&input.bucket)?;
        let contents = self.receive(input.body).await?;
        let is_new = must_be_new(input.if_none_match.as_ref());
        let e_tag = self.state().put(input.key, contents, is_new)?;
        answer(PutObjectOutput { e_tag: Some(e_tag), ..Default::default() })
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let contents = self.state().object(&req.input.bucket, &req.input.key)?;
        answer(HeadObjectOutput {
            content_length: Some(contents.size as i64),
            e_tag: Some(ETag::Strong(contents.e_tag)),
            last_modified: Some(contents.modified.into()),
            ..Default::default()
        })
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let contents = self.state().object(&req.input.bucket, &req.input.key)?;
        if contents.pieces.is_empty() {
            return Err(s3_error!(NoSuchKey, "the contents were thrown away"));
        }
        let range = match &req.input.range {
            Some(range) => range.check(contents.size)?,
            None => 0..contents.size,
        };
        let told = format!("bytes {}-{}/{}", range.start, range.end.max(1) - 1, contents.size);
        answer(GetObjectOutput {
            content_length: Some((range.end - range.start) as i64),
            content_range: req.input.range.is_some().then_some(told),
            body: Some(Body::from(contents.range(range)).into()),
            e_tag: Some(ETag::Strong(contents.e_tag)),
            last_modified: Some(contents.modified.into()),
            ..Default::default()
        })
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        is_ours(&req.input.bucket)?;
        self.state().objects.remove(&req.input.key);
        answer(DeleteObjectOutput::default())
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let listed = self.list_objects_v2(req.map_input(Into::into)).await?;
        Ok(listed.map_output(|listed| ListObjectsOutput {
            contents: listed.contents,
            common_prefixes: listed.common_prefixes,
            is_truncated: listed.is_truncated,
            next_marker: listed.next_continuation_token,
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        is_ours(&input.bucket)?;
        let prefix = input.prefix.unwrap_or_default();
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        let most = input.max_keys.map_or(1000, |most| most as usize);
        let (mut contents, mut folders) = (Vec::new(), Vec::new());
        let mut last = None;
        let state = self.state();
        let from = after.as_str().max(prefix.as_str());
        for (key, object) in
            state.objects.range::<str, _>((Bound::Included(from), Bound::Unbounded))
        {
            let Some(rest) = key.strip_prefix(&prefix) else { break };
            let split = input.delimiter.as_deref().and_then(|delimiter| rest.split_once(delimiter));
            let folder = split.map(|(name, _)| {
                format!("{prefix}{name}{}", input.delimiter.as_deref().unwrap_or_default())
            });
            let name = folder.as_ref().unwrap_or(key);
            if *name <= after || last.as_ref() == Some(name) {
                continue;
            }
            if contents.len() + folders.len() == most {
                return answer(ListObjectsV2Output {
                    contents: Some(contents),
                    common_prefixes: Some(folders),
                    is_truncated: Some(true),
                    next_continuation_token: last,
                    ..Default::default()
                });
            }
            last = Some(name.clone());
            match folder {
                Some(prefix) => folders.push(CommonPrefix { prefix: Some(prefix) }),
                None => contents.push(Object {
                    key: Some(key.clone()),
                    size: Some(object.size as i64),
                    e_tag: Some(ETag::Strong(object.e_tag.clone())),
                    last_modified: Some(object.modified.into()),
                    ..Default::default()
                }),
            }
        }
        answer(ListObjectsV2Output {
            contents: Some(contents),
            common_prefixes: Some(folders),
            is_truncated: Some(false),
            ..Default::default()
        })
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        is_ours(&req.input.bucket)?;
        let mut state = self.state();
        state.uploads_begun += 1;
        let id = format!("upload-{}", state.uploads_begun);
        state.uploads.insert(id.clone(), BTreeMap::new());
        answer(CreateMultipartUploadOutput {
            bucket: Some(req.input.bucket),
            key: Some(req.input.key),
            upload_id: Some(id),
            ..Default::default()
        })
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let contents = self.receive(req.input.body).await?;
        let e_tag = Some(ETag::Strong(contents.e_tag.clone()));
        let mut state = self.state();
        let upload = state.uploads.get_mut(&req.input.upload_id);
        let upload = upload.ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.insert(req.input.part_number, contents);
        answer(UploadPartOutput { e_tag, ..Default::default() })
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let mut state = self.state();
        let mut parts =
            state.uploads.remove(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (mut pieces, mut size, mut tags) = (Vec::new(), 0, Md5::new());
        for part in &named {
            let part = part.part_number.and_then(|number| parts.remove(&number));
            let part = part.ok_or_else(|| s3_error!(InvalidPart))?;
            tags.update(part.e_tag.as_bytes());
            size += part.size;
            pieces.extend(part.pieces);
        }
        let e_tag = format!("{}-{}", hex(tags.finalize()), named.len());
        let is_new = must_be_new(input.if_none_match.as_ref());
        let e_tag = state.put(input.key.clone(), Contents::new(pieces, size, e_tag), is_new)?;
        answer(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(e_tag),
            ..Default::default()
        })
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.state().uploads.remove(&req.input.upload_id);
        answer(AbortMultipartUploadOutput::default())
    }
}
