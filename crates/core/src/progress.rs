//! The one stream of events that every frontend reads.

use std::{fmt::Debug, time::Duration};

/// Receives [`Event`]s. Called from any thread, often: return quickly and never block.
pub trait Progress: Debug + Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}

/// What happens during an operation, in order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A step began, such as reading one source.
    Started {
        /// What it is, for people: `nightly: uploads`.
        task: String,
        /// How many bytes there will be, where it is known.
        total_bytes: Option<u64>,
    },
    /// The present step moved on by this much.
    Advanced {
        /// Bytes of plain data.
        bytes: u64,
        /// Files, tables or other items.
        items: u64,
    },
    /// The step ended well.
    Finished {
        /// The name it started with.
        task: String,
        /// How long it took.
        elapsed: Duration,
    },
    /// Something that the user should know and that did not stop the operation.
    Warning {
        /// What it is.
        message: String,
    },
}

impl Event {
    /// A warning.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::Warning { message: message.into() }
    }
}

/// Ignores everything.
#[derive(Debug)]
pub(crate) struct Ignored;

impl Progress for Ignored {
    fn event(&self, _: &Event) {}
}
