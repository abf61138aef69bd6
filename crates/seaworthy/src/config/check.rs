//! Checks across several values: whether the parts of the file are consistent.

mod drills;
mod notify;

use std::collections::HashSet;

use seaworthy_backup::{Keep, config::JobConfig, encryption::Recipients, signing::TrustedKeys};
use seaworthy_core::{Error, Name, Result, Section};

use crate::machine;

use super::{
    Config,
    load::{Reader, section},
    problem::{Problem, suggestion},
};

/// Adds what is wrong with `config` to the problems of `reader`.
pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    config.sections().for_each(|section| reader.add_faults(&section));
    for (name, job) in config.backup.iter() {
        check_job(config, name.as_str(), job, reader);
    }
    notify::check(config, reader);
    super::check_tls::check(config, reader);
    for fault in seaworthy_service_config::faults(&config.service, machine::processors()) {
        let path: Vec<_> =
            std::iter::once("service").chain(fault.path.iter().map(String::as_str)).collect();
        let table = section(&path[..path.len().min(2)]);
        let key = fault.path[1..].join(".");
        let message = match key.as_str() {
            "" => format!("{table}: {}", fault.message),
            key => format!("`{key}` in {table}: {}", fault.message),
        };
        reader.problems.push(Problem::new(reader.place(&path), message).remedy_is(fault.remedy));
    }
}

/// Adds inconsistencies in the web server, whose paths are absolute by now.
pub(super) fn check_web(config: &Config, reader: &mut Reader<'_>) -> Result<()> {
    let sites = !config.site.is_empty() || !config.upstream.is_empty();
    if config.proxy.is_none() && !sites {
        return Ok(());
    }
    let web = config.web().map_err(|error| config.locate(error))?;
    web.problems().iter().for_each(|error| reader.add(error));
    Ok(())
}

impl Config {
    /// The sections of sinks and sources, as their kinds check them.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> {
        let sinks = self.sink.iter().map(|(name, sink)| {
            let mut section = Section::new(["sink", name.as_str()]);
            sink.as_kind().check(&mut section);
            section
        });
        let sources = self.backup.iter().flat_map(|(job, config)| {
            config.sources.iter().map(move |(name, source)| {
                let siblings: Vec<_> = config.sources.names().filter(|one| *one != name).collect();
                let path = ["backup", job.as_str(), "sources", name.as_str()];
                let mut section = Section::new(path);
                source.as_kind().check(&siblings, &mut section);
                section
            })
        });
        sinks.chain(sources)
    }
}

fn check_job(config: &Config, name: &str, job: &JobConfig, reader: &mut Reader<'_>) {
    let at = |keys: &[&'_ str]| -> Vec<String> {
        ["backup", name].iter().chain(keys).map(|key| (*key).to_owned()).collect()
    };
    let mut found: Vec<(Vec<String>, String, Option<String>)> = Vec::new();
    let mut problem = |keys: &[&str], message: String, remedy: Option<String>| {
        found.push((at(keys), message, remedy));
    };
    let this = section(&["backup", name]);

    if job.sinks.is_empty() {
        let remedy = "add a sink, such as sinks = [\"local\"]";
        problem(&["sinks"], format!("{this} has no sinks"), Some(remedy.into()));
    }
    let mut seen = HashSet::new();
    for (i, sink) in job.sinks.iter().enumerate() {
        let place: &[&str] = &["sinks", &i.to_string()];
        if config.sink.get(sink.as_str()).is_none() {
            let remedy = unknown_sink(sink, config.sink.names());
            problem(
                place,
                format!("{this} uses the sink {:?}, which does not exist", sink.as_str()),
                remedy,
            );
        } else if !seen.insert(sink) {
            let remedy = Some("list each sink once".into());
            problem(place, format!("{this} lists the sink {:?} twice", sink.as_str()), remedy);
        }
    }
    for sink in job.keep_on.names() {
        if !job.sinks.is_empty() && !job.sinks.contains(sink) {
            let message = format!(
                "{this} has retention rules for {:?}, which is not one of its sinks",
                sink.as_str()
            );
            problem(&["keep_on", sink.as_str()], message, unknown_sink(sink, job.sinks.iter()));
        }
    }
    let mut keep = |keys: &[&str], keep: &Keep| {
        if let Err(error) = keep.check() {
            problem(keys, error.to_string(), error.remedy().map(Into::into));
        }
    };
    job.keep.iter().for_each(|rules| keep(&["keep"], rules));
    job.keep_on.iter().for_each(|(sink, rules)| keep(&["keep_on", sink.as_str()], rules));
    for sink in &job.sinks {
        let adds_only =
            config.sink.get(sink.as_str()).is_some_and(|sink| sink.as_kind().append_only());
        let Some(rules) = job.keep_for(sink.as_str()).filter(|rules| adds_only && rules.counts())
        else {
            continue;
        };
        let own = job.keep_on.get(sink.as_str()).is_some();
        let place: &[&str] = if own { &["keep_on", sink.as_str()] } else { &["keep"] };
        let message = format!(
            "the sink {:?} is append-only, so only `within` applies there, not `{rules}`",
            sink.as_str()
        );
        let remedy = format!(
            "a stolen key could be used to push out snapshots by storing new ones; write {} \
             with `within` alone",
            section(&["backup", name, "keep_on", sink.as_str()])
        );
        problem(place, message, Some(remedy));
    }

    if let Err(error) = job.compression.compression() {
        let (message, remedy) = words(&error);
        problem(&["compression", "level"], message, remedy);
    }
    check_keys(name, job, &mut problem);
    if job.limit.workers.is_some_and(|workers| !(1..=256).contains(&workers)) {
        let remedy = Some("write a number from 1 to 256, or remove it".into());
        problem(&["limit", "workers"], "the number of workers is out of range".into(), remedy);
    }
    if job.sources.is_empty() {
        let remedy = format!("add {} with a type", section(&["backup", name, "sources", "NAME"]));
        problem(&["sources"], format!("{this} has no sources"), Some(remedy));
    }
    drills::check(job, &this, &mut problem);
    for (path, message, remedy) in found {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        let mut problem = Problem::new(reader.place(&path), message);
        problem.remedy = remedy;
        reader.problems.push(problem);
    }
}

/// Malformed keys, and keys that contradict each other.
fn check_keys(
    name: &str,
    job: &JobConfig,
    problem: &mut impl FnMut(&[&str], String, Option<String>),
) {
    if let Some(encryption) = &job.encryption {
        let this = section(&["backup", name, "encryption"]);
        match (&encryption.passphrase, encryption.recipients.is_empty()) {
            (None, true) => problem(
                &["encryption"],
                format!("{this} has no recipients to encrypt for"),
                Some("write recipients = [\"age1…\"]; `seaworthy keygen age` makes a pair".into()),
            ),
            (Some(_), false) => problem(
                &["encryption", "passphrase"],
                format!("{this} has both a passphrase and recipients: age does not support this"),
                Some("remove one of the two".into()),
            ),
            _ => {}
        }
        for (i, recipient) in encryption.recipients.iter().enumerate() {
            if let Err(error) = Recipients::new([recipient]) {
                let (message, remedy) = words(&error);
                problem(&["encryption", "recipients", &i.to_string()], message, remedy);
            }
        }
    }
    if let Some(signing) = &job.signing {
        if signing.key.is_none() && signing.trust.is_empty() {
            problem(
                &["signing"],
                format!("{} neither signs nor trusts", section(&["backup", name, "signing"])),
                Some("write key = { file = … }; `seaworthy keygen sign` makes a pair".into()),
            );
        }
        for (i, key) in signing.trust.iter().enumerate() {
            if let Err(error) = TrustedKeys::new([key]) {
                let (message, remedy) = words(&error);
                problem(&["signing", "trust", &i.to_string()], message, remedy);
            }
        }
    }
}

fn unknown_sink<'a>(given: &Name, known: impl IntoIterator<Item = &'a Name>) -> Option<String> {
    let known = known.into_iter().map(Name::as_str);
    suggestion(given.as_str(), known)
        .or_else(|| Some(format!("add {} with a type", section(&["sink", given.as_str()]))))
}

fn words(error: &Error) -> (String, Option<String>) {
    (error.to_string(), error.remedy().map(Into::into))
}
