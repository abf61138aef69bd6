//! Encrypted snapshots: what is stored shows nothing, and gives everything back to who may read it.

use std::{fmt, ops::Range};

use futures_core::stream::BoxStream;
use seaworthy_backup::{
    Keys, Upload,
    encryption::{Identities, Recipients},
    format::index::FrameRecord,
    sinks::{ByteStream, Capabilities, ObjectHistory, ObjectInfo},
};
use seaworthy_core::Secret;

use super::support::*;

/// A key pair, and keys that both encrypt and decrypt.
fn pair() -> (String, Keys) {
    let (private, public) = Identities::generate();
    let mut keys = Keys::default();
    keys.recipients = Some(Recipients::new([&public]).unwrap());
    keys.identities = Identities::from_text(&private, "test").unwrap();
    (public, keys)
}

/// The same without what decrypts.
fn sealed(keys: &Keys) -> Keys {
    let mut keys = keys.clone();
    keys.identities = Identities::new();
    keys
}

async fn frames(snapshot: &Snapshot) -> (PayloadReader, Vec<FrameRecord>) {
    let index = snapshot.index(&std::env::temp_dir(), &Context::new()).await.unwrap();
    let payload = snapshot.payload(&index, &name("data"), 1).unwrap();
    let frames = payload.records().unwrap().filter_map(|record| match record.unwrap() {
        Record::Frame(frame) => Some(frame),
        _ => None,
    });
    let frames = frames.collect();
    (payload, frames)
}

#[tokio::test]
async fn a_snapshot_is_made_without_and_read_with_an_identity() {
    let (public, keys) = pair();
    let cx = Context::new();
    for codec in [Codec::Zstd, Codec::Gzip, Codec::None] {
        let sink = MemorySink::new();
        let chunks: Vec<_> = [1, 65_535, 65_536, 65_537, 200_000]
            .into_iter()
            .map(|len| b"SECRET".iter().copied().cycle().take(len).collect::<Vec<u8>>())
            .collect();
        let mut options = RunOptions::default();
        options.compression = Compression::new(codec, None).unwrap();
        let source = Chunks::new(chunks.clone());
        let report = job(&sink, &source).keys(sealed(&keys)).options(options).run(&cx).await;
        let report = report.unwrap();
        let verified = report.verified.as_ref().unwrap();
        assert!(report.is_good() && verified.sealed && verified.complete);

        let objects = sink.list_sorted(&report.folder).await.unwrap();
        assert_eq!(objects.len(), 4);
        for object in objects {
            let bytes = sink.get(&object.key, 1 << 22).await.unwrap();
            for word in ["SECRET", "item", "table", "path"] {
                let found = bytes.windows(word.len()).any(|bytes| bytes == word.as_bytes());
                assert!(!found, "{word} can be read in {}", object.key);
            }
        }
        let blind = repository(&sink).keys(sealed(&keys));
        assert!(blind.list(&cx).await.unwrap()[0].is_good());
        let error = restored(&blind, &report).await.unwrap_err();
        assert!(error.to_string().contains("no identity"), "{error}");
        assert!(error.remedy().unwrap().contains(&public), "{error:?}");
        let (_, wrong) = pair();
        let error = restored(&repository(&sink).keys(wrong), &report).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.remedy().unwrap().contains(&public), "{error:?}");

        let open = repository(&sink).keys(keys.clone());
        assert!(restored(&open, &report).await.unwrap() == chunks.concat(), "{codec:?}");
        let snapshot = open.open(&report.id).await.unwrap();
        let found = verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap();
        assert!(found.is_good() && !found.sealed, "{:?}", found.findings);
        assert_eq!(found.frames, 5);
        let mut sample = VerifyOptions::default();
        sample.sample = Some(0.5);
        assert!(verify(&snapshot, &sample, &cx).await.unwrap().is_good());
        let snapshot = blind.open(&report.id).await.unwrap();
        assert!(verify(&snapshot, &sample, &cx).await.is_err());
    }
}

#[tokio::test]
async fn each_of_several_recipients_reads_it() {
    let (private_a, public_a) = Identities::generate();
    let (private_b, public_b) = Identities::generate();
    let sink = MemorySink::new();
    let mut keys = Keys::default();
    keys.recipients = Some(Recipients::new([public_a, public_b]).unwrap());
    let source = Chunks::new([noise(1000, 1)]);
    let report = job(&sink, &source).keys(keys).run(&Context::new()).await.unwrap();
    for private in [private_a, private_b] {
        let mut keys = Keys::default();
        let (other, _) = Identities::generate();
        let other = Identities::from_text(&other, "other").unwrap();
        keys.identities = other.and(Identities::from_text(&private, "test").unwrap());
        let repository = repository(&sink).keys(keys);
        assert!(restored(&repository, &report).await.unwrap() == noise(1000, 1));
    }
}

#[tokio::test]
async fn a_passphrase_opens_what_it_closed() {
    let sink = MemorySink::new();
    let mut keys = Keys::default();
    keys.recipients = Some(Recipients::passphrase(Secret::new("hunter2")));
    let source = Chunks::new([noise(1000, 1)]);
    let report = job(&sink, &source).keys(keys.clone()).run(&Context::new()).await.unwrap();
    keys.identities = Identities::passphrase(&Secret::new("hunter3"));
    let error = restored(&repository(&sink).keys(keys.clone()), &report).await.unwrap_err();
    assert!(error.remedy().unwrap().contains("passphrase"), "{error:?}");
    keys.identities = Identities::passphrase(&Secret::new("hunter2"));
    assert!(restored(&repository(&sink).keys(keys), &report).await.unwrap() == noise(1000, 1));
}

#[tokio::test]
async fn no_flipped_or_cut_byte_is_ever_silent() {
    let (_, keys) = pair();
    let sink = MemorySink::new();
    let source = Chunks::new([noise(150, 1), vec![7; 200]]);
    let good = job(&sink, &source).keys(sealed(&keys)).run(&Context::new()).await.unwrap();
    let (open, blind) = (repository(&sink).keys(keys.clone()), repository(&sink));
    let whole = restored(&open, &good).await.unwrap();
    let cx = Context::new();
    for object in sink.list_sorted(&good.folder).await.unwrap() {
        let bytes = sink.get(&object.key, 1 << 20).await.unwrap();
        let flips = (0..bytes.len()).map(|at| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            flipped
        });
        let cuts = (0..bytes.len()).map(|at| bytes[..at].to_vec());
        for wrong in flips.chain(cuts) {
            sink.put(&object.key, wrong.into(), PutOptions::default()).await.unwrap();
            for repository in [&open, &blind] {
                let found = match repository.open(&good.id).await {
                    Err(error) => error.kind() == ErrorKind::Damaged,
                    // What it is encrypted for can no longer be told from what is damaged.
                    Ok(snapshot) => verify(&snapshot, &VerifyOptions::default(), &cx)
                        .await
                        .map_or(true, |report| !report.is_good()),
                };
                assert!(found, "{} was changed and verify saw nothing", object.key);
            }
            if let Ok(bytes) = restored(&open, &good).await {
                assert!(bytes == whole, "{} was changed and restored", object.key);
            }
        }
        sink.put(&object.key, bytes.into(), PutOptions::default()).await.unwrap();
    }
    assert!(open.list(&cx).await.unwrap()[0].is_good());
}

#[tokio::test]
async fn damage_is_told_with_its_items_and_recorded_without_them() {
    let (_, keys) = pair();
    let cx = Context::new();
    let sink = MemorySink::new();
    let source = Chunks::new((0..5).map(|n| noise(100_000, n)));
    let report = job(&sink, &source).keys(keys.clone()).run(&cx).await.unwrap();
    let key = report.folder.join("data.bytes.zst.age").unwrap();
    let mut bytes = sink.get(&key, 1 << 20).await.unwrap();
    // In the fourth chunk: the last bytes of item 1 and the first of item 2 lie in it.
    bytes[3 * 65_552 + 20_000] ^= 1;
    sink.put(&key, bytes.into(), PutOptions::default()).await.unwrap();
    let open = repository(&sink).keys(keys);
    let snapshot = open.open(&report.id).await.unwrap();
    let found = verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap();
    let affects: Vec<_> = found.findings.iter().flat_map(|finding| &finding.affects).collect();
    assert_eq!(affects, ["item 1", "item 2"], "{:?}", found.findings);
    let record = serde_json::to_string(&found.to_record(cx.now())).unwrap();
    assert!(record.contains("data.bytes.zst.age") && !record.contains("item"), "{record}");
    // The others are read all the same.
    let (payload, frames) = frames(&snapshot).await;
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!(payload.fetch(frame).await.is_ok(), ![1, 2].contains(&n), "{n}");
    }
}

#[tokio::test]
async fn a_lost_index_is_rebuilt_as_encrypted_as_it_was() {
    let (_, keys) = pair();
    let cx = Context::new();
    for codec in [Codec::Zstd, Codec::Gzip, Codec::None] {
        let sink = MemorySink::new();
        let chunks: Vec<_> = (0..7).map(|n| noise(70_000, n)).collect();
        let mut options = RunOptions::default();
        options.compression = Compression::new(codec, None).unwrap();
        let job = job(&sink, &Chunks::new(chunks.clone())).options(options).keys(keys.clone());
        let report = job.run(&cx).await.unwrap();
        let open = repository(&sink).keys(keys.clone());
        let snapshot = open.open(&report.id).await.unwrap();
        let index = report.folder.join(&snapshot.manifest().index).unwrap();
        sink.delete(&index).await.unwrap();
        let temp = std::env::temp_dir();
        let blind = repository(&sink);
        let unread = blind.open(&report.id).await.unwrap();
        let nobody = rebuild_index(&blind, &unread, &temp, &cx).await;
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::InvalidInput);
        rebuild_index(&open, &snapshot, &temp, &cx).await.unwrap();
        let bytes = sink.get(&index, 1 << 20).await.unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1"));
        assert!(restored(&open, &report).await.unwrap() == chunks.concat(), "{codec:?}");
        let snapshot = open.open(&report.id).await.unwrap();
        let found = verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap();
        assert!(found.is_good(), "{:?}", found.findings);
    }
}

#[tokio::test]
async fn one_frame_costs_its_own_chunks_and_one_look_at_the_header() {
    let (_, keys) = pair();
    let meter = Meter::default();
    let job = BackupJob::new(name("nightly"), host(), Arc::new(meter.clone()))
        .source(name("data"), Chunks::new((0..20).map(|n| noise(1 << 20, n))))
        .keys(keys);
    let report = job.run(&Context::new()).await.unwrap();
    let snapshot = job.repository().open(&report.id).await.unwrap();
    let (payload, frames) = frames(&snapshot).await;
    meter.take();
    for frame in &frames[7..9] {
        let stored = payload.fetch(frame).await.unwrap();
        assert_eq!(stored.len() as u64, frame.stored);
    }
    let reads = meter.take();
    assert_eq!(reads.len(), 3, "{reads:?}");
    assert_eq!(reads[0], 0..4096);
    let fetched: u64 = reads.iter().map(|read| read.end - read.start).sum();
    assert_eq!(payload.fetched(), fetched);
    for (read, frame) in reads[1..].iter().zip(&frames[7..9]) {
        let len = read.end - read.start;
        assert!(len >= frame.stored && len <= frame.stored + frame.stored / 4096 + 2 * 65_552);
    }
}

/// A sink in memory that notes every range that is read.
#[derive(Clone, Debug, Default)]
struct Meter {
    inner: MemorySink,
    reads: Arc<Mutex<Vec<Range<u64>>>>,
}

impl Meter {
    fn take(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("meter")
    }
}

#[async_trait]
impl BackupSink for Meter {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn begin(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn Upload>> {
        self.inner.begin(key, options).await
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.reads.lock().unwrap().push(range.clone().unwrap_or(0..u64::MAX));
        self.inner.read(key, range).await
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        self.inner.stat(key).await
    }

    fn list(&self, prefix: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>> {
        self.inner.list(prefix)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        self.inner.delete(key).await
    }

    async fn history(&self, key: &ObjectKey) -> Result<ObjectHistory> {
        self.inner.history(key).await
    }

    async fn discard_unfinished(
        &self,
        prefix: &ObjectKey,
        before: Option<Timestamp>,
    ) -> Result<u64> {
        self.inner.discard_unfinished(prefix, before).await
    }
}
