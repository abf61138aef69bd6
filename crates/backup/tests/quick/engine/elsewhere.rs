//! A restore goes on from another copy of the snapshot where its own turns out damaged.

use seaworthy_backup::{Keys, snapshot::FallbackCopies};

use super::support::*;

/// Copies in other sinks, and what was told of them.
#[derive(Debug, Default)]
struct Copies {
    waiting: Mutex<Vec<(String, Snapshot)>>,
    told: Mutex<Vec<String>>,
}

#[async_trait]
impl FallbackCopies for Copies {
    async fn next(&self) -> Option<(String, Snapshot)> {
        self.waiting.lock().unwrap().pop()
    }

    fn taken(&self, object: &str, place: &str, error: &Error) {
        self.told.lock().unwrap().push(format!("{object} from {place}: {error}"));
    }
}

/// A snapshot in three sinks.
struct Three {
    sinks: [FaultySink; 3],
    report: BackupReport,
    keys: Keys,
    plain: Vec<u8>,
}

impl Three {
    async fn new(keys: Keys) -> Self {
        let chunks: Vec<_> = (0..6).map(|n| noise(50_000, n)).collect();
        let first = MemorySink::new();
        let report = job(&first, &Chunks::new(chunks.clone())).keys(keys.clone());
        let report = report.run(&Context::new()).await.unwrap();
        let mut sinks = vec![FaultySink::new(first.clone())];
        for _ in 0..2 {
            let copy = MemorySink::new();
            for object in first.list_sorted(&report.folder).await.unwrap() {
                let bytes = first.get(&object.key, 1 << 22).await.unwrap();
                copy.put(&object.key, bytes.into(), PutOptions::default()).await.unwrap();
            }
            sinks.push(FaultySink::new(copy));
        }
        Self { sinks: sinks.try_into().unwrap(), report, keys, plain: chunks.concat() }
    }

    fn payload(&self) -> ObjectKey {
        let suffix = if self.keys.recipients.is_some() { ".age" } else { "" };
        self.report.folder.join(&format!("data.bytes.zst{suffix}")).unwrap()
    }

    fn index(&self) -> ObjectKey {
        let suffix = if self.keys.recipients.is_some() { ".age" } else { "" };
        self.report.folder.join(&format!("index.jsonl.zst{suffix}")).unwrap()
    }

    async fn change(&self, sink: usize, key: &ObjectKey, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.sinks[sink].get(key, 1 << 22).await.unwrap();
        change(&mut bytes);
        self.sinks[sink].put(key, bytes.into(), PutOptions::default()).await.unwrap();
    }

    async fn open(&self, sink: usize) -> Snapshot {
        let sink = Arc::new(self.sinks[sink].clone());
        let repository = Repository::new(sink, name("nightly"), host()).keys(self.keys.clone());
        repository.open(&self.report.id).await.unwrap()
    }

    /// Restores from the first sink, going on from `others`; gives what was told.
    async fn restore(&self, others: &[usize]) -> Result<Vec<String>> {
        let copies = Copies::default();
        for other in others.iter().rev() {
            let copy = (format!("sink {other}"), self.open(*other).await);
            copies.waiting.lock().unwrap().push(copy);
        }
        let (copies, out) = (Arc::new(copies), Arc::new(Mutex::new(Vec::new())));
        let snapshot = self.open(0).await.or_from(copies.clone());
        let target = Box::new(Collected(out.clone()));
        let restoration = Restoration::new(name("data"), target, Selection::all());
        let (options, cx) = (RestoreOptions::default(), Context::new());
        let done = restore(&snapshot, vec![restoration], &options, &cx).await;
        let out = out.lock().unwrap();
        if let Err(error) = done {
            assert!(out.is_empty(), "something is left");
            return Err(error);
        }
        assert!(*out == self.plain, "other bytes were restored");
        Ok(copies.told.lock().unwrap().clone())
    }
}

fn keys() -> Vec<Keys> {
    #[cfg(feature = "encryption")]
    let encrypted = {
        use seaworthy_backup::encryption::{Identities, Recipients};
        let (private, public) = Identities::generate();
        let mut keys = Keys::default();
        keys.recipients = Some(Recipients::new([&public]).unwrap());
        keys.identities = Identities::from_text(&private, "test").unwrap();
        vec![keys]
    };
    #[cfg(not(feature = "encryption"))]
    let encrypted = Vec::new();
    [Keys::default()].into_iter().chain(encrypted).collect()
}

#[tokio::test]
async fn what_is_damaged_half_way_is_taken_from_another_sink_and_said_once() {
    for keys in keys() {
        for damage in [
            (|bytes| bytes[200_000] ^= 1) as fn(&mut Vec<u8>),
            |bytes| bytes[20] ^= 1,
            |bytes| bytes.truncate(120_000),
            |bytes| bytes.clear(),
            |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 1),
        ] {
            let three = Three::new(keys.clone()).await;
            assert!(three.restore(&[1]).await.unwrap().is_empty());
            three.change(0, &three.payload(), damage).await;
            let error = three.restore(&[]).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::InvalidInput));
            let told = three.restore(&[1]).await.unwrap();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with("data.bytes.zst"), "{told:?}");
            assert!(told[0].contains(" from sink 1: "), "{told:?}");
        }
    }
}

#[tokio::test]
async fn a_missing_object_a_damaged_index_and_a_dead_sink_are_damage_too() {
    for keys in keys() {
        let three = Three::new(keys).await;
        three.change(0, &three.index(), |bytes| bytes[10] ^= 1).await;
        let told = three.restore(&[1]).await.unwrap();
        assert!(told.len() == 1 && told[0].starts_with("index.jsonl.zst"), "{told:?}");
        three.sinks[0].delete(&three.payload()).await.unwrap();
        assert_eq!(three.restore(&[1]).await.unwrap().len(), 2);
        let name = three.payload().as_str().rsplit('/').next().unwrap().to_owned();
        let dead = Fault::Fail(ErrorKind::Unavailable);
        three.sinks[1].plan(Plan::every(Call::Read, dead).on_name(&name));
        let told = three.restore(&[1, 2]).await.unwrap();
        assert!(told[0].contains("from sink 1") && told[1].contains("from sink 2"), "{told:?}");
        // The first thing that was wrong is the one that is told.
        let error = three.restore(&[1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
    }
}

#[tokio::test]
async fn sinks_that_are_damaged_in_different_places_make_up_for_each_other() {
    for keys in keys() {
        let three = Three::new(keys).await;
        three.change(0, &three.payload(), |bytes| bytes[40_000] ^= 1).await;
        three.change(1, &three.payload(), |bytes| bytes[150_000] ^= 1).await;
        three.change(2, &three.payload(), |bytes| bytes[290_000] ^= 1).await;
        let told = three.restore(&[1]).await.unwrap();
        assert_eq!(told.len(), 1, "it goes back to its own place: {told:?}");
        assert_eq!(three.restore(&[1, 2]).await.unwrap().len(), 1);
        three.change(0, &three.payload(), |bytes| bytes[150_001] ^= 1).await;
        assert_eq!(three.restore(&[1]).await.unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(three.restore(&[1, 2]).await.unwrap().len(), 2);
    }
}
