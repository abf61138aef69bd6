//! Checks the notifiers, and the jobs that use them.

use seaworthy_core::{Name, Section};

use super::super::{
    Config,
    load::{Reader, section},
    problem::{Problem, suggestion},
};
use crate::notify::kinds::NotifyConfig;

/// Adds what is wrong with the notifiers, and with the jobs that use them, to the problems of
/// `reader`.
pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    for (name, notifier) in config.notify.iter() {
        check_one(name, notifier, reader);
    }
    for (job, job_config) in config.backup.iter() {
        for (i, notifier) in job_config.notify.iter().flatten().enumerate() {
            if config.notify.get(notifier.as_str()).is_some() {
                continue;
            }
            let place = reader.place(&["backup", job.as_str(), "notify", &i.to_string()]);
            let this = section(&["backup", job.as_str()]);
            let message =
                format!("{this} uses the notifier {:?}, which does not exist", notifier.as_str());
            let known = config.notify.names().map(Name::as_str);
            let remedy = suggestion(notifier.as_str(), known).unwrap_or_else(|| {
                format!("add {} with a type", section(&["notify", notifier.as_str()]))
            });
            reader.problems.push(Problem::new(place, message).remedy_is(remedy));
        }
    }
}

fn check_one(name: &Name, notifier: &NotifyConfig, reader: &mut Reader<'_>) {
    let mut section = Section::new(["notify", name.as_str()]);
    if notifier.on.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("{section} is told of nothing");
        section.fault(&["on"], message, "remove `on`, or the whole section");
    }
    notifier.notifier.as_kind().check(&mut section);
    reader.add_faults(&section);
}
