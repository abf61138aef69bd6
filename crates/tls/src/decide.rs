//! What to do about one certificate now. Pure: no clock, no disk, no network.

use std::time::Duration;

use seaworthy_core::Timestamp;
use serde::Serialize;

use crate::{History, KnownHint, Validity};

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

/// What to do about one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Nothing.
    Rest {
        /// When to renew it.
        until: Timestamp,
    },
    /// Something is due, but it failed recently, or the authority asked to wait.
    Wait {
        /// When to try again.
        until: Timestamp,
    },
    /// Get a new one.
    Renew {
        /// Why.
        reason: Reason,
    },
    /// The newest one is stored, but not yet proved to be served.
    Deploy,
}

/// Why a new certificate is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// There is none.
    Missing,
    /// It is no longer valid.
    Expired,
    /// It is revoked.
    Revoked,
    /// It expires soon.
    Due,
    /// The authority asked for it.
    Hint,
    /// Its names or its kind of key differ from the configuration.
    Changed,
    /// The user asked for it.
    Forced,
}

/// What to do at `now` about a certificate with the validity `certificate`; `None` if there is no
/// certificate. `hint` is its authority's renewal information.
///
/// It is renewed when less than a third of its lifetime is left, at most 30 days before its end;
/// for a lifetime under 10 days, when less than half is left. A hint replaces that rule, as long as
/// it leaves a tenth of the lifetime for failures. After a failure the next attempts come after 1,
/// 10 and 100 minutes, then after a day each, but never after more than a twentieth of the
/// lifetime.
pub fn decide(
    now: Timestamp,
    certificate: Option<Validity>,
    hint: Option<&KnownHint>,
    history: &History,
) -> Action {
    let renew = match certificate {
        None => Some(Reason::Missing),
        Some(_) if history.revoked => Some(Reason::Revoked),
        Some(validity) if now >= validity.not_after => Some(Reason::Expired),
        Some(validity) => {
            let (at, reason) = renewal(validity, hint);
            if now >= at {
                Some(reason)
            } else if history.deployed {
                return Action::Rest { until: at };
            } else {
                None
            }
        }
    };
    let lifetime = certificate.map(|validity| validity.lifetime());
    match renew {
        Some(reason) => {
            let pause = pause(history.failures, lifetime);
            let rested = history.last_failure.map(|last| later(last, pause));
            let until = rested.max(history.not_before);
            match until {
                // A clock that was set back must not delay a certificate forever.
                Some(until) if now < until && !from_the_future(now, history.last_failure) => {
                    Action::Wait { until }
                }
                _ => Action::Renew { reason },
            }
        }
        None => {
            let pause = pause(history.deploy_failures, lifetime);
            let until = history.last_deploy_failure.map(|last| later(last, pause));
            match until {
                Some(until)
                    if now < until && !from_the_future(now, history.last_deploy_failure) =>
                {
                    Action::Wait { until }
                }
                _ => Action::Deploy,
            }
        }
    }
}

/// When to renew a certificate, and why then.
pub fn renewal(validity: Validity, hint: Option<&KnownHint>) -> (Timestamp, Reason) {
    let lifetime = validity.lifetime().as_secs();
    let before_end = |seconds: u64| earlier(validity.not_after, Duration::from_secs(seconds));
    let left = if lifetime < 10 * DAY { lifetime / 2 } else { (lifetime / 3).min(30 * DAY) };
    match hint {
        Some(known) => {
            let last = before_end(lifetime / 10);
            (known.chosen.min(last), Reason::Hint)
        }
        None => (before_end(left), Reason::Due),
    }
}

fn pause(failures: u32, lifetime: Option<Duration>) -> Duration {
    let pause = match failures {
        0 => 0,
        1 => MINUTE,
        2 => 10 * MINUTE,
        3 => 100 * MINUTE,
        _ => DAY,
    };
    let most = lifetime.map_or(DAY, |life| life.as_secs() / 20);
    Duration::from_secs(pause.min(most.max(MINUTE)))
}

fn from_the_future(now: Timestamp, last: Option<Timestamp>) -> bool {
    last.is_some_and(|last| last > later(now, Duration::from_secs(MINUTE)))
}

/// `duration` after `moment`, to the second.
pub(crate) fn later(moment: Timestamp, duration: Duration) -> Timestamp {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_unix(moment.as_unix().saturating_add(seconds))
}

/// `duration` before `moment`, to the second.
pub(crate) fn earlier(moment: Timestamp, duration: Duration) -> Timestamp {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_unix(moment.as_unix().saturating_sub(seconds))
}
