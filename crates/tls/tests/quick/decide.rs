//! What is due: properties over lifetimes from 6 to 398 days.

use proptest::prelude::*;
use seaworthy_core::{Error, ErrorKind, Timestamp};
use seaworthy_tls::{
    Action, History, KnownHint, NOT_BEFORE, Reason, RenewalHint, Validity, decide,
};

const DAY: i64 = 86_400;
const BEGIN: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(BEGIN + seconds)
}

fn validity(life: i64) -> Validity {
    Validity { not_before: at(0), not_after: at(life) }
}

fn served() -> History {
    let mut history = History::default();
    history.deployed();
    history
}

fn failure() -> Error {
    Error::new(ErrorKind::Unavailable, "test", "the authority is down")
}

proptest! {
    /// It rests first, is due before the end with time for failures, and stays due.
    #[test]
    fn it_is_renewed_in_time(life in 6 * DAY..=398 * DAY) {
        let (validity, history) = (validity(life), served());
        let Action::Rest { until } = decide(at(0), Some(validity), None, &history) else {
            return Err(TestCaseError::fail("a fresh one is not due"));
        };
        let left = validity.not_after.as_unix() - until.as_unix();
        prop_assert!(left <= 30 * DAY);
        prop_assert!(left >= life / 3 || left == 30 * DAY || life < 10 * DAY && left >= life / 2);
        let due = Action::Renew { reason: Reason::Due };
        prop_assert_eq!(decide(until, Some(validity), None, &history), due);
        let expired = Action::Renew { reason: Reason::Expired };
        prop_assert_eq!(decide(validity.not_after, Some(validity), None, &history), expired);
    }

    /// An hourly timer never asks more often than the pauses allow, never gives up, and makes at
    /// least eight attempts before the end.
    #[test]
    fn failures_pause_and_never_end_the_attempts(life in 6 * DAY..=398 * DAY) {
        let (validity, mut history) = (validity(life), served());
        let mut attempts = Vec::new();
        let mut now = 0;
        while now < life {
            if let Action::Renew { .. } = decide(at(now), Some(validity), None, &history) {
                attempts.push(now);
                history.failed(at(now), &failure());
            }
            now += 3600;
        }
        prop_assert!(attempts.len() >= 8, "{} attempts", attempts.len());
        let days = (life - attempts[0]) / DAY + 1;
        let most = 4 + days.max((life - attempts[0]) / (life / 20) + 1);
        prop_assert!((attempts.len() as i64) <= most, "{} in {days} days", attempts.len());
    }

    /// The authority's word about when to come back is kept, to the second.
    #[test]
    fn nobody_asks_before_the_authority_wants(life in 6 * DAY..=398 * DAY, wait in 1..3 * DAY) {
        let mut history = served();
        let error = failure().with(NOT_BEFORE, at(life + wait));
        history.failed(at(life), &error);
        for before in [wait - 1, wait / 2] {
            let action = decide(at(life + before.max(0)), Some(validity(life)), None, &history);
            prop_assert!(before >= wait || matches!(action, Action::Wait { .. }), "{action:?}");
        }
        let action = decide(at(life + wait.max(DAY)), Some(validity(life)), None, &history);
        prop_assert!(matches!(action, Action::Renew { .. }), "{action:?}");
    }

    /// A hint moves the time both ways, stays in its window, and cannot make anything expire.
    #[test]
    fn hints_take_the_place_of_the_rule(
        life in 6 * DAY..=398 * DAY,
        start in 0..400 * DAY,
        width in 1..30 * DAY,
        part: u16,
    ) {
        let hint = RenewalHint::new(at(start), at(start + width), at(0));
        let known = KnownHint::choose(hint, "x", part);
        prop_assert!(known.chosen >= at(start) && known.chosen <= at(start + width));
        let history = served();
        let due = known.chosen.min(at(life - life / 10));
        let hinted = Action::Renew { reason: Reason::Hint };
        prop_assert_eq!(decide(due, Some(validity(life)), Some(&known), &history), hinted);
        if due > at(0) {
            let before = Timestamp::from_unix(due.as_unix() - 1);
            let action = decide(before, Some(validity(life)), Some(&known), &history);
            prop_assert_eq!(action, Action::Rest { until: due });
        }
    }

    /// Whatever is remembered, there is an answer, and one that is missing is never left to rest.
    #[test]
    fn every_memory_has_an_answer(
        now in -DAY..500 * DAY, life in 6 * DAY..=398 * DAY, failures: u32, deploy_failures: u32,
        last in proptest::option::of(-DAY..500 * DAY), deployed: bool, revoked: bool, none: bool,
    ) {
        let mut history = History::default();
        history.failures = failures;
        history.deploy_failures = deploy_failures;
        history.last_failure = last.map(at);
        history.last_deploy_failure = last.map(at);
        history.deployed = deployed;
        history.revoked = revoked;
        let certificate = (!none).then(|| validity(life));
        let action = decide(at(now), certificate, None, &history);
        if none || revoked || now >= life {
            prop_assert!(matches!(action, Action::Renew { .. } | Action::Wait { .. }), "{action:?}");
        }
        if let Action::Wait { until } = action {
            prop_assert!(until > at(now) && until <= at(now + DAY + 61), "{until} at {}", at(now));
        }
    }
}

#[test]
fn issued_and_deployed_are_two_states() {
    let mut history = History::default();
    history.issued("v1");
    let good = Some(validity(90 * DAY));
    assert_eq!(decide(at(0), good, None, &history), Action::Deploy);
    history.deploy_failed(at(0), &failure());
    assert_eq!(decide(at(30), good, None, &history), Action::Wait { until: at(60) });
    assert_eq!(decide(at(60), good, None, &history), Action::Deploy);
    history.deployed();
    assert!(matches!(decide(at(60), good, None, &history), Action::Rest { .. }));
}

#[test]
fn the_pauses_are_1_10_100_minutes_and_a_day() {
    let mut history = served();
    let waits = |history: &History| match decide(at(0), None, None, history) {
        Action::Wait { until } => until.as_unix() - BEGIN,
        other => panic!("{other:?}"),
    };
    for pause in [60, 600, 6000, DAY, DAY, DAY] {
        history.failed(at(0), &failure());
        assert_eq!(waits(&history), pause);
    }
}
