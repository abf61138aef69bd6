//! What was tried, and how it went.

use seaworthy_core::{Error, Result};
use serde::Serialize;

/// Something that was tried.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The part, such as `sink offsite`.
    pub part: String,
    /// What was tried of it, such as `write`.
    pub name: String,
    /// How it went.
    pub state: CheckState,
    /// What was seen, or what is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckState {
    /// It works.
    Ok,
    /// It works, but somebody should look at it.
    Warning,
    /// It does not work.
    Failed,
    /// It was not tried: the message says why.
    Skipped,
}

/// The checks of one part.
#[derive(Debug)]
pub(super) struct Checks {
    part: String,
    checks: Vec<Check>,
}

impl Checks {
    pub(super) fn of(part: impl Into<String>) -> Self {
        Self { part: part.into(), checks: Vec::new() }
    }

    pub(super) fn into_vec(self) -> Vec<Check> {
        self.checks
    }

    /// How many there are by now.
    pub(super) fn len(&self) -> usize {
        self.checks.len()
    }

    fn add(
        &mut self,
        name: &str,
        state: CheckState,
        message: impl Into<String>,
        remedy: Option<String>,
    ) {
        let (part, name, message) = (self.part.clone(), name.to_owned(), message.into());
        self.checks.push(Check { part, name, state, message, remedy });
    }

    pub(super) fn ok(&mut self, name: &str, message: impl Into<String>) {
        self.add(name, CheckState::Ok, message, None);
    }

    pub(super) fn warn(
        &mut self,
        name: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(name, CheckState::Warning, message, Some(remedy.into()));
    }

    pub(super) fn fail(
        &mut self,
        name: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(name, CheckState::Failed, message, Some(remedy.into()));
    }

    pub(super) fn error(&mut self, name: &str, error: &Error) {
        let remedy = error.remedy().map(str::to_owned);
        self.add(name, CheckState::Failed, error.chain(), remedy);
    }

    pub(super) fn skip(&mut self, name: &str, why: impl Into<String>) {
        self.add(name, CheckState::Skipped, why, None);
    }

    /// Notes how `name` went, and gives what it gave.
    pub(super) fn note<T>(
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
