//! The findings.

use serde::Serialize;

use super::Status;
use crate::Outcome;

/// A problem, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// Its severity.
    pub severity: Severity,
    /// Its stable id, such as `backup.overdue`.
    pub rule: String,
    /// What it is about, such as `nightly in b2`.
    pub subject: String,
    /// The message for people.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// The severity of a [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Data or visitors are at risk now.
    Error,
    /// They will be.
    Warning,
    /// Information. It does not make `status` exit with 1.
    Notice,
}

impl Severity {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

impl Finding {
    pub(super) fn new(
        severity: Severity,
        rule: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (rule, subject, message) = (rule.to_owned(), subject.into(), message.into());
        Self { severity, rule, subject, message, remedy: None }
    }

    #[must_use]
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl Status {
    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// [`Outcome::Findings`] if anything is worse than a notice.
    pub fn outcome(&self) -> Outcome {
        let worse = |finding: &Finding| finding.severity < Severity::Notice;
        if self.findings.iter().any(worse) { Outcome::Findings } else { Outcome::Done }
    }
}
