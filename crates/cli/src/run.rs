//! From the command line to the facade and back.

use std::{io::Write, ops::ControlFlow, path::Path, sync::Arc};

use clap::CommandFactory;
use seaworthy::{
    Config, Outcome, Reply, Seaworthy,
    command::{
        BackupRequest, CheckResult, Destination, PruneRequest, RestoreRequest, ShowRequest,
        VerifyKind, VerifyRequest, check_file,
    },
    core::{Context, Error, Result},
};
use serde::Serialize;

use crate::{
    arguments::{Arguments, Command, ConfigCommand, Global, Restore},
    ask,
    output::{self, Report},
    progress::Bars,
    signals,
    terminal::Terminal,
};

/// Does what the command line asks for.
pub(crate) async fn run(arguments: Arguments, terminal: &Terminal) -> Outcome {
    let Arguments { global, command } = arguments;
    let name = command.name();
    let bars = Arc::new(Bars::new(*terminal));
    let cx = Context::new().with_progress(bars.clone());
    signals::watch(cx.cancel().clone(), *terminal);
    let finish = Finish { name, terminal, bars: &bars };
    match command {
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "seaworthy", &mut text);
            return print_raw(&text);
        }
        Command::Man => {
            let mut text = Vec::new();
            let made = manual(&mut text);
            return if made.is_ok() { print_raw(&text) } else { Outcome::Failed };
        }
        Command::Config(ConfigCommand::Schema { output }) => {
            let schema =
                if output { seaworthy::document_schema() } else { seaworthy::config::schema() };
            let mut text = serde_json::to_vec_pretty(&schema).unwrap_or_default();
            text.push(b'\n');
            return print_raw(&text);
        }
        Command::Config(ConfigCommand::Check) => return finish.with(check(&global)),
        _ => {}
    }
    let seaworthy = match open(&global) {
        Ok(seaworthy) => seaworthy,
        Err(error) => return finish.with(Reply::<CheckResult>::from(error)),
    };
    match command {
        Command::Backup { jobs, dry_run, accept } => {
            finish.with(seaworthy.backup(&BackupRequest { jobs, dry_run, accept }, &cx).await)
        }
        Command::Snapshots { jobs } => finish.with(seaworthy.snapshots(&jobs, &cx).await),
        Command::Show { snapshot, files } => {
            show(&seaworthy, ShowRequest { snapshot, files }, &finish, &cx).await
        }
        Command::Verify { snapshots, sink, sample, rebuild_index } => {
            let kind = match sample {
                _ if rebuild_index => VerifyKind::RebuildIndex,
                Some(part) => VerifyKind::Sample(part),
                None => VerifyKind::Everything,
            };
            finish.with(seaworthy.verify(&VerifyRequest { snapshots, sink, kind }, &cx).await)
        }
        Command::Restore(restore) => {
            let yes = restore.yes;
            let request = match restore_request(restore) {
                Ok(request) => request,
                Err(error) => return finish.with(Reply::<CheckResult>::from(error)),
            };
            let confirm = move |intent: &_| ask::confirm(intent, yes);
            finish.with(seaworthy.restore(&request, &confirm, &cx).await)
        }
        Command::Prune { jobs, dry_run } => {
            finish.with(seaworthy.prune(&PruneRequest { jobs, dry_run }, &cx).await)
        }
        Command::Sync { jobs } => finish.with(seaworthy.sync(&jobs, &cx).await),
        Command::Pin { snapshot } => finish.with(seaworthy.pin(&snapshot, &cx).await),
        Command::Unpin { snapshot } => finish.with(seaworthy.unpin(&snapshot, &cx).await),
        Command::Config(_) | Command::Completions { .. } | Command::Man => Outcome::Done,
    }
}

/// How every command ends: the bar goes, the result and the error are printed.
struct Finish<'a> {
    name: &'static str,
    terminal: &'a Terminal,
    bars: &'a Bars,
}

impl Finish<'_> {
    fn with<T: Serialize + Report>(&self, reply: Reply<T>) -> Outcome {
        self.bars.clear();
        let printed = if self.terminal.json {
            output::print_document(&reply.document(self.name))
        } else {
            reply.result.as_ref().map_or(Ok(()), |result| output::print(result))
        };
        if let (Some(error), false) = (&reply.error, self.terminal.json) {
            self.terminal.error(error);
        }
        match printed {
            // Whoever read it has had enough.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => reply.outcome,
            Err(e) => {
                self.terminal.error(&Error::io("print", "cannot write the result", e));
                reply.outcome.and(Outcome::Failed)
            }
            Ok(()) => reply.outcome,
        }
    }
}

fn check(global: &Global) -> Reply<CheckResult> {
    match find(global) {
        Ok(path) => check_file(&path),
        Err(error) => error.into(),
    }
}

fn find(global: &Global) -> Result<std::path::PathBuf> {
    let variable = std::env::var_os("SEAWORTHY_CONFIG");
    seaworthy::config::find(global.config.as_deref(), variable.as_deref().map(Path::new))
}

fn open(global: &Global) -> Result<Seaworthy> {
    let config = Config::load(&find(global)?)?;
    Seaworthy::open(config, std::env::vars_os().collect())
}

fn restore_request(restore: Restore) -> Result<RestoreRequest> {
    let to = match restore.to {
        Some(folder) => Destination::Folder(std::path::absolute(&folder).map_err(|e| {
            Error::io("restore.prepare", format!("cannot find {}", folder.display()), e)
        })?),
        None => Destination::InPlace,
    };
    let Restore { snapshot, source, sink, only, .. } = restore;
    Ok(RestoreRequest { snapshot, source, sink, only, to })
}

/// Files are printed as they are read, unless one document is asked for.
async fn show(
    seaworthy: &Seaworthy,
    request: ShowRequest,
    finish: &Finish<'_>,
    cx: &Context,
) -> Outcome {
    if finish.terminal.json {
        let reply = seaworthy.show_whole(&request, cx).await;
        return finish.with(reply);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut failed = None;
    let mut each = |shown: seaworthy::command::Shown| match output::entry_line(&mut out, &shown) {
        Ok(()) => ControlFlow::Continue(()),
        Err(e) => {
            failed = Some(e);
            ControlFlow::Break(())
        }
    };
    let reply = seaworthy.show(&request, &mut each, cx).await;
    let flushed = out.flush();
    if request.files && reply.error.is_none() {
        return match failed.or(flushed.err()) {
            None => reply.outcome,
            // Whoever read has seen enough.
            Some(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Outcome::Done,
            Some(e) => {
                finish.terminal.error(&Error::io("show", "cannot write the list", e));
                Outcome::Failed
            }
        };
    }
    finish.with(reply)
}

/// The pages of the program and of each command, one after another.
fn manual(out: &mut Vec<u8>) -> std::io::Result<()> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    clap_mangen::Man::new(command.clone()).render(out)?;
    for sub in command.get_subcommands() {
        clap_mangen::Man::new(sub.clone())
            .title(format!("seaworthy-{}", sub.get_name()))
            .render(out)?;
    }
    Ok(())
}

fn print_raw(text: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Outcome::Failed,
        _ => Outcome::Done,
    }
}
