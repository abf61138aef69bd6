//! What every sink must do, one test case each: `sink_conformance!` makes tests from them.
//!
//! A case works below its own random prefix, so it can run on a store in use, and removes its
//! objects at the end if the sink can delete. It returns an error that says which requirement
//! failed.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;
use futures_util::{TryStreamExt, future};
use seaworthy_core::{Error, ErrorKind, Result, Timestamp};

use crate::{
    format::ObjectKey,
    sinks::{BackupSink, BackupSinkExt, PutOptions},
};

/// Makes one `#[tokio::test]` for each case. The expression returns a sink and what must live as
/// long as the sink (`()` if nothing must); it may use `?`-free async code. The crate that uses it
/// needs tokio with `macros` and `rt`.
///
/// ```no_run
/// mod memory {
///     seaworthy_backup::sink_conformance!((seaworthy_backup::MemorySink::new(), ()));
/// }
/// ```
#[macro_export]
macro_rules! sink_conformance {
    ($make:expr) => {
        $crate::__each_sink_case!($crate::sink_conformance!(@each $make, discards));
    };
    (@each $make:expr, $($case:ident)*) => {
        $(
            #[::tokio::test]
            async fn $case() {
                let (sink, _kept) = $make;
                if let Err(error) = $crate::testing::conformance::$case(&sink).await {
                    panic!("{}", error.chain());
                }
            }
        )*
    };
}

/// Passes the names of all cases to a macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_sink_case {
    ($($callee:ident)::+ ! ($($arguments:tt)*)) => {
        $($callee)::+! {
            $($arguments)*
            round_trip many_parts invisible_before_commit dropped_upload aborted_upload
            commit_replaces if_absent_refuses if_absent_large if_absent_one_wins ranges
            absent_objects deletes histories lists_all lists_whole_names put_again
            unusual_names
        }
    };
}

/// Runs every case, one after another, and returns its name and result: for test suites outside of
/// Rust. [`discards`] is not included: it forgets an upload as a killed process does, which leaks
/// memory if uploads are in memory.
pub async fn run_all(sink: &dyn BackupSink) -> Vec<(&'static str, Result<()>)> {
    macro_rules! run {
        ($($case:ident)*) => { vec![$((stringify!($case), $case(sink).await)),*] };
    }
    __each_sink_case!(run!())
}

/// A size that needs several parts in every sink.
const MANY_PARTS: usize = 20 << 20;

fn ensure(holds: bool, promise: impl FnOnce() -> String) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "conformance", promise()))
}

fn ensure_kind<T>(answer: Result<T>, kind: ErrorKind, what: &str) -> Result<()> {
    match answer {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => {
            let message = format!("{what} must be {kind:?}, not {:?}", error.kind());
            Err(Error::new(ErrorKind::Internal, "conformance", message).caused_by(error))
        }
        Ok(_) => ensure(false, || format!("{what} must be {kind:?}, but it worked")),
    }
}

fn fresh() -> Result<ObjectKey> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| {
        Error::new(ErrorKind::Internal, "conformance", "no randomness").caused_by(e)
    })?;
    format!("conformance-{:016x}", u64::from_le_bytes(random)).parse()
}

/// Bytes that differ at neighbouring positions.
fn pattern(len: usize) -> Bytes {
    (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect::<Vec<_>>().into()
}

async fn write(
    sink: &dyn BackupSink,
    key: &ObjectKey,
    bytes: &Bytes,
    step: usize,
    options: PutOptions,
) -> Result<Box<dyn crate::sinks::Upload>> {
    let mut upload = sink.begin(key, options).await?;
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + step);
        upload.write(bytes.slice(at..end)).await?;
        at = end;
    }
    Ok(upload)
}

async fn holds(sink: &dyn BackupSink, key: &ObjectKey, bytes: &[u8]) -> Result<()> {
    let found = sink.get(key, bytes.len() as u64 + 1).await?;
    ensure(found == bytes, || format!("{key} does not read back as it was written"))?;
    let info = sink.stat(key).await?;
    ensure(info.size == bytes.len() as u64 && info.key == *key, || {
        format!("stat of {key} says {info:?}")
    })
}

async fn nothing_below(sink: &dyn BackupSink, prefix: &ObjectKey, when: &str) -> Result<()> {
    let found = sink.list_sorted(prefix).await?;
    ensure(found.is_empty(), || format!("{when}, {found:?} is listed"))
}

async fn clean(sink: &dyn BackupSink, prefix: &ObjectKey) -> Result<()> {
    if !sink.capabilities().delete {
        return Ok(());
    }
    for object in sink.list_sorted(prefix).await? {
        sink.delete(&object.key).await?;
    }
    nothing_below(sink, prefix, "after all objects were deleted").await
}

/// Small and empty objects read back; `commit`, `stat` and `list` agree.
pub async fn round_trip(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    for (name, bytes) in [("empty", ""), ("small", "hello")] {
        let key = prefix.join("job/20261122T023000Z-a1b2c3")?.join(name)?;
        let info = sink.put(&key, bytes.into(), PutOptions::default()).await?;
        ensure(info.size == bytes.len() as u64 && info.key == key, || format!("{info:?}"))?;
        holds(sink, &key, bytes.as_bytes()).await?;
    }
    ensure(sink.list_sorted(&prefix).await?.len() == 2, || "both are listed".into())?;
    clean(sink, &prefix).await
}

/// An object of many parts, written in odd steps.
pub async fn many_parts(sink: &dyn BackupSink) -> Result<()> {
    let (prefix, bytes) = (fresh()?, pattern(MANY_PARTS + 4321));
    let key = prefix.join("large")?;
    for step in [1_234_567, 9 << 20, 8 << 20] {
        let upload = write(sink, &key, &bytes, step, PutOptions::default()).await?;
        let info = upload.commit().await?;
        ensure(info.size == bytes.len() as u64, || format!("{info:?}"))?;
        holds(sink, &key, &bytes).await?;
    }
    clean(sink, &prefix).await
}

/// Nothing is visible before the commit.
pub async fn invisible_before_commit(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    let key = prefix.join("job/large")?;
    let bytes = pattern(MANY_PARTS);
    let upload = write(sink, &key, &bytes, 3 << 20, PutOptions::default()).await?;
    nothing_below(sink, &prefix, "before the commit").await?;
    ensure_kind(sink.stat(&key).await, ErrorKind::NotFound, "stat before the commit")?;
    upload.commit().await?;
    holds(sink, &key, &bytes).await?;
    clean(sink, &prefix).await
}

/// An upload that is dropped leaves nothing visible.
pub async fn dropped_upload(sink: &dyn BackupSink) -> Result<()> {
    given_up(sink, false).await
}

/// An upload that is aborted leaves nothing visible.
pub async fn aborted_upload(sink: &dyn BackupSink) -> Result<()> {
    given_up(sink, true).await
}

async fn given_up(sink: &dyn BackupSink, abort: bool) -> Result<()> {
    let prefix = fresh()?;
    for size in [5, MANY_PARTS] {
        let key = prefix.join("job/object")?;
        let upload = write(sink, &key, &pattern(size), 3 << 20, PutOptions::default()).await?;
        if abort {
            upload.abort().await?
        } else {
            drop(upload)
        }
        nothing_below(sink, &prefix, "after an upload was aborted").await?;
        ensure_kind(sink.stat(&key).await, ErrorKind::NotFound, "stat of it")?;
    }
    Ok(())
}

/// A commit replaces an object; an aborted upload keeps the old one.
pub async fn commit_replaces(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    let key = prefix.join("object")?;
    sink.put(&key, "old and longer".into(), PutOptions::default()).await?;
    drop(write(sink, &key, &pattern(MANY_PARTS), 4 << 20, PutOptions::default()).await?);
    holds(sink, &key, b"old and longer").await?;
    sink.put(&key, "new".into(), PutOptions::default()).await?;
    holds(sink, &key, b"new").await?;
    clean(sink, &prefix).await
}

/// `if_absent` refuses to replace, also an object that appeared after `begin`; a sink that does not
/// claim it returns an error.
pub async fn if_absent_refuses(sink: &dyn BackupSink) -> Result<()> {
    refuses(sink, &Bytes::from_static(b"mine")).await
}

/// The same for an object of many parts.
pub async fn if_absent_large(sink: &dyn BackupSink) -> Result<()> {
    refuses(sink, &pattern(MANY_PARTS)).await
}

async fn refuses(sink: &dyn BackupSink, mine: &Bytes) -> Result<()> {
    let prefix = fresh()?;
    let key = prefix.join("object")?;
    if !sink.capabilities().if_absent {
        let refused = sink.put(&key, mine.clone(), PutOptions::if_absent()).await;
        return ensure_kind(refused, ErrorKind::Unsupported, "if_absent without the claim");
    }
    let early = write(sink, &key, mine, 4 << 20, PutOptions::if_absent()).await?;
    sink.put(&key, "theirs".into(), PutOptions::default()).await?;
    ensure_kind(early.commit().await, ErrorKind::AlreadyExists, "a commit that came second")?;
    let again = sink.put(&key, mine.clone(), PutOptions::if_absent()).await;
    ensure_kind(again, ErrorKind::AlreadyExists, "if_absent over an object")?;
    holds(sink, &key, b"theirs").await?;
    let free = prefix.join("free")?;
    sink.put(&free, mine.clone(), PutOptions::if_absent()).await?;
    holds(sink, &free, mine).await?;
    ensure(sink.list_sorted(&prefix).await?.len() == 2, || "no other object is listed".into())?;
    clean(sink, &prefix).await
}

/// Of several simultaneous commits with `if_absent`, exactly one wins, with complete data.
pub async fn if_absent_one_wins(sink: &dyn BackupSink) -> Result<()> {
    if !sink.capabilities().if_absent {
        return if_absent_refuses(sink).await;
    }
    let prefix = fresh()?;
    let key = prefix.join("lock")?;
    let mut uploads = Vec::new();
    for number in 0..8 {
        let mut upload = sink.begin(&key, PutOptions::if_absent()).await?;
        upload.write(Bytes::from(vec![number; 100 + usize::from(number)])).await?;
        uploads.push(upload);
    }
    let answers = future::join_all(uploads.into_iter().map(|upload| upload.commit())).await;
    let mut winner = None;
    for (number, answer) in (0_u8..).zip(answers) {
        match answer {
            Ok(_) if winner.is_none() => winner = Some(number),
            Ok(_) => return ensure(false, || "two commits with if_absent won".into()),
            lost => ensure_kind(lost, ErrorKind::AlreadyExists, "a commit that lost")?,
        }
    }
    let number = winner.ok_or_else(|| {
        Error::new(ErrorKind::Internal, "conformance", "of several commits none won")
    })?;
    holds(sink, &key, &vec![number; 100 + usize::from(number)]).await?;
    clean(sink, &prefix).await
}

/// Ranges: inside, over the end, empty, beyond the end, the wrong way round.
pub async fn ranges(sink: &dyn BackupSink) -> Result<()> {
    let (prefix, bytes) = (fresh()?, pattern(10_000));
    let key = prefix.join("object")?;
    sink.put(&key, bytes.clone(), PutOptions::default()).await?;
    let some = [0..1, 5000..6000, 9_990..20_000, 100..100, 10_000..10_000, 10_000..10_005];
    for range in some {
        let stream = sink.read(&key, Some(range.clone())).await?;
        let found: Vec<Bytes> = stream.try_collect().await?;
        let end = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        let wanted = &bytes[end(range.start)..end(range.end)];
        ensure(found.concat() == wanted, || format!("{range:?} of 10000 bytes reads wrong"))?;
    }
    let backwards = Range { start: 20, end: 10 };
    for range in [10_001..10_002, 10_001..10_001, backwards] {
        let what = format!("{range:?} of 10000 bytes");
        ensure_kind(sink.read(&key, Some(range)).await, ErrorKind::InvalidInput, &what)?;
    }
    clean(sink, &prefix).await
}

/// A missing object is `NotFound`, and so is a folder.
pub async fn absent_objects(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    sink.put(&prefix.join("folder/object")?, "x".into(), PutOptions::default()).await?;
    for name in ["absent", "folder", "folder/absent", "folder/object/below"] {
        let key = prefix.join(name)?;
        for range in [None, Some(0..1), Some(0..0), Some(5..9)] {
            let what = format!("read of {name} {range:?}");
            ensure_kind(sink.read(&key, range).await, ErrorKind::NotFound, &what)?;
        }
        ensure_kind(sink.stat(&key).await, ErrorKind::NotFound, &format!("stat of {name}"))?;
    }
    clean(sink, &prefix).await
}

/// A deleted object is gone, deleting it again succeeds; a sink that does not claim it returns an
/// error.
pub async fn deletes(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    let (key, other) = (prefix.join("job/a")?, prefix.join("job/b")?);
    for key in [&key, &other] {
        sink.put(key, "x".into(), PutOptions::default()).await?;
    }
    let answer = sink.delete(&key).await;
    if !sink.capabilities().delete {
        ensure_kind(answer, ErrorKind::Unsupported, "delete without the claim")?;
        return holds(sink, &key, b"x").await;
    }
    answer?;
    ensure_kind(sink.stat(&key).await, ErrorKind::NotFound, "stat of a deleted object")?;
    sink.delete(&key).await?;
    sink.delete(&prefix.join("never/was")?).await?;
    sink.delete(&other.join("below")?).await?;
    sink.delete(&prefix.join("job")?).await?;
    holds(sink, &other, b"x").await?;
    clean(sink, &prefix).await
}

/// A key that never existed has no history, an object has one, and nothing is left of a deleted
/// one.
pub async fn histories(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    let key = prefix.join("job/object")?;
    let blank = sink.history(&key).await?;
    ensure(blank.is_blank(), || format!("an object that never existed has a history: {blank:?}"))?;
    for content in ["first", "second"] {
        sink.put(&key, content.into(), PutOptions::default()).await?;
        let shown = sink.history(&key).await?;
        ensure(shown.present && shown.versions >= 1 && shown.hide_marks == 0, || {
            format!("an existing object has this history: {shown:?}")
        })?;
    }
    if sink.capabilities().delete {
        sink.delete(&key).await?;
        let gone = sink.history(&key).await?;
        ensure(gone.is_blank(), || format!("a deleted object left this: {gone:?}"))?;
    }
    clean(sink, &prefix).await
}

/// The remains of unfinished uploads are discarded, and nothing else; recent ones stay if only old
/// ones are requested.
pub async fn discards(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    let (whole, half) = (prefix.join("job/whole")?, prefix.join("job/half")?);
    sink.put(&whole, "x".into(), PutOptions::default()).await?;
    let bytes = pattern(MANY_PARTS);
    let upload = write(sink, &half, &bytes, 3 << 20, PutOptions::default()).await?;
    let long_ago = Timestamp::from_unix(1_000_000_000);
    let discarded = sink.discard_unfinished(&prefix, Some(long_ago)).await?;
    ensure(discarded == 0, || format!("{discarded} young uploads were discarded as old"))?;
    upload.commit().await?;
    holds(sink, &half, &bytes).await?;
    // Forgotten, as by a killed run.
    let forgotten = write(sink, &half, &bytes, 3 << 20, PutOptions::default()).await?;
    std::mem::forget(forgotten);
    sink.discard_unfinished(&prefix, None).await?;
    let again = sink.discard_unfinished(&prefix, None).await?;
    ensure(again == 0, || format!("{again} unfinished uploads were left after discarding all"))?;
    holds(sink, &whole, b"x").await?;
    holds(sink, &half, &bytes).await?;
    clean(sink, &prefix).await
}

/// A list is complete, at any depth.
pub async fn lists_all(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    let mut wanted = BTreeMap::new();
    for number in 0..300 {
        let folder = ["a", "a/b", "a/b/c/d/e", "f"][number % 4];
        let key = prefix.join(folder)?.join(&format!("object-{number}"))?;
        sink.put(&key, pattern(number), PutOptions::default()).await?;
        wanted.insert(key, number as u64);
    }
    let found = sink.list_sorted(&prefix).await?;
    let found: BTreeMap<_, _> = found.into_iter().map(|info| (info.key, info.size)).collect();
    ensure(found == wanted, || format!("{} of 300 objects are listed", found.len()))?;
    clean(sink, &prefix).await
}

/// A prefix consists of complete names, and one that does not exist is empty.
pub async fn lists_whole_names(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    nothing_below(sink, &prefix, "below what does not exist").await?;
    for name in ["a/x", "ab/y", "a-b/z", "a.b"] {
        sink.put(&prefix.join(name)?, "x".into(), PutOptions::default()).await?;
    }
    let found = sink.list_sorted(&prefix.join("a")?).await?;
    ensure(found.len() == 1 && found[0].key == prefix.join("a/x")?, || {
        format!("below `a` there is only `a/x`, not {found:?}")
    })?;
    nothing_below(sink, &prefix.join("a.b")?, "below an object").await?;
    clean(sink, &prefix).await
}

/// Putting the same object again, as a retry does, succeeds.
pub async fn put_again(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    let key = prefix.join("object")?;
    for _ in 0..3 {
        sink.put(&key, "same".into(), PutOptions::default()).await?;
    }
    holds(sink, &key, b"same").await?;
    ensure(sink.list_sorted(&prefix).await?.len() == 1, || "it is listed once".into())?;
    clean(sink, &prefix).await
}

/// Names with dots, dashes and underscores, and long ones.
pub async fn unusual_names(sink: &dyn BackupSink) -> Result<()> {
    let prefix = fresh()?;
    let long = "n".repeat(200);
    for name in ["a..b", "a.-_", "0", "UPPER.sql.zst.age", long.as_str()] {
        let key = prefix.join("job")?.join(name)?;
        sink.put(&key, name.to_owned().into(), PutOptions::default()).await?;
        holds(sink, &key, name.as_bytes()).await?;
    }
    ensure(sink.list_sorted(&prefix).await?.len() == 5, || "all five are listed".into())?;
    clean(sink, &prefix).await
}
