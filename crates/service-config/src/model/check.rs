//! Checks across several values: whether the parts of a service are consistent.

use std::collections::BTreeMap;

use seaworthy_core::{CommandLine, Error, ErrorKind, Named, Origin, Result};

use super::{RestartPolicy, Service, Services, Steps, text::no_control};

/// An inconsistency in the services.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Its place: the keys below `service`, such as `["api", "port"]`.
    pub path: Vec<String>,
    /// What is wrong, for people.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Fault {
    pub(crate) fn into_error(self) -> Error {
        let origin = self.path.iter().fold(Origin::new("service"), |origin, key| origin.field(key));
        let message = format!("{origin}: {}", self.message);
        Error::new(ErrorKind::Config, "service.check", message).at(origin).remedy_is(self.remedy)
    }
}

impl Services {
    /// The first of [`faults`] as an error.
    pub fn check(&self) -> Result<()> {
        match faults(&self.services, self.processors).into_iter().next() {
            None => Ok(()),
            Some(fault) => Err(fault.into_error()),
        }
    }
}

/// What is wrong with `services` on a machine with `processors`.
pub fn faults(services: &Named<Service>, processors: u16) -> Vec<Fault> {
    let mut all = Vec::new();
    let mut ports: BTreeMap<u16, &str> = BTreeMap::new();
    for (name, service) in services.iter() {
        let mut check = Check { name: name.as_str(), found: Vec::new() };
        check.service(service, processors);
        for port in service.ports(processors) {
            if let Some(other) = ports.insert(port, name.as_str()) {
                let message = format!("port {port} is taken by [service.{other}]");
                check.add(&["port"], message, "each instance needs a port of its own");
                break;
            }
        }
        all.append(&mut check.found);
    }
    all
}

struct Check<'a> {
    name: &'a str,
    found: Vec<Fault>,
}

impl Check<'_> {
    fn add(&mut self, keys: &[&str], message: impl Into<String>, remedy: impl Into<String>) {
        let path = std::iter::once(self.name).chain(keys.iter().copied());
        let path = path.map(str::to_owned).collect();
        self.found.push(Fault { path, message: message.into(), remedy: remedy.into() });
    }

    fn service(&mut self, service: &Service, processors: u16) {
        self.command(&["command"], &service.command);
        self.program(service);
        self.ports(service, processors);
        self.environment(service);
        self.restarts(service);
        if service.workers == Some(0) {
            self.add(&["workers"], "the number of workers must be at least 1", "write 1 or more");
        }
        if service.memory_max.is_some_and(|size| size.bytes() < 1 << 20) {
            self.add(
                &["memory_max"],
                "this is too little memory for any program",
                "write a size such as 1GiB",
            );
        }
        if service.group.is_some() && service.user.is_none() {
            self.add(&["group"], "a group needs a user", "name the user too");
        }
        for (key, relaxed) in
            [("privileges", &service.relax.privileges), ("low-ports", &service.relax.low_ports)]
        {
            if relaxed.is_some() && service.user.is_none() && key == "privileges" {
                let remedy = "name the user, such as user = \"root\"";
                self.add(&["relax", key], "a dynamic user cannot become another user", remedy);
            }
        }
        if let Some(port) = service.port
            && port.get() < 1024
            && service.relax.low_ports.is_none()
            && service.user.as_ref().is_none_or(|user| user.as_str() != "root")
        {
            let remedy = "listen on a port from 1024 on, or say why in relax.low-ports";
            self.add(&["port"], "only root may listen on a port below 1024", remedy);
        }
        self.deploy(service);
        if let Some(ci) = &service.ci {
            let steps = ci.test.iter().map(|(name, steps)| (vec!["test", name.as_str()], steps));
            let audits = ci.audit.iter().map(|(name, steps)| (vec!["audit", name.as_str()], steps));
            let build = ci.build.iter().map(|steps| (vec!["build"], steps));
            for (keys, steps) in steps.chain(audits).chain(build) {
                self.steps(&keys, steps);
            }
            if ci.deploy.is_some() && (ci.artifact.is_empty() || ci.build.is_none()) {
                let remedy = "write `build`, and in `artifact` what of it is deployed";
                self.add(&["ci", "deploy"], "there is nothing to deploy", remedy);
            }
            if ci.deploy.is_some() && service.deploy.is_none() {
                let remedy = "add a [service.….deploy] section; it may be empty";
                self.add(
                    &["ci", "deploy"],
                    "the service cannot be deployed: it has no deploy section",
                    remedy,
                );
            }
        }
    }

    fn steps(&mut self, keys: &[&str], steps: &Steps) {
        let keys = [&["ci"], keys].concat();
        if steps.run.is_empty() {
            self.add(
                &keys,
                "there is nothing to run",
                "add run = [[\"program\", \"argument\"], …]",
            );
        }
        for (i, command) in steps.run.iter().enumerate() {
            let index = i.to_string();
            let keys = [&keys[..], &["run", &index]].concat();
            self.command(&keys, command);
            if words(command).any(|word| word.contains("${{")) {
                let message = "GitHub would expand \"${{\" before the shell sees it";
                self.add(&keys, message, "pass the value in an environment variable");
            }
        }
    }

    fn command(&mut self, keys: &[&str], command: &CommandLine) {
        if let Some(why) = words(command).find_map(|word| no_control(word).err()) {
            let remedy = "pass such text in a file";
            self.add(keys, format!("a word of the command cannot be written: {why}"), remedy);
        }
        if words(command).any(|word| word.len() > 32_000) {
            self.add(keys, "a word of the command is too long", "pass such text in a file");
        }
    }

    /// Some first characters of a program have a special meaning in systemd.
    fn program(&mut self, service: &Service) {
        let program = service.command.program();
        let inner = |c: char| {
            c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ' ' | '@' | '%')
        };
        let first = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_');
        if !program.starts_with(first) || !program.chars().all(inner) {
            let remedy = "name a program, or write its path with letters, digits and / . _ - + @ %";
            self.add(&["command", "0"], format!("{program:?} is not a program's name"), remedy);
        } else if program.contains('/') && !program.starts_with('/') && service.directory.is_none()
        {
            let remedy = "write an absolute path, or add `directory`";
            self.add(&["command", "0"], "a relative program needs a directory", remedy);
        }
    }

    fn ports(&mut self, service: &Service, processors: u16) {
        let wanted = words(&service.command).any(|word| word.contains("{port}"));
        let Some(port) = service.port else {
            if wanted {
                self.add(
                    &["command"],
                    "{port} stands for a port, but the service has none",
                    "add `port`",
                );
            }
            if service.health.is_some() {
                self.add(&["health"], "the health check needs a port", "add `port`");
            }
            return;
        };
        if port.get().checked_add(service.count(processors) - 1).is_none() {
            let message = format!(
                "{} instances from port {port} on need ports above 65535",
                service.count(processors)
            );
            self.add(&["port"], message, "start with a lower port");
        }
    }

    fn environment(&mut self, service: &Service) {
        for (name, value) in &service.environment {
            let keys = ["environment", name.as_str()];
            let ours = ["PORT", "WEB_CONCURRENCY"].contains(&name.as_str())
                && (service.port.is_some() || name.as_str() != "PORT");
            if let Err(why) = no_control(value) {
                self.add(&keys, why, "put it into `environment_file`");
            } else if value.len() > 32_000 {
                self.add(&keys, "it is too long", "put it into `environment_file`");
            } else if looks_secret(name.as_str(), value) {
                let message = "it looks like a secret, and every user can read a unit";
                self.add(&keys, message, "put it into `environment_file`");
            } else if ours {
                let key = if name.as_str() == "PORT" { "port" } else { "workers" };
                self.add(&keys, "it is set already", format!("use the key `{key}`"));
            }
        }
    }

    fn restarts(&mut self, service: &Service) {
        let restarts = &service.restarts;
        let delay = restarts.delay.as_duration().as_secs();
        let within = restarts.within.as_duration().as_secs();
        let counts = restarts.max > 0 && restarts.policy != RestartPolicy::Never;
        if counts && delay * u64::from(restarts.max) >= within {
            let message = format!(
                "{} restarts with {} between them can never happen within {}",
                restarts.max, restarts.delay, restarts.within
            );
            let remedy = "make `within` longer, or write max = 0 to never give up";
            self.add(&["restarts"], message, remedy);
        }
    }

    fn deploy(&mut self, service: &Service) {
        let Some(deploy) = &service.deploy else { return };
        if service.directory.is_none() {
            let remedy = "add `directory`: releases are stored below it";
            self.add(&["deploy"], "there is no place for releases", remedy);
        }
        if deploy.keep == 0 {
            self.add(&["deploy", "keep"], "the current release is always kept", "write 1 or more");
        }
        for (i, command) in deploy.prepare.iter().enumerate() {
            self.command(&["deploy", "prepare", &i.to_string()], command);
        }
    }
}

fn words(command: &CommandLine) -> impl Iterator<Item = &str> {
    std::iter::once(command.program()).chain(command.arguments().iter().map(String::as_str))
}

/// Whether a variable of this name and value probably holds a secret.
fn looks_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "PRIVATE_KEY", "API_KEY", "CREDENTIAL"];
    // A path or a URL of a secret is not a secret itself.
    let leads = name.ends_with("_FILE") || name.ends_with("_PATH") || name.ends_with("_URL");
    let named = !leads && words.iter().any(|word| name.contains(word));
    let with_password = value.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?']).next().and_then(|host| host.rsplit_once('@')).is_some_and(
            |(user, _)| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()),
        )
    });
    !value.is_empty() && (named || with_password)
}
