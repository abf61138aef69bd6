//! PM2: an `ecosystem.config.cjs`.

use seaworthy_core::{
    ConfigRenderer, Error, ErrorKind, FileSet, Name, Origin, RenderedFile, Result,
};
use serde_json::{Map, Value, json};

use crate::{
    calendar::crontab_fields,
    model::{FilePath, RestartPolicy, Restarts, Service, Services, Signal},
};

/// Reads what systemd's `EnvironmentFile=` reads, for PM2, which has no such setting.
const READ_ENVIRONMENT: &str = r#"
// NAME=value lines; secrets stay out of this file.
function readEnvironment(path) {
  const variables = {};
  for (const line of require("node:fs").readFileSync(path, "utf8").split("\n")) {
    const found = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    if (found) variables[found[1]] = found[2].trim().replace(/^(["'])(.*)\1$/, "$2");
  }
  return variables;
}
"#;

/// Renders [`Services`] as an `ecosystem.config.cjs` for PM2. What PM2 cannot do is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pm2Renderer;

impl ConfigRenderer for Pm2Renderer {
    type Model = Services;

    fn render(&self, model: &Services) -> Result<FileSet> {
        model.check()?;
        let mut apps = Vec::new();
        let mut reads_files = false;
        for (name, service) in model.services.iter() {
            let app = app(name, service, model.processors)?;
            reads_files |= service.environment_file.is_some();
            apps.push(print(&app, service.environment_file.as_ref()));
        }
        let mut text =
            String::from("// Written by Seaworthy from seaworthy.toml. Edits are lost.\n");
        if reads_files {
            text.push_str(READ_ENVIRONMENT);
        }
        text.push_str("\nmodule.exports = {\n  apps: [\n");
        text.push_str(&apps.concat());
        text.push_str("  ],\n};\n");
        let mut files = FileSet::new();
        let file = RenderedFile::new(text, Origin::new("service"));
        files.insert("ecosystem.config.cjs", file)?;
        Ok(files)
    }
}

/// One `key: value` a line; every value is JSON, which is JavaScript too.
fn print(app: &Map<String, Value>, environment_file: Option<&FilePath>) -> String {
    let mut text = String::from("    {\n");
    for (key, value) in app {
        let value = match (key.as_str(), environment_file) {
            ("env", Some(file)) => {
                let path = Value::from(file.as_str());
                format!("{{ ...readEnvironment({path}), ...{value} }}")
            }
            _ => value.to_string(),
        };
        text.push_str(&format!("      {key}: {value},\n"));
    }
    text.push_str("    },\n");
    text
}

fn app(name: &Name, service: &Service, processors: u16) -> Result<Map<String, Value>> {
    let origin = Origin::new("service").field(name);
    refuse(service, &origin)?;
    let mut app = Map::new();
    let mut set = |key: &str, value: Value| {
        app.insert(key.to_owned(), value);
    };
    set("name", json!(name));
    let cluster = service.instances.is_some() && is_node(service);
    let arguments = service.command.arguments();
    let with_port = |argument: &String| match service.port {
        Some(port) => argument.replace("{port}", &port.to_string()),
        None => argument.clone(),
    };
    if is_node(service) {
        set("script", json!(arguments[0]));
        set("interpreter", json!(service.command.program()));
        set("args", arguments[1..].iter().map(with_port).collect());
    } else {
        set("script", json!(service.command.program()));
        set("interpreter", json!("none"));
        set("args", arguments.iter().map(with_port).collect());
    }
    if let Some(directory) = service.working_directory() {
        set("cwd", json!(directory));
    }
    set("exec_mode", json!(if cluster { "cluster" } else { "fork" }));
    set("instances", json!(service.count(processors)));
    if let Some(user) = &service.user {
        set("uid", json!(user));
        set("gid", json!(service.group.as_ref().unwrap_or(user)));
    }
    set("env", environment(service));
    if service.instances.is_some() && service.port.is_some() {
        // Each instance listens on a port of its own, as under systemd.
        set("increment_var", json!("PORT"));
    }
    if let Some(memory) = service.memory_max {
        set("max_memory_restart", json!(memory.bytes()));
    }
    restarts(service, &mut set);
    set("kill_timeout", millis(service.stops_within()));
    set("listen_timeout", millis(service.starts_within()));
    if let Some(schedule) = &service.restart_schedule {
        let origin = origin.field("restart_schedule");
        let fields = crontab_fields(schedule).map_err(|error| error.at(&origin))?;
        set("cron_restart", json!(fields));
    }
    if let Some(file) = &service.log_file {
        set("out_file", json!(file));
        set("error_file", json!(file));
    }
    set("merge_logs", json!(true));
    set("time", json!(true));
    Ok(app)
}

fn restarts(service: &Service, set: &mut impl FnMut(&str, Value)) {
    let restarts = &service.restarts;
    set("autorestart", json!(restarts.policy != RestartPolicy::Never));
    if restarts.policy == RestartPolicy::OnFailure {
        set("stop_exit_codes", json!([0]));
    }
    if restarts.delay != Restarts::default().delay {
        // With a delay PM2 reports "waiting restart" also for a process that it has given up: set
        // it only if requested.
        set("restart_delay", millis(restarts.delay));
    }
    if restarts.max > 0 {
        // PM2 gives up after this many runs in a row that were each shorter than `min_uptime`.
        let within = restarts.within.as_duration().as_millis();
        set("max_restarts", json!(restarts.max));
        let uptime = within / u128::from(restarts.max);
        set("min_uptime", json!(u64::try_from(uptime).unwrap_or(u64::MAX)));
    } else {
        // PM2 has no "never": this has the same effect.
        set("max_restarts", json!(1_000_000_000));
    }
}

fn environment(service: &Service) -> Value {
    let mut env = Map::new();
    for (name, value) in &service.environment {
        env.insert(name.to_string(), json!(value));
    }
    if let Some(port) = service.port {
        env.insert("PORT".to_owned(), json!(port.get()));
    }
    if let Some(workers) = service.workers {
        env.insert("WEB_CONCURRENCY".to_owned(), json!(workers.to_string()));
    }
    Value::Object(env)
}

fn millis(span: seaworthy_core::Span) -> Value {
    json!(u64::try_from(span.as_duration().as_millis()).unwrap_or(u64::MAX))
}

/// Whether the command is `node SCRIPT …`, which PM2 can run as a cluster.
fn is_node(service: &Service) -> bool {
    let program = service.command.program().rsplit('/').next();
    let script = service.command.arguments().first();
    matches!(program, Some("node" | "nodejs"))
        && script.is_some_and(|script| !script.starts_with('-'))
}

/// What PM2 cannot do, with the reason.
fn refuse(service: &Service, origin: &Origin) -> Result<()> {
    let fail = |key: &str, why: &str, remedy: &str| {
        let message = format!("{}: {why}", origin.field(key));
        Err(Error::new(ErrorKind::Unsupported, "service.render", message)
            .at(origin.field(key))
            .remedy_is(remedy))
    };
    let words = service.command.arguments();
    if service.instances.is_some() && words.iter().any(|word| word.contains("{port}")) {
        let remedy = "let the program read PORT, or use systemd";
        return fail("command", "PM2 gives all instances the same arguments", remedy);
    }
    if service.cpu_quota.is_some() {
        return fail("cpu_quota", "PM2 cannot limit the processors' time", "use systemd");
    }
    if service.stop_signal.is_some_and(|signal| signal != Signal::Sigint) {
        let remedy = "write SIGINT or leave it out; PM2_KILL_SIGNAL in its own environment changes \
                      it for all";
        return fail("stop_signal", "PM2 asks every program to stop by SIGINT", remedy);
    }
    if !service.after.is_empty() {
        return fail(
            "after",
            "PM2 does not support units",
            "start PM2 itself after them (`pm2 startup`)",
        );
    }
    Ok(())
}
