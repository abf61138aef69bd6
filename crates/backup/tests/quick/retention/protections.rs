//! What the engine protects, whatever a policy says.

use seaworthy_backup::{
    RetentionPolicy,
    format::SnapshotKind,
    retention::{Decision, Reason, latest},
};

use super::*;

const NOW: &str = "2026-11-22T12:00:00Z";

/// A good backup of our host, `days` before now.
fn days_ago(days: i64) -> SnapshotInfo {
    good(plus(time(NOW), -days * DAY))
}

fn last_one() -> KeepPolicy {
    policy(Keep::new().last(1), "UTC")
}

/// What `last = 1` and the engine say of `snapshot`, next to good backups of today and of
/// yesterday.
fn verdict(snapshot: SnapshotInfo) -> String {
    let id = snapshot.id.clone();
    let plan = plan(&last_one(), &[days_ago(0), days_ago(1), snapshot], time(NOW));
    // Whatever the third one is, it changes nothing for the others.
    assert!(plan.get(&days_ago(0).id).unwrap().keep);
    assert!(!plan.get(&days_ago(1).id).unwrap().keep);
    plan.get(&id).unwrap().to_string()
}

/// Says what it was told to say, of every snapshot that it is shown.
#[derive(Debug)]
struct Says(Vec<Decision>);

impl RetentionPolicy for Says {
    fn plan(&self, _: &[SnapshotInfo], _: Timestamp) -> RetentionPlan {
        RetentionPlan::new(self.0.clone())
    }
}

/// Removes every snapshot that it is shown.
#[derive(Debug)]
struct RemoveAll;

impl RetentionPolicy for RemoveAll {
    fn plan(&self, snapshots: &[SnapshotInfo], _: Timestamp) -> RetentionPlan {
        let why = "it must go";
        RetentionPlan::new(
            snapshots
                .iter()
                .map(|s| Decision::remove(s.id.clone(), Reason::Other { why: why.into() })),
        )
    }
}

#[test]
fn a_policy_that_removes_everything_leaves_the_newest_good_one_and_pins() {
    let mut pinned = days_ago(5);
    pinned.pinned = true;
    let mut newest = days_ago(0);
    newest.state = SnapshotState::Damaged { why: "db.sql.zst is missing".into() };
    let snapshots = [newest, days_ago(1), days_ago(2), pinned];
    let plan = decide(Some(&RemoveAll), &snapshots, &host(), time(NOW));
    assert_eq!(
        words(&plan),
        [
            "keep  damaged: db.sql.zst is missing",
            "keep  newest good snapshot",
            "remove  it must go",
            "keep  pinned",
        ]
    );
}

#[test]
fn silence_of_a_policy_keeps_and_words_on_strangers_are_not_heard() {
    let mut theirs = days_ago(3);
    theirs.host = Some(other_host());
    let snapshots = [days_ago(0), days_ago(1), days_ago(2), theirs.clone()];
    let remove = |snapshot: &SnapshotInfo| Decision::remove(snapshot.id.clone(), Reason::NoRule);
    let policy = Says(vec![
        remove(&theirs),
        remove(&days_ago(9)),
        remove(&days_ago(1)),
        Decision::keep(days_ago(1).id, vec![Reason::Other { why: "on second thoughts".into() }]),
    ]);
    let plan = decide(Some(&policy), &snapshots, &host(), time(NOW));
    assert_eq!(
        words(&plan),
        [
            "keep  newest good snapshot, the policy does not mention it",
            "keep  on second thoughts",
            "keep  the policy does not mention it",
            "keep  made by another host",
        ]
    );
}

#[test]
fn without_a_policy_nothing_is_removed() {
    let (mut old_suspect, mut safety) = (days_ago(90), days_ago(80));
    old_suspect.state = suspect();
    safety.kind = SnapshotKind::Safety;
    let snapshots = [days_ago(0), days_ago(70), safety, old_suspect];
    let plan = decide(None, &snapshots, &host(), time(NOW));
    assert_eq!(plan.removed().count(), 0);
    assert_eq!(words(&plan)[3], "keep  the job has no `keep`");
}

#[test]
fn what_is_not_good_is_kept_and_named() {
    let with = |state: SnapshotState| {
        let mut snapshot = days_ago(400);
        snapshot.state = state;
        snapshot
    };
    let why = || "x".to_owned();
    assert_eq!(verdict(with(SnapshotState::Damaged { why: why() })), "keep  damaged: x");
    assert_eq!(verdict(with(SnapshotState::Untrusted { why: why() })), "keep  untrusted: x");
    assert_eq!(verdict(with(SnapshotState::NewerFormat { why: why() })), "keep  newer format: x");
    let mut stranger = days_ago(400);
    stranger.host = None;
    assert_eq!(verdict(stranger), "keep  made by an unknown host");
}

#[test]
fn more_than_an_hour_ahead_is_the_future() {
    let mut ahead = good(plus(time(NOW), 3601));
    assert_eq!(verdict(ahead.clone()), "keep  dated in the future: 2026-11-22T13:00:01Z");
    ahead.pinned = true;
    assert_eq!(verdict(ahead.clone()), "keep  pinned, dated in the future: 2026-11-22T13:00:01Z");
    ahead.state = SnapshotState::Damaged { why: "x".into() };
    ahead.kind = SnapshotKind::Safety;
    ahead.host = Some(other_host());
    assert_eq!(
        verdict(ahead),
        "keep  pinned, dated in the future: 2026-11-22T13:00:01Z, damaged: x, made by another host"
    );

    let within_an_hour = good(plus(time(NOW), 3600));
    let plan = plan(&last_one(), &[days_ago(0), within_an_hour], time(NOW));
    assert_eq!(
        words(&plan),
        ["keep  newest good snapshot, last 1 of 1", "remove  no rule keeps it"]
    );
}

#[test]
fn safety_snapshots_go_after_14_days() {
    let safety = |seconds: i64| {
        let mut snapshot = good(plus(time(NOW), seconds - 14 * DAY));
        snapshot.kind = SnapshotKind::Safety;
        snapshot
    };
    assert_eq!(verdict(safety(0)), "keep  safety snapshot, kept for 14 days");
    assert_eq!(verdict(safety(-1)), "remove  safety snapshot older than 14 days");
    let mut empty = safety(-1);
    empty.state = suspect();
    assert_eq!(verdict(empty), "remove  safety snapshot older than 14 days");
    let mut pinned = safety(-1);
    pinned.pinned = true;
    assert_eq!(verdict(pinned), "keep  pinned");
}

#[test]
fn a_safety_snapshot_is_no_reason_to_remove_a_backup() {
    let mut safety = days_ago(0);
    safety.kind = SnapshotKind::Safety;
    let snapshots = [safety, days_ago(1), days_ago(2)];
    let plan = plan(&last_one(), &snapshots, time(NOW));
    assert_eq!(
        words(&plan),
        [
            "keep  safety snapshot, kept for 14 days",
            "keep  newest good snapshot, last 1 of 1",
            "remove  no rule keeps it",
        ]
    );
}

#[test]
fn a_wrong_clock_alone_ends_no_safety_snapshot() {
    let mut safety = days_ago(3);
    safety.kind = SnapshotKind::Safety;
    let in_a_year = plus(time(NOW), 365 * DAY);
    let with_backup = plan(&last_one(), &[days_ago(1), safety.clone()], in_a_year);
    assert_eq!(with_backup.removed().count(), 0);
    let alone = plan(&last_one(), &[safety], in_a_year);
    assert_eq!(words(&alone), ["keep  safety snapshot, kept for 14 days"]);
}

#[test]
fn a_suspect_goes_only_when_every_good_one_kept_is_newer() {
    let suspect_of = |days: i64| {
        let mut snapshot = days_ago(days);
        snapshot.state = suspect();
        snapshot
    };
    let snapshots =
        [suspect_of(0), days_ago(1), suspect_of(2), days_ago(3), suspect_of(4), days_ago(5)];
    let two = policy(Keep::new().last(2), "UTC");
    assert_eq!(
        words(&plan(&two, &snapshots, time(NOW))),
        [
            "keep  suspect, until older than every good snapshot kept",
            "keep  newest good snapshot, last 1 of 2",
            "keep  suspect, until older than every good snapshot kept",
            "keep  last 2 of 2",
            "remove  suspect, and older than every good snapshot kept",
            "remove  no rule keeps it",
        ]
    );
    assert_eq!(
        words(&plan(&two, &[suspect_of(400)], time(NOW))),
        ["keep  suspect, but there is no good snapshot"]
    );
}

#[test]
fn an_unmounted_folder_never_pushes_out_the_last_real_backup() {
    let mut snapshots = vec![days_ago(100)];
    for days in 0..100 {
        let mut empty = days_ago(days);
        empty.state = suspect();
        snapshots.push(empty);
    }
    let strict = policy(Keep::new().last(1).within("1d".parse().unwrap()), "UTC");
    assert_eq!(plan(&strict, &snapshots, time(NOW)).removed().count(), 0);
}

#[test]
fn latest_is_the_newest_good_backup_of_the_host() {
    let mut snapshots: Vec<_> = (0..5).map(days_ago).collect();
    snapshots[0].state = suspect();
    snapshots[1].kind = SnapshotKind::Safety;
    snapshots[2].host = Some(other_host());
    snapshots.push(good(plus(time(NOW), 3601)));
    let newest = |snapshots: &[SnapshotInfo], host| {
        latest(snapshots, &host, time(NOW)).map(|snapshot| snapshot.id.clone())
    };
    assert_eq!(newest(&snapshots, host()), Some(days_ago(3).id));
    snapshots.reverse();
    assert_eq!(newest(&snapshots, host()), Some(days_ago(3).id));
    assert_eq!(newest(&snapshots, other_host()), Some(days_ago(2).id));
    assert_eq!(newest(&snapshots, HostId::from_machine_id("nobody's")), None);
}

#[test]
fn a_plan_is_data_too() {
    let plan = plan(&last_one(), &[days_ago(0), days_ago(1)], time(NOW));
    assert_eq!(
        serde_json::to_value(&plan).unwrap(),
        serde_json::json!([
            {
                "id": "20261122T120000Z-000000",
                "keep": true,
                "reasons": [{ "reason": "newest_good" }, { "reason": "last", "nth": 1, "of": 1 }],
            },
            {
                "id": "20261121T120000Z-000000",
                "keep": false,
                "reasons": [{ "reason": "no_rule" }],
            },
        ])
    );
}
