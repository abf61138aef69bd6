//! The end of every command: removes the bar, prints the result and the error.

use std::sync::Arc;

use seaworthy::{
    Outcome, Reply, Seaworthy,
    command::{Answer, Frontend, Request},
    core::{Context, Error, TimeZone},
};
use serde::Serialize;

use crate::{
    events::EventLines,
    output::{self, Report},
    progress::Bars,
    terminal::Terminal,
};

/// How the given command ends.
pub(crate) struct Finish<'a> {
    pub(crate) name: &'static str,
    pub(crate) terminal: &'a Terminal,
    pub(crate) bars: &'a Bars,
    pub(crate) events: Option<Arc<EventLines>>,
    /// The time zone of times for people: that of the file, once it is read.
    pub(crate) zone: TimeZone,
    /// Whether the exit code says that nothing had to be done.
    pub(crate) detailed: bool,
}

impl Finish<'_> {
    /// Prints `reply`.
    pub(crate) fn with<T: Serialize + Report>(&self, mut reply: Reply<T>) -> Outcome {
        self.bars.clear();
        if let Some(events) = &self.events {
            events.flush();
        }
        if reply.outcome == Outcome::NothingToDo && !self.detailed {
            reply.outcome = Outcome::Done;
        }
        let Terminal { json, quiet, .. } = *self.terminal;
        let printed = if json {
            output::print_document(&reply.document(self.name))
        } else {
            // Likely mistakes go to standard error: they are not the result.
            for warning in reply.result.iter().filter(|_| !quiet).flat_map(Report::warnings) {
                self.terminal.warning(&warning);
            }
            let shown = reply.result.as_ref().filter(|result| !(quiet && result.is_nothing()));
            shown.map_or(Ok(()), |result| output::print(result, &self.zone))
        };
        if let (Some(error), false) = (&reply.error, json) {
            self.terminal.error(error);
        }
        match printed {
            // The reader has closed the pipe.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => reply.outcome,
            Err(e) => {
                self.terminal.error(&Error::io("print", "cannot write the result", e));
                reply.outcome.and(Outcome::Failed)
            }
            Ok(()) => reply.outcome,
        }
    }

    /// Says why it could not begin.
    pub(crate) fn failed(&self, error: Error) -> Outcome {
        self.with(Reply::<()>::from(error))
    }
}

/// Runs requests, and prints what they give.
pub(crate) struct Printer<'a> {
    pub(crate) seaworthy: &'a Seaworthy,
    pub(crate) finish: &'a Finish<'a>,
    pub(crate) cx: &'a Context,
}

impl Frontend for Printer<'_> {
    type Output = Outcome;
}

impl<R: Request<Result: Report>> Answer<R> for Printer<'_> {
    async fn answer(&self, request: R) -> Outcome {
        self.finish.with(request.run(self.seaworthy, self.cx).await)
    }
}
