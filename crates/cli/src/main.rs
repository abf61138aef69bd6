//! The program `seaworthy`: flags, the terminal and progress bars. Everything else is in the crate
//! `seaworthy`.

mod arguments;
mod ask;
mod events;
mod finish;
mod global;
mod load_test;
mod local;
mod logs;
mod output;
mod progress;
mod run;
mod show;
mod signals;
mod status;
mod terminal;

use std::process::ExitCode;

use seaworthy::{Outcome, Reply, core::Error};

use terminal::Terminal;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let (arguments, more) = match arguments::parse(&words) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error, words.iter().any(|word| word == "--json")),
    };
    let terminal = Terminal::new(&arguments.global);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run::run(arguments, more, &terminal)),
        Err(e) => {
            let error = Error::io("start", "cannot start the runtime", e);
            terminal.error(&error);
            Outcome::Failed
        }
    };
    ExitCode::from(outcome.exit_code())
}

/// Help and version are results; an invalid command line is an error, and a document with `--json`.
fn usage(error: &clap::Error, json: bool) -> ExitCode {
    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
    let asked_for = matches!(error.kind(), DisplayHelp | DisplayVersion);
    if json && !asked_for {
        let reply = Reply::<()>::from(arguments::wrong(error));
        let _ = output::print_document(&reply.document(""));
        return ExitCode::from(Outcome::Wrong.exit_code());
    }
    // A closed pipe is not an error.
    let _ = error.print();
    ExitCode::from(if asked_for { 0 } else { Outcome::Wrong.exit_code() })
}
