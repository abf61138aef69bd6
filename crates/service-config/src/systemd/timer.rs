//! Timers, and the jobs that they start.

use seaworthy_core::{CommandLine, Name, Origin, RenderedFile, Result, Schedule};

use super::{
    harden,
    syntax::{Entry, Unit, Value, Word},
};
use crate::{
    calendar::on_calendar,
    model::{Runner, Service, Services},
};

/// A timer for `schedule`.
pub(super) fn timer(
    what: &str,
    schedule: &Schedule,
    model: &Services,
    origin: &Origin,
) -> Result<RenderedFile> {
    let lines =
        on_calendar(schedule, model.time_zone.as_ref()).map_err(|error| error.at(origin))?;
    let mut entries = Vec::new();
    for (i, line) in lines.into_iter().enumerate() {
        let entry = Entry::new("OnCalendar", line).of(origin.clone());
        entries.push(if i == 0 {
            entry.because(format!("As cron writes it: {schedule}"))
        } else {
            entry
        });
    }
    entries.extend([
        Entry::new("AccuracySec", "1s"),
        Entry::new("Persistent", "true")
            .because("What was due while the machine was off is done after the next start."),
    ]);
    Unit::default()
        .section("Unit", vec![Entry::new("Description", what.to_owned())])
        .section("Timer", entries)
        .section("Install", vec![Entry::new("WantedBy", "timers.target")])
        .file(origin)
}

fn program(command: &CommandLine, arguments: &[&str]) -> Value {
    let words = std::iter::once(command.program())
        .chain(command.arguments().iter().map(String::as_str))
        .chain(arguments.iter().copied());
    Value::Command(words.map(|word| Word::text(word.to_owned())).collect())
}

/// The job that restarts a service, with health checks.
pub(super) fn restart(
    name: &Name,
    service: &Service,
    model: &Services,
    origin: &Origin,
) -> Result<RenderedFile> {
    let one = service.starts_within().as_duration() + service.stops_within().as_duration();
    let all = one.as_secs() * u64::from(service.count(model.processors)) + 60;
    let mut entries = vec![
        Entry::new("Type", "oneshot"),
        Entry::new("ExecStart", program(&model.program, &["service", "restart", name.as_str()])),
        Entry::new("TimeoutStartSec", all.to_string()),
        Entry::new("StateDirectory", "seaworthy"),
    ];
    entries.extend(harden::of_restart(origin));
    Unit::default()
        .section("Unit", vec![Entry::new("Description", format!("Restart of the service {name}"))])
        .section("Service", entries)
        .file(origin)
}

/// The job that runs what is due.
pub(super) fn runner(model: &Services, runner: &Runner, origin: &Origin) -> Result<RenderedFile> {
    let mut entries = vec![
        Entry::new("Type", "oneshot"),
        Entry::new("ExecStart", program(&model.program, &["run", "--quiet"])),
        Entry::new("TimeoutStartSec", "infinity")
            .because("A backup takes as long as it takes; the timer waits for it."),
        Entry::new("Nice", "10"),
        Entry::new("IOSchedulingClass", "best-effort"),
        Entry::new("IOSchedulingPriority", "7"),
        Entry::new("StateDirectory", "seaworthy"),
    ];
    for file in &runner.environment_files {
        // Without it the configuration needs no secret from the environment.
        entries.push(Entry::new("EnvironmentFile", format!("-{file}")));
    }
    if !runner.writes.is_empty() {
        // A missing folder must not keep the job from starting.
        let paths = runner.writes.iter().map(|path| Word::text(format!("-{path}")));
        entries.push(Entry::new("ReadWritePaths", Value::Words(paths.collect())));
    }
    entries.extend(harden::of_runner(runner, origin));
    let unit = vec![
        Entry::new("Description", "What is due in Seaworthy: backups, copies, renewals, drills"),
        Entry::new("Wants", "network-online.target"),
        Entry::new("After", "network-online.target"),
    ];
    Unit::default().section("Unit", unit).section("Service", entries).file(origin)
}
