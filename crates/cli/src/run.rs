//! From the command line to the facade and back.

use std::{io::Write, ops::ControlFlow, path::Path, sync::Arc};

use clap::CommandFactory;
use seaworthy::{
    Config, Outcome, Reply, Seaworthy,
    command::{
        ApplyRequest, BackupRequest, ConfigCheckResult, DeployFrom, DeployRequest, Destination,
        DrillRequest, KeyKind, KeygenRequest, LintFinding, ProxyApplyRequest, ProxySwitchRequest,
        PruneRequest, RestoreRequest, RunRequest, ShowRequest, VerifyKind, VerifyRequest,
        check_file, keygen,
    },
    core::{CommandLine, Context, Error, Result},
    doctor::DoctorRequest,
    find_identities,
    init::InitRequest,
};
use serde::Serialize;

use crate::{
    arguments::{Arguments, Command, ConfigCommand, Global, KeygenKind, ProxyCommand, Restore},
    ask,
    events::EventLines,
    load_test, logs,
    output::{self, Report},
    progress::Bars,
    service, signals,
    terminal::Terminal,
};

/// Does what the command line asks for.
pub(crate) async fn run(arguments: Arguments, terminal: &Terminal) -> Outcome {
    let Arguments { global, command: given } = arguments;
    let name = given.name();
    let bars = Arc::new(Bars::new(*terminal));
    let mut cx = Context::new().with_progress(bars.clone());
    let mut finish = Finish { name, terminal, bars: &bars, events: None };
    if let Some(path) = &global.events {
        let events = match EventLines::open(path, bars.clone()) {
            Ok(events) => events,
            Err(error) => return finish.with(Reply::<ConfigCheckResult>::from(error)),
        };
        cx = cx.with_progress(events.clone());
        finish.events = Some(events);
    }
    signals::watch(cx.cancel().clone(), *terminal);
    let command = match given {
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
        Command::Config(ConfigCommand::Schema { output, of_status, of_events }) => {
            let schema = match (output, of_status, of_events) {
                (true, _, _) => seaworthy::document_schema(),
                (_, true, _) => seaworthy::status::schema(),
                (_, _, true) => seaworthy::event_schema(),
                _ => seaworthy::config::schema(),
            };
            let mut text = serde_json::to_vec_pretty(&schema).unwrap_or_default();
            text.push(b'\n');
            return print_raw(&text);
        }
        Command::Init { yes } => return init(&global, yes, &finish, &cx).await,
        Command::Config(ConfigCommand::Check) => return finish.with(check(&global)),
        Command::Keygen { kind, out } => {
            let kind = match kind {
                KeygenKind::Age => KeyKind::Age,
                KeygenKind::Sign => KeyKind::Sign,
            };
            return finish.with(keygen(&KeygenRequest { kind, out }));
        }
        Command::Logs(arguments) => return logs::run(arguments, &global, &finish, &cx).await,
        Command::LoadTest(arguments) => return load_test::run(arguments, &finish, &cx).await,
        other => other,
    };
    let opened = open(&global).and_then(|seaworthy| with_identities(seaworthy, &command));
    let opened = match (opened, command.host()) {
        (Ok(seaworthy), Some((host, jobs))) => seaworthy.of_host(host, &jobs, &cx).await,
        (opened, _) => opened,
    };
    let seaworthy = match opened {
        Ok(seaworthy) => seaworthy,
        Err(error) => return finish.with(Reply::<ConfigCheckResult>::from(error)),
    };
    match command {
        Command::Backup { jobs, dry_run, accept } => {
            finish.with(seaworthy.backup(&BackupRequest { jobs, dry_run, accept }, &cx).await)
        }
        Command::Snapshots { jobs, .. } => finish.with(seaworthy.snapshots(&jobs, &cx).await),
        Command::Show { snapshot, files, tables, .. } => {
            show(&seaworthy, ShowRequest { snapshot, files, tables }, &finish, &cx).await
        }
        Command::Verify { snapshots, sink, sample, rebuild_index, .. } => {
            let kind = match sample {
                _ if rebuild_index => VerifyKind::RebuildIndex,
                Some(part) => VerifyKind::Sample(part),
                None => VerifyKind::Everything,
            };
            finish.with(seaworthy.verify(&VerifyRequest { snapshots, sink, kind }, &cx).await)
        }
        Command::Drill { snapshots, sink, .. } => {
            finish.with(seaworthy.drill(&DrillRequest { snapshots, sink }, &cx).await)
        }
        Command::Restore(restore) => {
            let yes = restore.yes;
            let request = match restore_request(restore) {
                Ok(request) => request,
                Err(error) => return finish.with(Reply::<ConfigCheckResult>::from(error)),
            };
            let confirm = move |intent: &_| ask::confirm(intent, yes);
            finish.with(seaworthy.restore(&request, &confirm, &cx).await)
        }
        Command::Prune { jobs, dry_run, .. } => {
            finish.with(seaworthy.prune(&PruneRequest { jobs, dry_run }, &cx).await)
        }
        Command::Sync { jobs } => finish.with(seaworthy.sync(&jobs, &cx).await),
        Command::Status(arguments) => crate::status::run(arguments, &seaworthy, &finish, &cx).await,
        Command::Service(command) => service::run(&seaworthy, command, &finish, &cx).await,
        Command::Deploy { service, from, .. } => {
            let from = from.map_or(DeployFrom::Before, DeployFrom::Files);
            finish.with(seaworthy.deploy(&DeployRequest { service, from }, &cx).await)
        }
        Command::Cert(command) => crate::cert::run(command, &seaworthy, &finish, &cx).await,
        Command::Proxy(command) => proxy(&seaworthy, command, &finish, &cx).await,
        Command::Apply { dry_run, detailed_exit_code, kind, place } => {
            let (kind, folder) = (kind.into(), place.folder);
            let request = ApplyRequest { dry_run, detailed_exit_code, kind, folder };
            finish.with(seaworthy.apply(&request, &cx).await)
        }
        Command::Run { dry_run, detailed_exit_code } => {
            let request = RunRequest { dry_run, detailed_exit_code };
            let mut reply = seaworthy.run(request, &cx).await;
            // cron sends every line by mail: a timer that has nothing to do says nothing.
            if terminal.quiet && !terminal.json {
                reply.result = reply.result.filter(|result| !result.tasks.is_empty());
            }
            finish.with(reply)
        }
        Command::Doctor { notify } => {
            finish.with(seaworthy.doctor(&DoctorRequest { notify }, &cx).await)
        }
        Command::Pin { snapshot } => finish.with(seaworthy.pin(&snapshot, &cx).await),
        Command::Unpin { snapshot } => finish.with(seaworthy.unpin(&snapshot, &cx).await),
        Command::Config(_)
        | Command::Init { .. }
        | Command::Keygen { .. }
        | Command::Completions { .. }
        | Command::Man
        | Command::Logs(_)
        | Command::LoadTest(_) => Outcome::Done,
    }
}

async fn proxy(
    seaworthy: &Seaworthy,
    command: ProxyCommand,
    finish: &Finish<'_>,
    cx: &Context,
) -> Outcome {
    match command {
        ProxyCommand::Render { out } => {
            let reply = seaworthy.proxy_render(out.as_deref(), cx).await;
            if let (Some(result), false) = (&reply.result, finish.terminal.json) {
                finish.say(&result.findings);
            }
            finish.with(reply)
        }
        ProxyCommand::Check => finish.with(seaworthy.proxy_check(cx).await),
        ProxyCommand::Diff => finish.with(seaworthy.proxy_diff(cx).await),
        ProxyCommand::Apply { dry_run, keep_going, detailed_exit_code } => {
            let request = ProxyApplyRequest { dry_run, keep_going, detailed_exit_code };
            let reply = seaworthy.proxy_apply(request, cx).await;
            if let (Some(result), false) = (&reply.result, finish.terminal.json) {
                finish.say(&result.findings);
            }
            finish.with(reply)
        }
        ProxyCommand::Switch { site, to } => {
            let request = ProxySwitchRequest::new(site, to);
            finish.with(seaworthy.proxy_switch(&request, cx).await)
        }
    }
}

/// How every command ends: the bar goes, the result and the error are printed.
pub(crate) struct Finish<'a> {
    name: &'static str,
    terminal: &'a Terminal,
    bars: &'a Bars,
    events: Option<Arc<EventLines>>,
}

impl Finish<'_> {
    pub(crate) fn terminal(&self) -> &Terminal {
        self.terminal
    }

    /// What is probably not meant goes to standard error: it is not the result.
    fn say(&self, findings: &[LintFinding]) {
        for finding in findings.iter().filter(|_| !self.terminal.quiet) {
            let LintFinding { field, message, rule, .. } = finding;
            self.terminal.warning(&format!("{field}: {message} ({rule})"));
        }
    }

    pub(crate) fn with<T: Serialize + Report>(&self, reply: Reply<T>) -> Outcome {
        self.bars.clear();
        if let Some(events) = &self.events {
            events.flush();
        }
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

fn check(global: &Global) -> Reply<ConfigCheckResult> {
    match find(global) {
        Ok(path) => check_file(&path),
        Err(error) => error.into(),
    }
}

/// The file that is named, else that of the machine for root, else one here.
async fn init(global: &Global, yes: bool, finish: &Finish<'_>, cx: &Context) -> Outcome {
    let named = global.config.clone();
    let named = named.or_else(|| std::env::var_os("SEAWORTHY_CONFIG").map(Into::into));
    let file = named.unwrap_or_else(seaworthy::init::usual_file);
    let choose = |found: &_| ask::parts(found, &file, yes);
    let reply = seaworthy::init::init(&InitRequest::new(&file), &choose, cx).await;
    finish.with(reply)
}

fn find(global: &Global) -> Result<std::path::PathBuf> {
    let variable = std::env::var_os("SEAWORTHY_CONFIG");
    seaworthy::config::find(global.config.as_deref(), variable.as_deref().map(Path::new))
}

fn open(global: &Global) -> Result<Seaworthy> {
    let file = find(global)?;
    let seaworthy = Seaworthy::open(Config::load(&file)?, std::env::vars_os().collect())?;
    Ok(match (std::env::current_exe(), std::path::absolute(&file)) {
        (Ok(program), Ok(file)) => {
            let words = [program.into_os_string(), "--config".into(), file.into_os_string()];
            let words = words.map(|word| word.to_string_lossy().into_owned());
            seaworthy.with_program(CommandLine::new(words)?)
        }
        _ => seaworthy,
    })
}

/// Private keys are read for commands that decrypt, and for no other.
fn with_identities(seaworthy: Seaworthy, command: &Command) -> Result<Seaworthy> {
    let Some(given) = command.identities() else { return Ok(seaworthy) };
    let variable = std::env::var_os("SEAWORTHY_IDENTITY");
    let identities = find_identities(&given.identity, variable.as_deref())?;
    Ok(seaworthy.with_identities(identities))
}

fn restore_request(restore: Restore) -> Result<RestoreRequest> {
    let to = match restore.to {
        Some(target) => match Destination::parse(&target)? {
            Destination::Folder(folder) => {
                Destination::Folder(std::path::absolute(&folder).map_err(|e| {
                    Error::io("restore.prepare", format!("cannot find {}", folder.display()), e)
                })?)
            }
            other => other,
        },
        None => Destination::InPlace,
    };
    let Restore { snapshot, source, sink, only, force, .. } = restore;
    Ok(RestoreRequest { snapshot, source, sink, only, force, to })
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
    if (request.files || request.tables) && reply.error.is_none() {
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
