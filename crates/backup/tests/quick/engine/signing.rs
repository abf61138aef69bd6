//! Signed snapshots: whatever a writer of the sink forges is listed and never used.

use seaworthy_backup::{
    Keys,
    format::{CheckRecord, MANIFEST},
    signing::{SIGNATURE, SigningKey, TrustedKeys},
};

use super::support::*;

/// Keys that sign, and trust what they signed.
fn keys() -> Keys {
    let (secret, public) = SigningKey::generate().unwrap();
    let mut keys = Keys::default();
    keys.signing = Some(SigningKey::from_text(&secret, "test").unwrap());
    keys.trust = Some(TrustedKeys::new([public]).unwrap());
    keys
}

/// Two signed snapshots, a day apart, of which the clock says that it is the day after.
struct Signed {
    sink: MemorySink,
    repository: Repository,
    older: BackupReport,
    newer: BackupReport,
    cx: Context,
    clock: Arc<ManualClock>,
}

async fn signed(keys: &Keys) -> Signed {
    let (cx, clock) = clock();
    let sink = MemorySink::new();
    let job = job(&sink, &Chunks::new([noise(100, 1)])).keys(keys.clone());
    let older = job.run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    let newer = job.run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    let repository = job.repository().clone();
    Signed { sink, repository, older, newer, cx, clock }
}

impl Signed {
    async fn get(&self, folder: &ObjectKey, name: &str) -> Vec<u8> {
        self.sink.get(&folder.join(name).unwrap(), 1 << 20).await.unwrap()
    }

    async fn put(&self, folder: &ObjectKey, name: &str, bytes: impl Into<Vec<u8>>) {
        let bytes: Vec<u8> = bytes.into();
        let key = folder.join(name).unwrap();
        self.sink.put(&key, bytes.into(), PutOptions::default()).await.unwrap();
    }

    /// The newer snapshot is listed as untrusted because of `why`, and nothing uses or removes it.
    async fn expect_untrusted(&self, why: &str) {
        let listed = self.repository.list(&self.cx).await.unwrap();
        let listed = listed.iter().find(|s| s.id == self.newer.id).unwrap();
        let SnapshotState::Untrusted { why: found } = &listed.state else { panic!("{listed:?}") };
        assert!(found.contains(why), "{found}");
        let latest = self.repository.resolve("latest", &self.cx).await.unwrap();
        assert_eq!(latest.id, self.older.id);
        let error = self.repository.open(&self.newer.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Untrusted);
        self.clock.advance(Span::days(1000));
        let keep = KeepPolicy::new(Keep::new().last(1), TimeZone::utc()).unwrap();
        let prune = Prune::new(self.repository.clone()).policy(&keep).run(None, &self.cx).await;
        assert!(prune.unwrap().removed.is_empty());
    }
}

#[tokio::test]
async fn what_is_signed_is_good_and_what_is_not_is_untrusted() {
    let keys = keys();
    let signed = signed(&keys).await;
    let listed = signed.repository.list(&signed.cx).await.unwrap();
    assert!(listed.iter().all(|s| s.is_good()), "{listed:?}");
    signed.sink.delete(&signed.newer.folder.join(SIGNATURE).unwrap()).await.unwrap();
    signed.expect_untrusted("not signed").await;
    // On demand it is read all the same, as is everything by who trusts everybody.
    signed.repository.open_untrusted(&signed.newer.id).await.unwrap();
    assert!(repository(&signed.sink).list(&signed.cx).await.unwrap()[0].is_good());
}

#[tokio::test]
async fn a_forged_manifest_is_untrusted() {
    let keys = keys();
    let signed = signed(&keys).await;
    // The writer of the bucket makes a whole and plausible snapshot of other data.
    let cx = &signed.cx;
    let evil = MemorySink::new();
    let mut manifest = signed.repository.open(&signed.newer.id).await.unwrap().manifest().clone();
    manifest.version = "forged".into();
    signed.put(&signed.newer.folder, MANIFEST, manifest.to_bytes().unwrap()).await;
    signed.expect_untrusted("does not match").await;
    // Signed with a key of his own, it is no better.
    let forger = job(&evil, &Chunks::new([noise(100, 2)])).keys(self::keys());
    let forged = forger.run(cx).await.unwrap();
    for name in [MANIFEST, SIGNATURE] {
        let bytes = evil.get(&forged.folder.join(name).unwrap(), 1 << 20).await.unwrap();
        signed.put(&signed.newer.folder, name, bytes).await;
    }
    signed.expect_untrusted("not trusted").await;
    for garbage in ["", "x", "untrusted comment: x\nx\ntrusted comment: x\nx\n"] {
        signed.put(&signed.newer.folder, SIGNATURE, garbage).await;
        signed.expect_untrusted("malformed").await;
    }
    signed.put(&signed.newer.folder, SIGNATURE, vec![b'x'; 1 << 19]).await;
    signed.expect_untrusted("larger").await;
}

#[tokio::test]
async fn a_signed_manifest_elsewhere_is_untrusted() {
    let keys = keys();
    let signed = signed(&keys).await;
    // The older snapshot, dressed up as the newer one.
    for object in signed.sink.list_sorted(&signed.older.folder).await.unwrap() {
        let name = object.key.strip_prefix(&signed.older.folder).unwrap();
        signed.put(&signed.newer.folder, name, signed.get(&signed.older.folder, name).await).await;
    }
    signed.expect_untrusted("but for another folder").await;
    // A job's snapshot, dressed up as another job's.
    let weekly = Repository::new(Arc::new(signed.sink.clone()), name("weekly"), host());
    let weekly = weekly.keys(keys.clone());
    let there: ObjectKey = format!("weekly/{}", signed.older.id).parse().unwrap();
    for object in signed.sink.list_sorted(&signed.older.folder).await.unwrap() {
        let name = object.key.strip_prefix(&signed.older.folder).unwrap();
        signed.put(&there, name, signed.get(&signed.older.folder, name).await).await;
    }
    let listed = weekly.list(&signed.cx).await.unwrap();
    assert_eq!(listed[0].state.name(), "untrusted");
}

#[tokio::test]
async fn nobody_makes_snapshots_that_he_would_not_trust() {
    let cx = Context::new();
    let sink = MemorySink::new();
    let mut unsigned = keys();
    unsigned.signing = None;
    let mut other = keys();
    other.signing = keys().signing;
    for keys in [unsigned, other] {
        let error = job(&sink, &Chunks::new([noise(10, 1)])).keys(keys).run(&cx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.remedy().unwrap().contains("signing.trust"));
    }
    assert!(sink.list_sorted(&"nightly".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_rebuilt_index_is_signed_and_at_no_moment_untrusted() {
    let keys = keys();
    let signed = signed(&keys).await;
    let temp = std::env::temp_dir();
    let lose_index = async || {
        let snapshot = signed.repository.open(&signed.newer.id).await.unwrap();
        let index = signed.newer.folder.join(&snapshot.manifest().index).unwrap();
        signed.sink.delete(&index).await.unwrap();
        snapshot
    };
    // Each write fails in turn, as if the machine had died there.
    let faulty = FaultySink::new(signed.sink.clone());
    let dying = Repository::new(Arc::new(faulty.clone()), name("nightly"), host());
    let dying = dying.keys(keys.clone());
    for nth in 1..10 {
        lose_index().await;
        let snapshot = dying.open(&signed.newer.id).await.unwrap();
        faulty.plan(Plan::nth(Call::Commit, nth, Fault::Fail(ErrorKind::Io)));
        let rebuilt = rebuild_index(&dying, &snapshot, &temp, &signed.cx).await;
        faulty.heal();
        // It can be opened, and so mended.
        signed.repository.open(&signed.newer.id).await.unwrap();
        if rebuilt.is_ok() {
            assert!(nth > 4, "only {nth} writes");
            break;
        }
        assert!(nth < 9, "{rebuilt:?}");
    }
    let snapshot = signed.repository.open(&signed.newer.id).await.unwrap();
    let found = verify(&snapshot, &VerifyOptions::default(), &signed.cx).await.unwrap();
    assert!(found.is_good(), "{:?}", found.findings);
    let names = signed.sink.list_sorted(&signed.newer.folder).await.unwrap();
    assert!(!names.iter().any(|object| object.key.as_str().ends_with(".next")), "{names:?}");
    assert!(signed.repository.list(&signed.cx).await.unwrap()[0].is_good());
}

#[tokio::test]
async fn a_forged_success_hides_no_failure() {
    let keys = keys();
    let signed = signed(&keys).await;
    let (cx, repository) = (&signed.cx, &signed.repository);
    let state = async || repository.list(cx).await.unwrap()[0].state.name();
    let newer = &signed.newer;
    let failed = CheckRecord::failed(cx.now(), "it is broken".into());
    repository.record_check(&newer.id, &failed).await.unwrap();
    assert_eq!(state().await, "damaged");
    // Who may only write says that all is well: unsigned, and with what the older snapshot got.
    signed.clock.advance(Span::hours(1));
    let snapshot = repository.open(&newer.id).await.unwrap();
    let verified = verify(&snapshot, &VerifyOptions::default(), cx).await.unwrap();
    let forger = super::support::repository(&signed.sink);
    forger.record_check(&newer.id, &verified.to_record(cx.now())).await.unwrap();
    assert_eq!(state().await, "damaged");
    repository.record_check(&signed.older.id, &verified.to_record(cx.now())).await.unwrap();
    for object in
        signed.sink.list_sorted(&signed.older.folder.join("checks").unwrap()).await.unwrap()
    {
        let name = object.key.strip_prefix(&signed.older.folder).unwrap();
        signed.put(&newer.folder, name, signed.get(&signed.older.folder, name).await).await;
    }
    assert_eq!(state().await, "damaged");
    // Who may sign is believed; an old success under a newer name is not.
    signed.clock.advance(Span::hours(1));
    let record = verified.to_record(cx.now());
    repository.record_check(&newer.id, &record).await.unwrap();
    assert_eq!(state().await, "good");
    signed.clock.advance(Span::hours(1));
    let failed = CheckRecord::failed(cx.now(), "it is broken again".into());
    repository.record_check(&newer.id, &failed).await.unwrap();
    let old = format!("checks/{}.json", record.time.compact());
    for suffix in ["", ".minisig"] {
        let bytes = signed.get(&newer.folder, &format!("{old}{suffix}")).await;
        signed.put(&newer.folder, &format!("checks/99991231T000000Z.json{suffix}"), bytes).await;
    }
    assert_eq!(state().await, "damaged");
}
