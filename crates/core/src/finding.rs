//! What was tried of a part, and how it went: for `doctor`.

use serde::Serialize;

use crate::{Error, Result};

/// Something that was tried, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The part, such as `sink offsite`.
    pub part: String,
    /// The operation, such as `write`.
    pub name: String,
    /// The outcome.
    pub state: FindingState,
    /// What was found, or what is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// How something that was tried went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingState {
    /// It works.
    Ok,
    /// It works, but needs attention.
    Warning,
    /// It does not work.
    Failed,
    /// It was skipped: the message says why.
    Skipped,
}

/// What was tried of one part, in order.
///
/// ```
/// use seaworthy_core::{FindingState, Findings};
/// let mut findings = Findings::of("sink offsite");
/// findings.warn("clock", "this machine's clock is 90 s behind", "set the clock");
/// assert_eq!(findings.into_vec()[0].state, FindingState::Warning);
/// ```
#[derive(Clone, Debug)]
pub struct Findings {
    part: String,
    all: Vec<Finding>,
}

impl Findings {
    /// Nothing was tried of `part` yet.
    pub fn of(part: impl Into<String>) -> Self {
        Self { part: part.into(), all: Vec::new() }
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<Finding> {
        self.all
    }

    /// How many there are so far.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether nothing was tried yet.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn add(
        &mut self,
        name: &str,
        state: FindingState,
        message: impl Into<String>,
        remedy: Option<String>,
    ) {
        let (part, name, message) = (self.part.clone(), name.to_owned(), message.into());
        self.all.push(Finding { part, name, state, message, remedy });
    }

    /// `name` works.
    pub fn ok(&mut self, name: &str, message: impl Into<String>) {
        self.add(name, FindingState::Ok, message, None);
    }

    /// `name` works, but somebody should look at it.
    pub fn warn(&mut self, name: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(name, FindingState::Warning, message, Some(remedy.into()));
    }

    /// `name` does not work.
    pub fn fail(&mut self, name: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(name, FindingState::Failed, message, Some(remedy.into()));
    }

    /// `name` does not work, as `error` says.
    pub fn error(&mut self, name: &str, error: &Error) {
        let remedy = error.remedy().map(str::to_owned);
        self.add(name, FindingState::Failed, error.chain(), remedy);
    }

    /// `name` was not tried.
    pub fn skip(&mut self, name: &str, why: impl Into<String>) {
        self.add(name, FindingState::Skipped, why, None);
    }

    /// Records the result of `name`, and returns its value.
    pub fn note<T>(
        &mut self,
        name: &str,
        done: Result<T>,
        message: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match done {
            Ok(value) => {
                self.ok(name, message(&value));
                Some(value)
            }
            Err(error) => {
                self.error(name, &error);
                None
            }
        }
    }
}
