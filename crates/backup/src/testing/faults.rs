//! A sink that fails as planned.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use seaworthy_core::{Error, ErrorKind, Result, Timestamp};

use crate::{
    format::ObjectKey,
    sinks::{BackupSink, ByteStream, Capabilities, ObjectHistory, ObjectInfo, PutOptions, Upload},
};

/// A method of a sink or of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`BackupSink::begin`].
    Begin,
    /// [`Upload::write`].
    Write,
    /// [`Upload::commit`].
    Commit,
    /// [`Upload::abort`].
    Abort,
    /// [`BackupSink::read`].
    Read,
    /// [`BackupSink::stat`].
    Stat,
    /// [`BackupSink::list`].
    List,
    /// [`BackupSink::delete`].
    Delete,
    /// [`BackupSink::history`].
    History,
}

/// The fault of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// It fails, and nothing reaches the inner sink.
    Fail(ErrorKind),
    /// The inner sink does it, but the result is this error: a commit whose response is lost.
    AnswerLost(ErrorKind),
    /// It takes this much longer, by tokio's clock.
    Slow(Duration),
    /// A read ends after this many bytes, without an error.
    Truncate(u64),
    /// A read inverts the byte at this offset of the object, if it is in its range.
    Flip(u64),
}

/// When a fault happens.
#[derive(Clone, Debug)]
pub struct Plan {
    call: Call,
    fault: Fault,
    /// How many calls succeed first; then how often the fault happens.
    pass: u64,
    strikes: u64,
    name: Option<String>,
}

impl Plan {
    /// `fault` affects the `nth` such call from now on, counted from 1.
    pub fn nth(call: Call, nth: u64, fault: Fault) -> Self {
        Self { call, fault, pass: nth.saturating_sub(1), strikes: 1, name: None }
    }

    /// `fault` affects every such call from now on.
    pub fn every(call: Call, fault: Fault) -> Self {
        Self { call, fault, pass: 0, strikes: u64::MAX, name: None }
    }

    /// Only calls for objects whose last name is `name` count.
    #[must_use]
    pub fn on_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// Wraps a sink and fails as [`plan`](Self::plan)ned: the same calls, the same faults. Clones
/// share the plans.
///
/// ```
/// # use seaworthy_backup::{BackupSinkExt, MemorySink, ObjectKey, PutOptions};
/// # use seaworthy_backup::testing::{Call, Fault, FaultySink, Plan};
/// # use seaworthy_core::ErrorKind;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let sink = FaultySink::new(MemorySink::new());
/// sink.plan(Plan::nth(Call::Commit, 1, Fault::AnswerLost(ErrorKind::Unavailable)));
/// let key: ObjectKey = "a".parse()?;
/// assert!(sink.put(&key, "x".into(), PutOptions::default()).await.is_err());
/// assert_eq!(sink.get(&key, 10).await?, b"x");
/// # Ok::<(), seaworthy_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct FaultySink {
    inner: Arc<dyn BackupSink>,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    plans: Vec<Plan>,
    calls: Vec<(Call, ObjectKey)>,
    free_bytes: Option<u64>,
}

impl FaultySink {
    /// Wraps `inner`; without plans nothing fails.
    pub fn new(inner: impl BackupSink) -> Self {
        Self { inner: Arc::new(inner), script: Arc::default() }
    }

    /// Adds a plan. Several may affect one call; the one added first decides the result.
    pub fn plan(&self, plan: Plan) {
        self.script().plans.push(plan);
    }

    /// Removes all plans and the limit of space.
    pub fn heal(&self) {
        let mut script = self.script();
        script.plans.clear();
        script.free_bytes = None;
    }

    /// After `bytes` more bytes, over all objects, writes fail with [`ErrorKind::NoSpace`]. What
    /// fits of the last chunk is still written. Aborting or deleting frees nothing.
    pub fn fill_after(&self, bytes: u64) {
        self.script().free_bytes = Some(bytes);
    }

    /// How many such calls there were.
    pub fn calls(&self, call: Call) -> usize {
        self.script().calls.iter().filter(|(made, _)| *made == call).count()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the call and takes the faults that affect it.
    fn strikes(&self, call: Call, key: &ObjectKey) -> Vec<Fault> {
        let mut script = self.script();
        script.calls.push((call, key.clone()));
        let mut faults = Vec::new();
        for plan in &mut script.plans {
            let named = plan.name.as_deref().is_none_or(|name| key.name() == Some(name));
            if plan.call != call || !named || plan.strikes == 0 {
                continue;
            }
            if plan.pass > 0 {
                plan.pass -= 1;
            } else {
                plan.strikes -= 1;
                faults.push(plan.fault.clone());
            }
        }
        faults
    }

    /// Waits and fails as planned; otherwise returns the fault for the result.
    async fn before(&self, call: Call, key: &ObjectKey) -> Result<After> {
        let mut after = After { call, key: key.clone(), faults: Vec::new() };
        for fault in self.strikes(call, key) {
            match fault {
                Fault::Fail(kind) => return Err(planned(kind, call, key)),
                Fault::Slow(time) => tokio::time::sleep(time).await,
                fault => after.faults.push(fault),
            }
        }
        Ok(after)
    }
}

struct After {
    call: Call,
    key: ObjectKey,
    faults: Vec<Fault>,
}

impl After {
    fn answer<T>(&self, answer: Result<T>) -> Result<T> {
        let answer = answer?;
        for fault in &self.faults {
            if let Fault::AnswerLost(kind) = fault {
                return Err(planned(*kind, self.call, &self.key));
            }
        }
        Ok(answer)
    }

    fn spoil(self, bytes: ByteStream, start: u64) -> ByteStream {
        self.faults.into_iter().fold(bytes, |bytes, fault| match fault {
            Fault::Truncate(left) => truncated(bytes, left),
            Fault::Flip(place) => flipped(bytes, start, place),
            _ => bytes,
        })
    }
}

fn truncated(bytes: ByteStream, left: u64) -> ByteStream {
    stream::try_unfold((bytes, left), |(mut bytes, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(mut chunk) = bytes.try_next().await? else { return Ok(None) };
        chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - chunk.len() as u64;
        Ok(Some((chunk, (bytes, left))))
    })
    .boxed()
}

fn flipped(bytes: ByteStream, start: u64, place: u64) -> ByteStream {
    let mut at = start;
    bytes
        .map_ok(move |chunk| {
            let index = place.checked_sub(at).and_then(|index| usize::try_from(index).ok());
            at += chunk.len() as u64;
            match index.filter(|index| *index < chunk.len()) {
                Some(index) => {
                    let mut chunk = BytesMut::from(chunk);
                    chunk[index] ^= 0xff;
                    chunk.freeze()
                }
                None => chunk,
            }
        })
        .boxed()
}

fn planned(kind: ErrorKind, call: Call, key: &ObjectKey) -> Error {
    Error::new(kind, "sink.fault", format!("planned fault: {call:?} of {key:?}"))
}

impl fmt::Display for FaultySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (faulty)", self.inner)
    }
}

#[async_trait]
impl BackupSink for FaultySink {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn begin(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn Upload>> {
        let after = self.before(Call::Begin, key).await?;
        let inner = after.answer(self.inner.begin(key, options).await)?;
        Ok(Box::new(FaultyUpload { inner, sink: self.clone(), key: key.clone() }))
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<ByteStream> {
        let after = self.before(Call::Read, key).await?;
        let start = range.as_ref().map_or(0, |range| range.start);
        let bytes = after.answer(self.inner.read(key, range).await)?;
        Ok(after.spoil(bytes, start))
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let after = self.before(Call::Stat, key).await?;
        after.answer(self.inner.stat(key).await)
    }

    fn list(&self, prefix: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>> {
        let (sink, prefix) = (self.clone(), prefix.clone());
        stream::once(async move {
            let after = sink.before(Call::List, &prefix).await?;
            after.answer(Ok(sink.inner.list(&prefix)))
        })
        .try_flatten()
        .boxed()
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        let after = self.before(Call::Delete, key).await?;
        after.answer(self.inner.delete(key).await)
    }

    async fn history(&self, key: &ObjectKey) -> Result<ObjectHistory> {
        let after = self.before(Call::History, key).await?;
        after.answer(self.inner.history(key).await)
    }

    async fn discard_unfinished(
        &self,
        prefix: &ObjectKey,
        before: Option<Timestamp>,
    ) -> Result<u64> {
        self.inner.discard_unfinished(prefix, before).await
    }
}

struct FaultyUpload {
    inner: Box<dyn Upload>,
    sink: FaultySink,
    key: ObjectKey,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        let after = self.sink.before(Call::Write, &self.key).await?;
        let fits = {
            let mut script = self.sink.script();
            let len = chunk.len() as u64;
            let fits = script.free_bytes.map_or(len, |free| free.min(len));
            script.free_bytes = script.free_bytes.map(|free| free - fits);
            usize::try_from(fits).unwrap_or(usize::MAX)
        };
        let too_much = fits < chunk.len();
        chunk.truncate(fits);
        after.answer(self.inner.write(chunk).await)?;
        if too_much {
            return Err(planned(ErrorKind::NoSpace, Call::Write, &self.key));
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo> {
        let after = self.sink.before(Call::Commit, &self.key).await?;
        after.answer(self.inner.commit().await)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let after = self.sink.before(Call::Abort, &self.key).await?;
        after.answer(self.inner.abort().await)
    }
}
