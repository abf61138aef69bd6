//! Runs the command line through the facade.

use std::sync::Arc;

use seaworthy::{
    Outcome,
    command::{Command, Dispatch},
    core::{Context, TimeZone},
};

use crate::{
    arguments::{Additions, Arguments, Given},
    ask,
    events::EventLines,
    finish::{Finish, Printer},
    progress::Bars,
    show, signals, status,
    terminal::Terminal,
};

/// Runs the command line.
pub(crate) async fn run(arguments: Arguments, more: Additions, terminal: &Terminal) -> Outcome {
    let Arguments { global, command } = arguments;
    let bars = Arc::new(Bars::new(*terminal));
    let mut cx = Context::new().with_progress(bars.clone());
    let (name, detailed) = (command.name(), more.detailed_exit_code());
    let zone = TimeZone::system();
    let mut finish = Finish { name, terminal, bars: &bars, events: None, zone, detailed };
    if let Some(path) = &global.events {
        let events = match EventLines::open(path, bars.clone()) {
            Ok(events) => events,
            Err(error) => return finish.failed(error),
        };
        cx = cx.with_progress(events.clone());
        finish.events = Some(events);
    }
    signals::watch(cx.cancel().clone(), *terminal);
    let command = match command {
        Given::Local(local) => return local.run(&global, &finish, &cx).await,
        Given::Request(command) => command,
    };
    let seaworthy = match global.open() {
        Ok(seaworthy) => seaworthy,
        Err(error) => return finish.failed(error),
    };
    finish.zone = seaworthy.config().time_zone();
    let printer = Printer { seaworthy: &seaworthy, finish: &finish, cx: &cx };
    match command {
        Command::Restore(request) => {
            finish.with(seaworthy.restore(&request, &ask::confirm, &cx).await)
        }
        Command::Show(request) if !terminal.json => show::run(&request, &printer).await,
        Command::Status(request) => status::run(&request, &more, &printer).await,
        command => command.dispatch(&printer).await,
    }
}
