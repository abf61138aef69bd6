//! `show` for people: what is in a snapshot is printed as it is read.

use std::{io::Write, ops::ControlFlow};

use seaworthy::{
    Outcome,
    command::{ShowRequest, Shown},
    core::Error,
};

use crate::{finish::Printer, output};

pub(crate) async fn run(request: &ShowRequest, printer: &Printer<'_>) -> Outcome {
    let Printer { seaworthy, finish, cx } = printer;
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut failed = None;
    let mut each = |shown: Shown| match output::entry_line(&mut out, &shown) {
        Ok(()) => ControlFlow::Continue(()),
        Err(e) => {
            failed = Some(e);
            ControlFlow::Break(())
        }
    };
    let reply = seaworthy.show(request, &mut each, cx).await;
    let flushed = out.flush();
    if (request.files || request.tables) && reply.error.is_none() {
        return match failed.or(flushed.err()) {
            None => reply.outcome,
            // The reader has closed the pipe.
            Some(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Outcome::Done,
            Some(e) => {
                finish.terminal.error(&Error::io("show", "cannot write the list", e));
                Outcome::Failed
            }
        };
    }
    finish.with(reply)
}
