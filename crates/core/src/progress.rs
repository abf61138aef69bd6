//! The one stream of events that every frontend reads.

use std::{fmt::Debug, time::Duration};

use serde::{Serialize, Serializer};

use crate::Timestamp;

/// Receives [`Event`]s. Called from any thread, often: return quickly and never block.
pub trait Progress: Debug + Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}

/// What happens during an operation, in order. Its JSON is an object whose member `event` names the
/// kind.
///
/// ```
/// use seaworthy_core::Event;
/// let json = serde_json::to_value(Event::warning("careful"))?;
/// assert_eq!(json, serde_json::json!({ "event": "warning", "message": "careful" }));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A whole operation began.
    OperationStarted {
        /// What is done: `backup`, `verify`, `drill`, `prune`, `certificate`.
        operation: String,
        /// The name of the job or the certificate in the file.
        name: String,
    },
    /// A step began, such as reading one source.
    Started {
        /// What it is, for people: `nightly: uploads`.
        task: String,
        /// How many bytes there will be, if known.
        total_bytes: Option<u64>,
    },
    /// The current step made this much progress.
    Advanced {
        /// Bytes of uncompressed data.
        bytes: u64,
        /// Files, tables or other items.
        items: u64,
    },
    /// The step ended well.
    Finished {
        /// The name it started with.
        task: String,
        /// How long it took, in seconds.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        elapsed: Duration,
    },
    /// Something that the user should know and that did not stop the operation.
    Warning {
        /// What it is.
        message: String,
    },
    /// A whole operation ended.
    OperationEnded {
        /// The kind of check.
        operation: String,
        /// The name of the job or the certificate in the file.
        name: String,
        /// How it ended, as in the documents: `done`, `losses`, `findings`, `failed`, ….
        outcome: String,
        /// Why it failed.
        error: Option<String>,
    },
    /// A notification was sent, or could not be.
    Notified {
        /// The name of the notifier in the file.
        notifier: String,
        /// What it was about: `failure`, `recovery`, `success`, `overdue`, `suspect`, `expiring`,
        /// `started` or `test`.
        occasion: String,
        /// `sent`, `kept_back` (not sent, because nothing changed) or `failed`.
        state: String,
    },
}

impl Event {
    /// A warning.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::Warning { message: message.into() }
    }

    /// This event, which happened at `time`, with the version of its format.
    pub fn at(&self, time: Timestamp) -> EventRecord<'_> {
        EventRecord { schema: 1, time, event: self }
    }
}

/// An [`Event`] as programs read it: `{"schema":1,"time":"…","event":"…",…}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct EventRecord<'a> {
    /// The version of this format: 1. Later versions add events and members; a program should
    /// ignore those that it does not know.
    pub schema: u32,
    /// When it happened.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: &'a Event,
}

fn seconds<S: Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64())
}

/// Ignores everything.
#[derive(Debug)]
pub(crate) struct Ignored;

impl Progress for Ignored {
    fn event(&self, _: &Event) {}
}
