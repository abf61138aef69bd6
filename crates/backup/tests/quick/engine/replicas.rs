//! Copies in other sinks: what they get, what they do without, and what waits for them.

use seaworthy_backup::{BackupReport, Replica, retention::Reason};
use seaworthy_core::Cancel;

use super::support::*;

fn keep_last(n: u32) -> Arc<KeepPolicy> {
    Arc::new(KeepPolicy::new(Keep::new().last(n), TimeZone::utc()).unwrap())
}

/// A job that keeps one snapshot in its first sink, and a replica that keeps three.
struct Pair {
    first: MemorySink,
    second: FaultySink,
    held: MemorySink,
    source: Arc<Chunks>,
    state: tempfile::TempDir,
}

impl Pair {
    fn new() -> Self {
        let held = MemorySink::new();
        Self {
            first: MemorySink::new(),
            second: FaultySink::new(held.clone()),
            held,
            source: Chunks::new([noise(3000, 1), noise(2000, 2)]),
            state: tempfile::tempdir().unwrap(),
        }
    }

    fn replica(&self) -> Replica {
        let repository = Repository::new(Arc::new(self.second.clone()), name("nightly"), host());
        Replica::new(name("offsite"), repository).retention(keep_last(3))
    }

    async fn run(&self, cx: &Context) -> Result<BackupReport> {
        job(&self.first, &self.source)
            .retention(keep_last(1))
            .replica(self.replica())
            .state(StateFolder::new(self.state.path()))
            .run(cx)
            .await
    }

    async fn ids(sink: &MemorySink, cx: &Context) -> Vec<String> {
        let listed = repository(sink).list(cx).await.unwrap();
        listed.iter().map(|s| s.id.to_string()).collect()
    }

    async fn objects(sink: &MemorySink) -> Vec<String> {
        let objects = sink.list_sorted(&ObjectKey::root()).await.unwrap();
        objects.iter().map(|object| object.key.to_string()).collect()
    }
}

#[tokio::test]
async fn a_run_copies_and_each_sink_keeps_what_its_own_policy_says() {
    let (cx, clock) = clock();
    let pair = Pair::new();
    let mut made = Vec::new();
    for day in 0..5 {
        let report = pair.run(&cx).await.unwrap();
        assert!(report.replicas_are_good(), "{:?}", report.replicas);
        assert_eq!(report.replicas[0].copied.len(), 1, "day {day}");
        made.insert(0, report.id.to_string());
        clock.advance(Span::days(1));
    }
    assert_eq!(Pair::ids(&pair.first, &cx).await, made[..1]);
    assert_eq!(Pair::ids(&pair.held, &cx).await, made[..3]);
    // A copy is the same, byte for byte, and restores by itself.
    let copy = repository(&pair.held).resolve("latest", &cx).await.unwrap();
    let snapshot = repository(&pair.held).open(&copy.id).await.unwrap();
    assert!(verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap().is_good());
    let folder = snapshot.folder().clone();
    for object in pair.held.list_sorted(&folder).await.unwrap() {
        let there = pair.held.get(&object.key, 1 << 20).await.unwrap();
        assert_eq!(pair.first.get(&object.key, 1 << 20).await.unwrap(), there, "{}", object.key);
    }
    // Nothing is copied back or again.
    let state = StateFolder::new(pair.state.path());
    let (replica, first, options) =
        (pair.replica(), repository(&pair.first), RunOptions::default());
    let again = replica.sync(&first, Some(&state), &options, &cx).await.unwrap();
    assert!(again.copied.is_empty());
}

#[tokio::test]
async fn what_never_arrived_is_held_for_a_week_and_then_let_go() {
    let (cx, clock) = clock();
    let pair = Pair::new();
    let first = pair.run(&cx).await.unwrap();
    pair.second.plan(Plan::every(Call::List, Fault::Fail(ErrorKind::NotFound)));
    let mut made = vec![first.id.to_string()];
    for _ in 0..9 {
        clock.advance(Span::days(1));
        let report = pair.run(&cx).await.unwrap();
        assert!(!report.replicas_are_good() && report.replicas[0].error.is_some());
        assert!(report.is_good() && report.prune_error.is_none(), "the rest is good");
        made.insert(0, report.id.to_string());
    }
    // The one that arrived went at once. Nine days without an answer: seven are waited for.
    let held = Pair::ids(&pair.first, &cx).await;
    assert_eq!(held, made[..7]);
    pair.second.heal();
    clock.advance(Span::hours(1));
    let report = pair.run(&cx).await.unwrap();
    // Three are kept there, so no more than three are worth copying.
    assert_eq!(report.replicas[0].copied.len(), 3);
    assert_eq!(Pair::ids(&pair.first, &cx).await, [report.id.to_string()]);
    assert_eq!(Pair::ids(&pair.held, &cx).await.len(), 3);
}

#[tokio::test]
async fn a_hold_says_for_whom() {
    let (cx, clock) = clock();
    let pair = Pair::new();
    pair.second.plan(Plan::every(Call::Begin, Fault::Fail(ErrorKind::PermissionDenied)));
    let first = pair.run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    let second = pair.run(&cx).await.unwrap();
    let plan = second.prune.unwrap().plan;
    let reasons = &plan.get(&first.id).unwrap().reasons;
    assert_eq!(reasons, &[Reason::Held { replicas: vec![name("offsite")] }]);
    assert_eq!(reasons[0].to_string(), "still to be copied to offsite");
    assert_eq!(second.replicas[0].lacks.as_ref().unwrap(), &[second.id, first.id]);
}

#[tokio::test]
async fn a_copy_that_was_cut_off_goes_on_where_it_was() {
    let (cx, clock) = clock();
    let pair = Pair::new();
    pair.second.plan(
        Plan::every(Call::Begin, Fault::Fail(ErrorKind::PermissionDenied)).on_name("SHA256SUMS"),
    );
    let report = pair.run(&cx).await.unwrap();
    assert!(report.replicas[0].copied.is_empty());
    assert!(Pair::ids(&pair.held, &cx).await.is_empty(), "without a manifest it is not a snapshot");
    let arrived = Pair::objects(&pair.held).await;
    assert_eq!(arrived.len(), 2, "{arrived:?}");
    // One of the two was spoilt meanwhile: only that one is sent again.
    let payload: ObjectKey = arrived.iter().find(|k| k.contains("data.")).unwrap().parse().unwrap();
    let size = pair.held.stat(&payload).await.unwrap().size;
    let spoilt = vec![0; usize::try_from(size).unwrap()];
    pair.held.put(&payload, spoilt.into(), PutOptions::default()).await.unwrap();
    pair.second.heal();
    clock.advance(Span::hours(1));
    let state = StateFolder::new(pair.state.path());
    let options = RunOptions::default();
    let first = repository(&pair.first);
    let synced = pair.replica().sync(&first, Some(&state), &options, &cx).await.unwrap();
    assert!(synced.is_good(), "{synced:?}");
    let copied = &synced.copied[0];
    assert!(copied.sent >= size && copied.resumed > 0, "{copied:?}");
    let snapshot = repository(&pair.held).open(&report.id).await.unwrap();
    assert!(verify(&snapshot, &VerifyOptions::default(), &cx).await.unwrap().is_good());
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let (cx, _) = clock();
    let pair = Pair::new();
    pair.second.plan(Plan::nth(Call::Commit, 1, Fault::Fail(ErrorKind::Unavailable)));
    pair.second.plan(Plan::nth(Call::Commit, 2, Fault::AnswerLost(ErrorKind::Unavailable)));
    let report = pair.run(&cx).await.unwrap();
    assert!(report.replicas_are_good(), "{:?}", report.replicas);
}

#[tokio::test]
async fn damage_in_the_first_sink_is_never_copied() {
    let (cx, clock) = clock();
    let pair = Pair::new();
    pair.second.plan(Plan::every(Call::List, Fault::Fail(ErrorKind::NotFound)));
    let old = pair.run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    let new = pair.run(&cx).await.unwrap();
    pair.second.heal();
    let objects = Pair::objects(&pair.first).await;
    let payload = objects.iter().find(|k| k.contains(new.id.as_str()) && k.contains("data."));
    let payload: ObjectKey = payload.unwrap().parse().unwrap();
    let mut bytes = pair.first.get(&payload, 1 << 20).await.unwrap();
    bytes[100] ^= 1;
    pair.first.put(&payload, bytes.into(), PutOptions::default()).await.unwrap();

    let first = repository(&pair.first);
    let options = RunOptions::default();
    let synced = pair.replica().sync(&first, None, &options, &cx).await.unwrap();
    assert!(synced.error.as_ref().unwrap().contains("does not match its manifest"));
    assert_eq!(synced.lacks.as_ref().unwrap(), std::slice::from_ref(&new.id));
    // The other one got through.
    assert_eq!(Pair::ids(&pair.held, &cx).await, [old.id.to_string()]);
}

#[tokio::test]
async fn a_replica_that_does_not_keep_what_it_was_sent_is_found_out_before_the_manifest() {
    let (cx, _) = clock();
    let pair = Pair::new();
    pair.second.plan(Plan::every(Call::Read, Fault::Flip(40)).on_name("data.bytes.zst"));
    let report = pair.run(&cx).await.unwrap();
    let error = report.replicas[0].error.as_ref().unwrap();
    assert!(error.contains("did not store") && error.contains("data.bytes.zst"), "{error}");
    assert!(Pair::ids(&pair.held, &cx).await.is_empty());
}

#[tokio::test]
async fn cancelling_a_copy_cancels_the_run_and_leaves_the_first_sink_good() {
    let (cx, _) = clock();
    let cancel = Cancel::default();
    let cx = cx.with_cancel(cancel.clone());
    let pair = Pair::new();
    // The first thing that a replica is asked is a listing.
    #[derive(Debug)]
    struct AtCopy(Cancel);
    impl seaworthy_core::Progress for AtCopy {
        fn event(&self, event: &seaworthy_core::Event) {
            if matches!(event, seaworthy_core::Event::Started { task, .. } if task.contains('→'))
            {
                self.0.trigger();
            }
        }
    }
    let cx = cx.with_progress(Arc::new(AtCopy(cancel)));
    let error = pair.run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let cx = Context::new().with_clock(Arc::new(ManualClock::new(cx.now())));
    assert_eq!(Pair::ids(&pair.first, &cx).await.len(), 1);
    assert!(Pair::ids(&pair.held, &cx).await.is_empty());
}

#[tokio::test]
async fn safety_and_suspect_snapshots() {
    let (cx, clock) = clock();
    let pair = Pair::new();
    let good = pair.run(&cx).await.unwrap();
    clock.advance(Span::days(1));
    let mut options = RunOptions::default();
    options.kind = SnapshotKind::Safety;
    job(&pair.first, &pair.source).replica(pair.replica()).options(options).run(&cx).await.unwrap();
    assert_eq!(Pair::ids(&pair.held, &cx).await, [good.id.to_string()], "safety stays here");
    clock.advance(Span::days(1));
    pair.source.set([]);
    let suspect = pair.run(&cx).await.unwrap();
    assert!(!suspect.is_good() && suspect.replicas_are_good());
    // It may be all that there will ever be of that day, and it pushes nothing out.
    let ids = Pair::ids(&pair.held, &cx).await;
    assert_eq!(ids, [suspect.id.to_string(), good.id.to_string()]);
}
