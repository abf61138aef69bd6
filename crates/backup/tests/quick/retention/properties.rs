//! What holds for every policy and every set of snapshots.

use std::collections::BTreeSet;

use proptest::prelude::*;
use seaworthy_backup::{format::SnapshotKind, retention::latest};
use seaworthy_core::Span;

use super::*;

/// Shortly after the night on which Paris leaves summer time.
const NOW: &str = "2026-10-27T12:00:00Z";

fn now() -> Timestamp {
    time(NOW)
}

fn zone() -> impl Strategy<Value = TimeZone> {
    prop_oneof![
        Just("UTC"),
        Just("Europe/Paris"),
        Just("Australia/Lord_Howe"),
        Just("America/St_Johns")
    ]
    .prop_map(|name| TimeZone::named(name).unwrap())
}

type Rules = ([Option<u32>; 6], Option<u16>);

fn rules() -> impl Strategy<Value = Rules> {
    let count = || proptest::option::weighted(0.4, 1..6_u32);
    let counts = [count(), count(), count(), count(), count(), count()];
    (counts, proptest::option::weighted(0.4, 1..90_u16))
        .prop_filter("no rule", |rules| *rules != ([None; 6], None))
}

fn keep(([last, hourly, daily, weekly, monthly, yearly], within): Rules) -> Keep {
    let mut keep = Keep::new();
    (keep.last, keep.hourly, keep.daily) = (last, hourly, daily);
    (keep.weekly, keep.monthly, keep.yearly) = (weekly, monthly, yearly);
    keep.within = within.map(Span::days);
    keep
}

fn keep_policy() -> impl Strategy<Value = KeepPolicy> {
    (rules(), zone()).prop_map(|(rules, zone)| KeepPolicy::new(keep(rules), zone).unwrap())
}

/// When snapshots began, in half hours before now: many of these days, fewer of these years, and
/// a few of the future.
fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![4 => 0..200_i64, 4 => 0..4_000_i64, 2 => 0..40_000_i64, 1 => -5..0_i64]
        .prop_map(|half_hours| plus(now(), -half_hours * 1800))
}

fn state() -> impl Strategy<Value = SnapshotState> {
    let why = || "x".to_owned();
    prop_oneof![
        8 => Just(SnapshotState::Good),
        2 => Just(suspect()),
        1 => Just(SnapshotState::Damaged { why: why() }),
        1 => Just(SnapshotState::Untrusted { why: why() }),
        1 => Just(SnapshotState::NewerFormat { why: why() }),
    ]
}

fn snapshots() -> impl Strategy<Value = Vec<SnapshotInfo>> {
    let host = prop_oneof![
        8 => Just(Some(host())),
        2 => Just(Some(other_host())),
        1 => Just(None),
    ];
    let kind = prop_oneof![6 => Just(SnapshotKind::Backup), 1 => Just(SnapshotKind::Safety)];
    let one = (moment(), state(), host, kind, proptest::bool::weighted(0.1));
    proptest::collection::vec(one, 0..40).prop_map(|all| {
        (0_u8..)
            .zip(all)
            .map(|(number, (moment, state, host, kind, pinned))| {
                let mut snapshot = good(moment);
                snapshot.id = SnapshotId::from_parts(moment, [0, 0, number]);
                (snapshot.state, snapshot.host, snapshot.kind) = (state, host, kind);
                snapshot.pinned = pinned;
                snapshot
            })
            .collect()
    })
}

fn kept_ids(plan: &RetentionPlan) -> BTreeSet<SnapshotId> {
    plan.kept().cloned().collect()
}

fn is_ours(snapshot: &SnapshotInfo) -> bool {
    snapshot.host == Some(host())
}

/// The snapshots of `all` for which `keep` holds.
fn only(all: &[SnapshotInfo], keep: impl Fn(&SnapshotInfo) -> bool) -> Vec<SnapshotInfo> {
    all.iter().filter(|snapshot| keep(snapshot)).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn every_snapshot_gets_one_decision_with_a_reason_newest_first(
        policy in keep_policy(), all in snapshots(),
    ) {
        let plan = plan(&policy, &all, now());
        let mut ids: Vec<_> = all.iter().map(|snapshot| &snapshot.id).collect();
        ids.sort();
        ids.reverse();
        prop_assert_eq!(plan.decisions().iter().map(|d| &d.id).collect::<Vec<_>>(), ids);
        for decision in plan.decisions() {
            prop_assert!(!decision.reasons.is_empty());
            prop_assert_eq!(plan.get(&decision.id), Some(decision));
        }
    }

    #[test]
    fn the_newest_good_one_pins_strangers_and_the_unreadable_are_never_removed(
        policy in keep_policy(), all in snapshots(),
    ) {
        let plan = plan(&policy, &all, now());
        if let Some(newest) = latest(&all, &host(), now()) {
            prop_assert!(plan.get(&newest.id).unwrap().keep);
        }
        for snapshot in &all {
            let may_go = matches!(snapshot.state, SnapshotState::Good | SnapshotState::Suspect { .. })
                && is_ours(snapshot) && !snapshot.pinned && snapshot.time() <= plus(now(), 3600);
            prop_assert!(may_go || plan.get(&snapshot.id).unwrap().keep, "{:?}", snapshot);
        }
    }

    #[test]
    fn the_order_of_the_listing_does_not_matter(
        policy in keep_policy(),
        (all, shuffled) in snapshots().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        prop_assert_eq!(plan(&policy, &all, now()), plan(&policy, &shuffled, now()));
    }

    #[test]
    fn more_rules_keep_more(a in rules(), b in rules(), zone in zone(), all in snapshots()) {
        let mut more = b;
        for (more, count) in more.0.iter_mut().zip(a.0) {
            *more = (*more).max(count);
        }
        more.1 = more.1.max(a.1);
        let fewer = KeepPolicy::new(keep(a), zone.clone()).unwrap();
        let more = KeepPolicy::new(keep(more), zone).unwrap();
        let (fewer, more) = (plan(&fewer, &all, now()), plan(&more, &all, now()));
        prop_assert!(kept_ids(&fewer).is_subset(&kept_ids(&more)));
    }

    #[test]
    fn planning_again_on_what_was_kept_removes_nothing(
        policy in keep_policy(), all in snapshots(),
    ) {
        let first = plan(&policy, &all, now());
        let left = only(&all, |snapshot| first.get(&snapshot.id).unwrap().keep);
        prop_assert_eq!(plan(&policy, &left, now()).removed().count(), 0);
    }

    #[test]
    fn what_is_of_the_future_unreadable_or_of_others_changes_nothing_for_the_rest(
        policy in keep_policy(), all in snapshots(),
    ) {
        let with = plan(&policy, &all, now());
        let rest = only(&all, |snapshot| {
            snapshot.time() <= plus(now(), 3600)
                && is_ours(snapshot)
                && matches!(snapshot.state, SnapshotState::Good | SnapshotState::Suspect { .. })
        });
        for decision in plan(&policy, &rest, now()).decisions() {
            prop_assert_eq!(with.get(&decision.id), Some(decision));
        }
    }

    #[test]
    fn suspects_and_safety_snapshots_change_nothing_for_good_ones(
        policy in keep_policy(), all in snapshots(),
    ) {
        let with = plan(&policy, &all, now());
        let rest = only(&all, |s| s.is_good() && s.kind == SnapshotKind::Backup);
        for decision in plan(&policy, &rest, now()).decisions() {
            prop_assert_eq!(with.get(&decision.id), Some(decision));
        }
    }

    #[test]
    fn a_pin_removes_nothing(
        policy in keep_policy(), all in snapshots(), which in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!all.is_empty());
        let mut pinned = all.clone();
        which.get_mut(&mut pinned).pinned = true;
        let (before, after) = (plan(&policy, &all, now()), plan(&policy, &pinned, now()));
        prop_assert!(kept_ids(&before).is_subset(&kept_ids(&after)));
    }

    #[test]
    fn two_hosts_in_one_place_never_remove_the_same_snapshot(
        policy in keep_policy(), all in snapshots(),
    ) {
        let ours = decide(Some(&policy), &all, &host(), now());
        let theirs = decide(Some(&policy), &all, &other_host(), now());
        for snapshot in &all {
            let gone = |plan: &RetentionPlan| !plan.get(&snapshot.id).unwrap().keep;
            prop_assert!(!gone(&ours) || is_ours(snapshot));
            prop_assert!(!gone(&theirs) || snapshot.host == Some(other_host()));
        }
    }

    #[test]
    fn a_count_keeps_so_many_periods_and_the_newest_of_each(
        rule in 0..6_usize, count in 1..9_u32, zone in zone(),
        moments in proptest::collection::btree_set(moment(), 1..60),
    ) {
        let mut counts = [None; 6];
        counts[rule] = Some(count);
        let policy = KeepPolicy::new(keep((counts, None)), zone.clone()).unwrap();
        let all: Vec<_> =
            moments.iter().filter(|&&m| m <= now()).map(|&moment| good(moment)).collect();
        prop_assume!(!all.is_empty());
        let period = |id: &SnapshotId| {
            let t = id.time().civil(&zone);
            let (year, month, day) = (i64::from(t.year), i64::from(t.month), i64::from(t.day));
            match rule {
                0 => vec![id.time().as_unix()],
                1 => vec![year, month, day, i64::from(t.hour), i64::from(t.offset_seconds)],
                2 => vec![year, month, day],
                3 => vec![i64::from(t.week_year), i64::from(t.week)],
                4 => vec![year, month],
                _ => vec![year],
            }
        };
        let plan = plan(&policy, &all, now());
        let periods: BTreeSet<_> = all.iter().map(|snapshot| period(&snapshot.id)).collect();
        prop_assert_eq!(plan.kept().count(), periods.len().min(count as usize));
        for kept in plan.kept() {
            let newer_in_period =
                all.iter().filter(|s| s.id > *kept && period(&s.id) == period(kept)).count();
            prop_assert_eq!(newer_in_period, 0);
        }
        // No removed one is the newest of a period newer than one that is kept.
        let oldest_kept = plan.kept().last().unwrap();
        for removed in plan.removed().filter(|id| *id > oldest_kept) {
            prop_assert!(plan.kept().any(|kept| kept > removed && period(kept) == period(removed)));
        }
    }
}
