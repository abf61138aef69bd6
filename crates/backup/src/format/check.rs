//! Results of later verifications: one small object each, in a snapshot's `checks/`.

use seaworthy_core::Timestamp;
use serde::{Deserialize, Serialize};

/// The folder of these records in a snapshot's folder.
pub(crate) const CHECKS: &str = "checks";

/// The largest record that is read, in bytes.
pub(crate) const MAX_CHECK: u64 = 1 << 20;

/// The result of one verification or restore drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckRecord {
    /// When it ended.
    pub time: Timestamp,
    /// The kind of check.
    pub kind: CheckKind,
    /// The outcome.
    pub outcome: CheckOutcome,
    /// Whether everything was checked, not only a sample.
    pub complete: bool,
    /// Whether only the stored bytes of an encrypted snapshot were checked, not their content.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// The findings as text; at most twenty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// The version of Seaworthy that made the check.
    pub version: String,
}

impl CheckRecord {
    /// A verification that stopped at `time` because of `finding`, before everything was checked.
    pub fn failed(time: Timestamp, finding: String) -> Self {
        Self {
            time,
            kind: CheckKind::Verify,
            outcome: CheckOutcome::Failed,
            complete: false,
            sealed: false,
            findings: vec![finding],
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// How a snapshot was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckKind {
    /// Its bytes were read back.
    Verify,
    /// It was restored into a temporary place.
    Drill,
    /// Its index was rebuilt, after its payloads were read back completely.
    Rebuild,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckOutcome {
    /// Everything that was checked is as it was written.
    Ok,
    /// Something is not.
    Failed,
    /// It could not be determined.
    Inconclusive,
}

/// The finding that makes a snapshot damaged, if the records (oldest first) have one that still
/// counts: a later complete and successful check clears the failures before it. Intact bytes do not
/// prove that they can be restored, nor the reverse, so drills and other checks are evaluated
/// separately. A check that could not decrypt the snapshot only clears findings that were made
/// without decryption.
pub(crate) fn standing_failure(records: &[CheckRecord]) -> Option<String> {
    let stands = |n: usize, failed: &CheckRecord| {
        let is_drill = |r: &CheckRecord| r.kind == CheckKind::Drill;
        let clears = |r: &CheckRecord| {
            r.complete
                && r.outcome == CheckOutcome::Ok
                && is_drill(r) == is_drill(failed)
                && (failed.sealed || !r.sealed)
        };
        failed.outcome == CheckOutcome::Failed && !records[n + 1..].iter().any(clears)
    };
    let (_, record) = records.iter().enumerate().rev().find(|(n, record)| stands(*n, record))?;
    let finding = record.findings.first().map_or("a check failed", String::as_str);
    Some(format!("{finding} (found {})", Timestamp::from_unix(record.time.as_unix())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(outcome: CheckOutcome, complete: bool) -> CheckRecord {
        CheckRecord {
            time: Timestamp::UNIX_EPOCH,
            kind: CheckKind::Verify,
            outcome,
            complete,
            sealed: false,
            findings: vec!["x is damaged".into()],
            version: "0".into(),
        }
    }

    #[test]
    fn only_a_later_complete_success_clears_a_failure() {
        use CheckOutcome::{Failed, Inconclusive, Ok};
        assert!(standing_failure(&[]).is_none());
        assert!(standing_failure(&[record(Ok, true), record(Failed, false)]).is_some());
        assert!(standing_failure(&[record(Failed, true), record(Ok, false)]).is_some());
        assert!(standing_failure(&[record(Failed, true), record(Inconclusive, true)]).is_some());
        assert!(standing_failure(&[record(Failed, true), record(Ok, true)]).is_none());
    }

    #[test]
    fn a_failed_drill_is_cleared_by_another_drill_alone() {
        use CheckOutcome::{Failed, Ok};
        let drill = |outcome| CheckRecord { kind: CheckKind::Drill, ..record(outcome, true) };
        assert!(standing_failure(&[drill(Failed), record(Ok, true)]).is_some());
        assert!(standing_failure(&[drill(Failed), drill(Ok)]).is_none());
        assert!(standing_failure(&[record(Failed, true), drill(Ok)]).is_some());
        assert!(standing_failure(&[record(Failed, true), drill(Failed), drill(Ok)]).is_some());
    }

    #[test]
    fn what_was_found_inside_is_not_cleared_from_outside() {
        use CheckOutcome::{Failed, Ok};
        let sealed = |outcome| CheckRecord { sealed: true, ..record(outcome, true) };
        let inside = record(Failed, true);
        assert!(standing_failure(&[sealed(Failed), sealed(Ok)]).is_none());
        assert!(standing_failure(&[inside.clone(), sealed(Ok)]).is_some());
        assert!(standing_failure(&[inside.clone(), sealed(Failed), sealed(Ok)]).is_some());
        assert!(standing_failure(&[inside, sealed(Ok), record(Ok, true)]).is_none());
    }
}
