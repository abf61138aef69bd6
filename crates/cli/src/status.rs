//! `status`: once, or repeatedly, in the requested format.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use seaworthy::{
    Outcome, Reply, Seaworthy, Status, StatusRequest,
    core::{Context, Error, ErrorKind, Span, TimeZone, durable},
};

use crate::{
    arguments::{self, Additions},
    finish::{Finish, Printer},
    output,
};

/// A web server reads the page as another user.
const PAGE_MODE: u32 = 0o644;

/// What the terminal adds to `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Repeat until Ctrl-C
    #[arg(long, conflicts_with_all = ["prometheus", "html"])]
    watch: bool,
    /// The interval
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "watch")]
    every: Span,
    /// Print metrics in the text format of Prometheus
    #[arg(long, conflicts_with = "html")]
    prometheus: bool,
    /// Write a page to this file, atomically
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) async fn run(
    request: &StatusRequest,
    more: &Additions,
    printer: &Printer<'_>,
) -> Outcome {
    let Printer { seaworthy, finish, cx } = *printer;
    let arguments = match more.get::<StatusArguments>() {
        Ok(arguments) => arguments,
        Err(error) => return finish.failed(arguments::wrong(&error)),
    };
    if arguments.watch {
        return watch(&arguments, seaworthy, request, finish, cx).await;
    }
    if arguments.prometheus && finish.terminal.json {
        return finish.with(refused("metrics are not a JSON document"));
    }
    let reply = seaworthy.status(request, cx).await;
    let Some(status) = &reply.result else { return finish.with(reply) };
    if arguments.prometheus {
        return match output::print_text(&status.prometheus()) {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                finish.terminal.error(&Error::io("print", "cannot write the metrics", e));
                Outcome::Failed
            }
            _ => reply.outcome,
        };
    }
    if let Some(file) = &arguments.html {
        let page = status.html(&finish.zone);
        if let Err(error) = durable::write_file(file, page.as_bytes(), PAGE_MODE) {
            return finish.with(reply.with_error(Some(error)));
        }
        if !finish.terminal.json {
            return reply.outcome;
        }
    }
    finish.with(reply)
}

fn refused(why: &str) -> Reply<Status> {
    let error = Error::new(ErrorKind::InvalidInput, "status", why);
    error.remedy_is("use only one of the two").into()
}

/// Repeats the status. On a terminal each one replaces the one before.
async fn watch(
    arguments: &StatusArguments,
    seaworthy: &Seaworthy,
    request: &StatusRequest,
    finish: &Finish<'_>,
    cx: &Context,
) -> Outcome {
    if finish.terminal.json {
        return finish.with(refused("--json prints one document, but watching never ends"));
    }
    let every = arguments.every.as_duration().max(Duration::from_secs(1));
    let is_terminal = std::io::stdout().is_terminal();
    loop {
        let reply = seaworthy.status(request, cx).await;
        if cx.cancel().is_triggered() {
            return Outcome::Interrupted;
        }
        let Some(status) = reply.result else { return finish.with(reply) };
        let shown = show(&status, &finish.zone, is_terminal);
        if shown.is_err() {
            // The output was closed.
            return status.outcome();
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = cx.cancel().triggered() => return Outcome::Interrupted,
        }
    }
}

fn show(status: &Status, zone: &TimeZone, is_terminal: bool) -> std::io::Result<()> {
    if is_terminal {
        let mut out = std::io::stdout().lock();
        // Moves to the upper left corner, and clears the screen.
        out.write_all(b"\x1b[H\x1b[2J\x1b[3J")?;
    }
    output::print(status, zone)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\n{}{}",
        status.time.in_zone(zone),
        if is_terminal { "  (Ctrl-C ends)" } else { "\n" }
    )?;
    out.flush()
}
