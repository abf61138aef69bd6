//! The unit of a service, and the target of its instances.

use seaworthy_core::{CommandLine, Name, Origin, RenderedFile, Result, Span};

use super::{
    Units, base, harden,
    syntax::{Entry, Part, Unit, Value, Word},
};
use crate::model::{FilePath, RestartPolicy, Service, Signal};

/// systemd asks a service to use less memory before it reaches the limit.
const HIGH_OF_MAX: (u64, u64) = (9, 10);

/// The unit of a service: a template if it has instances.
pub(super) fn service(name: &Name, service: &Service, origin: &Origin) -> Result<RenderedFile> {
    let template = service.instances.is_some();
    Unit::default()
        .section("Unit", unit_section(name, service, template, origin))
        .section("Service", service_section(name, service, template, origin))
        .section("Install", install(template))
        .file(origin)
}

fn install(template: bool) -> Vec<Entry> {
    // Instances are started by their target.
    if template { Vec::new() } else { vec![Entry::new("WantedBy", "multi-user.target")] }
}

fn description(name: &Name, service: &Service) -> String {
    match &service.description {
        Some(text) => text.to_string(),
        None => format!("The service {name}"),
    }
}

fn unit_section(name: &Name, service: &Service, template: bool, origin: &Origin) -> Vec<Entry> {
    let mut text = vec![Part::Text(description(name, service).into())];
    if template {
        text.extend([Part::Text(" (".into()), Part::Instance]);
        text.push(Part::Text(")".into()));
    }
    let mut entries = vec![
        Entry::new("Description", Value::Plain(Word(text))).of(origin.field("description")),
        Entry::new("Wants", "network-online.target"),
        Entry::new("After", "network-online.target"),
    ];
    for unit in &service.after {
        let origin = origin.field("after");
        entries.push(Entry::new("Wants", unit.to_string()).of(origin.clone()));
        entries.push(Entry::new("After", unit.to_string()).of(origin));
    }
    if template {
        entries.push(Entry::new("PartOf", format!("{}.target", base(name))));
    }
    let restarts = &service.restarts;
    let origin = origin.field("restarts");
    if restarts.max == 0 {
        entries.push(Entry::new("StartLimitIntervalSec", "0").of(origin));
    } else {
        let within = seconds(restarts.within);
        entries.push(Entry::new("StartLimitIntervalSec", within).of(origin.clone()));
        entries.push(Entry::new("StartLimitBurst", restarts.max.to_string()).of(origin));
    }
    entries
}

fn service_section(name: &Name, service: &Service, template: bool, origin: &Origin) -> Vec<Entry> {
    let mut entries = vec![Entry::new("Type", "exec")];
    match &service.user {
        Some(user) => {
            entries.push(Entry::new("User", user.to_string()).of(origin.field("user")));
            if let Some(group) = &service.group {
                entries.push(Entry::new("Group", group.to_string()).of(origin.field("group")));
            }
        }
        None => entries.push(
            Entry::new("DynamicUser", "yes").because("No user is named: systemd makes one up."),
        ),
    }
    if let Some(directory) = service.working_directory() {
        let entry = Entry::new("WorkingDirectory", directory.to_string());
        entries.push(entry.of(origin.field("directory")));
    }
    environment(service, template, origin, &mut entries);
    entries.push(command(service, template).of(origin.field("command")));
    let policy = match service.restarts.policy {
        RestartPolicy::OnFailure => "on-failure",
        RestartPolicy::Always => "always",
        RestartPolicy::Never => "no",
    };
    entries.push(Entry::new("Restart", policy).of(origin.field("restarts")));
    let delay = seconds(service.restarts.delay);
    entries.push(Entry::new("RestartSec", delay).of(origin.field("restarts")));
    if let Some(signal) = service.stop_signal {
        let entry = Entry::new("KillSignal", Signal::name(signal));
        entries.push(entry.of(origin.field("stop_signal")));
    }
    let stop = seconds(service.stops_within());
    entries.push(Entry::new("TimeoutStopSec", stop).of(origin.field("stop_timeout")));
    limits(service, origin, &mut entries);
    output(name, service, origin, &mut entries);
    let unit = base(name);
    entries.push(Entry::new("StateDirectory", unit.clone()));
    entries.push(Entry::new("CacheDirectory", unit.clone()));
    let runtime = format!("{unit}{}", if template { "-{i}" } else { "" });
    let runtime = Word::with_instance(&runtime, "{i}");
    entries.push(Entry::new("RuntimeDirectory", Value::Plain(runtime)));
    if !service.writable.is_empty() {
        let paths = service.writable.iter().map(|path| Word::text(path.to_string()));
        let entry = Entry::new("ReadWritePaths", Value::Words(paths.collect()));
        entries.push(entry.of(origin.field("writable")));
    }
    let root = service.user.as_ref().is_some_and(|user| user.as_str() == "root");
    entries.extend(harden::of_service(&service.relax, root, origin));
    entries
}

fn environment(service: &Service, template: bool, origin: &Origin, entries: &mut Vec<Entry>) {
    let variable = |name: &str, value: Word| {
        let mut parts = vec![Part::Text(format!("{name}=").into())];
        parts.extend(value.0);
        Entry::new("Environment", Value::Words(vec![Word(parts)]))
    };
    for (name, value) in &service.environment {
        let entry = variable(name.as_str(), Word::text(value.clone()));
        entries.push(entry.of(origin.field("environment").field(name)));
    }
    if let Some(port) = service.port {
        let value =
            if template { Word(vec![Part::Instance]) } else { Word::text(port.to_string()) };
        entries.push(variable("PORT", value).of(origin.field("port")));
    }
    if let Some(workers) = service.workers {
        let value = Word::text(workers.to_string());
        entries.push(variable("WEB_CONCURRENCY", value).of(origin.field("workers")));
    }
    if let Some(file) = &service.environment_file {
        let entry = Entry::new("EnvironmentFile", file.to_string());
        entries.push(entry.of(origin.field("environment_file")));
    }
}

/// The program with its arguments, each on its own.
fn command(service: &Service, template: bool) -> Entry {
    let program = absolute_program(&service.command, service.working_directory());
    let mut words = vec![Word::text(program)];
    for argument in service.command.arguments() {
        words.push(match service.port {
            Some(_) if template => Word::with_instance(argument, "{port}"),
            Some(port) => Word::text(argument.replace("{port}", &port.to_string())),
            None => Word::text(argument.clone()),
        });
    }
    Entry::new("ExecStart", Value::Command(words))
}

/// A program with a slash is relative to the service's directory; systemd requires an absolute
/// path.
fn absolute_program(command: &CommandLine, directory: Option<FilePath>) -> String {
    let program = command.program();
    match directory {
        Some(directory) if program.contains('/') && !program.starts_with('/') => {
            directory.join(program.trim_start_matches("./")).to_string()
        }
        _ => program.to_owned(),
    }
}

fn limits(service: &Service, origin: &Origin, entries: &mut Vec<Entry>) {
    if let Some(memory) = service.memory_max {
        let (part, whole) = HIGH_OF_MAX;
        let high = u128::from(memory.bytes()) * u128::from(part) / u128::from(whole);
        let origin = origin.field("memory_max");
        entries.push(Entry::new("MemoryHigh", high.to_string()).of(origin.clone()));
        entries.push(Entry::new("MemoryMax", memory.bytes().to_string()).of(origin));
    }
    if let Some(quota) = service.cpu_quota {
        let entry = Entry::new("CPUQuota", Value::Percent(quota.value()));
        entries.push(entry.of(origin.field("cpu_quota")));
    }
}

fn output(name: &Name, service: &Service, origin: &Origin, entries: &mut Vec<Entry>) {
    match &service.log_file {
        None => entries.push(Entry::new("SyslogIdentifier", name.to_string())),
        Some(file) => {
            let origin = origin.field("log_file");
            let value = format!("append:{file}");
            entries.push(Entry::new("StandardOutput", value.clone()).of(origin.clone()));
            entries.push(Entry::new("StandardError", value).of(origin));
        }
    }
}

/// The target that starts and stops all instances.
pub(super) fn target(
    name: &Name,
    service: &Service,
    units: &Units,
    origin: &Origin,
) -> Result<RenderedFile> {
    let mut entries =
        vec![Entry::new("Description", format!("{}, all instances", description(name, service)))];
    for unit in &units.instances {
        let entry = Entry::new("Wants", unit.clone());
        entries.push(entry.of(origin.field("instances")));
    }
    Unit::default()
        .section("Unit", entries)
        .section("Install", vec![Entry::new("WantedBy", "multi-user.target")])
        .file(origin)
}

/// A duration as systemd reads it, in seconds.
fn seconds(span: Span) -> String {
    span.as_duration().as_secs().to_string()
}
