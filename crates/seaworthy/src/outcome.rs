//! How a command ended: outcomes, exit codes, and the document for it.

use seaworthy_core::{Error, ErrorKind, Result};
use serde::Serialize;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Everything requested was done.
    Done,
    /// Done, with losses, which are listed.
    Losses,
    /// A check could not be completed.
    Inconclusive,
    /// A check found a problem.
    Findings,
    /// It could not be done.
    Failed,
    /// The request or the file is invalid.
    Wrong,
    /// The user stopped it.
    Interrupted,
    /// Nothing had to be done: returned instead of [`Done`](Self::Done) if requested.
    NothingToDo,
    /// A certificate was issued, but it is not being served.
    NotDeployed,
}

impl Outcome {
    /// The exit code for this outcome.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings | Self::Failed => 1,
            Self::Wrong => 2,
            Self::Losses | Self::Inconclusive => 3,
            Self::NothingToDo => 4,
            Self::NotDeployed => 5,
            Self::Interrupted => 130,
        }
    }

    /// Its name in documents and events, such as `losses`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Losses => "losses",
            Self::Inconclusive => "inconclusive",
            Self::Findings => "findings",
            Self::Failed => "failed",
            Self::Wrong => "wrong",
            Self::Interrupted => "interrupted",
            Self::NothingToDo => "nothing_to_do",
            Self::NotDeployed => "not_deployed",
        }
    }

    /// The combined outcome of two: errors win over losses.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |outcome| match outcome {
            Self::Interrupted => 8,
            Self::Wrong => 7,
            Self::Failed => 6,
            Self::Findings => 5,
            Self::NotDeployed => 4,
            Self::Inconclusive => 3,
            Self::Losses => 2,
            Self::Done => 1,
            Self::NothingToDo => 0,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// The outcome for an error.
impl From<&Error> for Outcome {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Cancelled => Self::Interrupted,
            ErrorKind::Config
            | ErrorKind::InvalidInput
            | ErrorKind::Ambiguous
            | ErrorKind::NotEmpty => Self::Wrong,
            ErrorKind::NotFound if error.blames_request() => Self::Wrong,
            _ => Self::Failed,
        }
    }
}

/// The result of a command: its outcome, what it found or did, and what went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reply<T> {
    /// How it ended.
    pub outcome: Outcome,
    /// What it found or did; it may be partial if there is an error.
    pub result: Option<T>,
    /// The first error.
    pub error: Option<Error>,
}

impl<T> Reply<T> {
    /// A reply with `result` and `outcome`.
    pub fn new(result: T, outcome: Outcome) -> Self {
        Self { outcome, result: Some(result), error: None }
    }

    /// Adds an error.
    #[must_use]
    pub fn with_error(mut self, error: Option<Error>) -> Self {
        if let Some(error) = error {
            self.outcome = self.outcome.and(Outcome::from(&error));
            self.error.get_or_insert(error);
        }
        self
    }

    /// The JSON document about `command`.
    pub fn document(&self, command: &str) -> Document<'_, T> {
        Document {
            schema: 1,
            command: command.to_owned(),
            outcome: self.outcome,
            exit_code: self.outcome.exit_code(),
            error: self.error.as_ref().map(ErrorDocument::new),
            result: self.result.as_ref(),
        }
    }
}

impl<T> From<Error> for Reply<T> {
    fn from(error: Error) -> Self {
        Self { outcome: Outcome::from(&error), result: None, error: Some(error) }
    }
}

impl<T> From<Result<T>> for Reply<T> {
    fn from(result: Result<T>) -> Self {
        match result {
            Ok(result) => Self::new(result, Outcome::Done),
            Err(error) => error.into(),
        }
    }
}

/// What `--json` prints, also on failure.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Document<'a, T> {
    /// The version of this format: 1.
    pub schema: u32,
    /// The command.
    pub command: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The program's exit code.
    pub exit_code: u8,
    /// The error; null if there was none.
    pub error: Option<ErrorDocument>,
    /// What the command found or did; null if there is no result.
    pub result: Option<&'a T>,
}

/// An error in a [`Document`].
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ErrorDocument {
    /// Its kind, such as `not_found`.
    pub kind: String,
    /// The number of that kind, as in the C ABI.
    pub code: i32,
    /// The operation that failed.
    pub operation: String,
    /// The message, with those of its causes.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Whether trying again may help.
    pub retryable: bool,
    /// More facts, such as `line` and `column`.
    pub context: std::collections::BTreeMap<String, String>,
}

impl ErrorDocument {
    /// The document of `error`.
    pub fn new(error: &Error) -> Self {
        Self {
            kind: error.kind().name().to_owned(),
            code: error.kind().code(),
            operation: error.operation().to_owned(),
            message: error.chain(),
            remedy: error.remedy().map(Into::into),
            retryable: error.is_retryable(),
            context: error.context().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }
}

/// The JSON Schema (draft 2020-12) of a [`Document`], whatever its result is.
#[cfg(feature = "schema")]
pub fn document_schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Document<'_, serde_json::Value>>().to_value()
}

/// The JSON Schema (draft 2020-12) of each line of the stream of events.
#[cfg(feature = "schema")]
pub fn event_schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.into_generator();
    generator.into_root_schema_for::<seaworthy_core::EventRecord<'_>>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_several_apply_the_codes_come_in_the_promised_order() {
        use Outcome::{
            Done, Failed, Findings, Inconclusive, Interrupted, Losses, NotDeployed, NothingToDo,
            Wrong,
        };
        let order = [
            Interrupted,
            Wrong,
            Failed,
            Findings,
            NotDeployed,
            Inconclusive,
            Losses,
            Done,
            NothingToDo,
        ];
        assert_eq!(order.map(Outcome::exit_code), [130, 2, 1, 1, 5, 3, 3, 0, 4]);
        for (i, a) in order.iter().enumerate() {
            for b in &order[i..] {
                assert_eq!(serde_json::to_value(b).unwrap(), b.name());
                assert_eq!(a.and(*b), *a);
                assert_eq!(b.and(*a), *a);
            }
        }
    }

    #[test]
    fn a_failure_keeps_the_shape_of_the_document() {
        let error = Error::new(ErrorKind::NotFound, "snapshot.resolve", "no such snapshot");
        let error = error.blame_request();
        let reply = Reply::<u8>::from(error.with("job", "nightly").remedy_is("list them"));
        let json = serde_json::to_value(reply.document("show")).unwrap();
        let expected = serde_json::json!({
            "schema": 1, "command": "show", "outcome": "wrong", "exit_code": 2, "result": null,
            "error": {
                "kind": "not_found", "code": -3, "operation": "snapshot.resolve",
                "message": "no such snapshot", "remedy": "list them", "retryable": false,
                "context": { "job": "nightly" },
            },
        });
        assert_eq!(json, expected);
    }
}
