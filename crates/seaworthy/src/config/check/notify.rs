//! Whether those who are told can be, and whether jobs name them.

use seaworthy_core::Name;

use super::super::{
    Config,
    load::{Reader, section},
    notify::{NotifyConfig, SmtpTls},
    problem::{Problem, suggestion},
};
use crate::notify::template;

/// Adds what is wrong with the notifiers, and with the jobs that name them, to the problems of
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
                format!("{this} names the notifier {:?}, which is not there", notifier.as_str());
            let known = config.notify.names().map(Name::as_str);
            let remedy = suggestion(notifier.as_str(), known).unwrap_or_else(|| {
                format!("add {} with a type", section(&["notify", notifier.as_str()]))
            });
            reader.problems.push(Problem::new(place, message).remedy_is(remedy));
        }
    }
}

fn check_one(name: &Name, notifier: &NotifyConfig, reader: &mut Reader<'_>) {
    let this = section(&["notify", name.as_str()]);
    let mut problem = |key: &str, message: String, remedy: &str| {
        let place = reader.place(&["notify", name.as_str(), key]);
        reader.problems.push(Problem::new(place, message).remedy_is(remedy));
    };
    if notifier.on().is_some_and(<[_]>::is_empty) {
        problem("on", format!("{this} is told of nothing"), "leave `on` out, or the whole section");
    }
    match notifier {
        NotifyConfig::Webhook(webhook) => {
            if let Some(Err(error)) = webhook.body.as_deref().map(template::check) {
                problem("body", error.to_string(), error.remedy().unwrap_or_default());
            }
            let is_token = |name: &str| {
                !name.is_empty()
                    && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
            };
            for header in webhook.headers.keys().filter(|name| !is_token(name)) {
                let message = format!("{header:?} in {this} is no name of a header field");
                problem("headers", message, "use letters, digits, - and _");
            }
        }
        NotifyConfig::Email(email) => {
            if email.to.is_empty() {
                let remedy = "write to = [\"ops@example.com\"]";
                problem("to", format!("{this} goes to nobody"), remedy);
            }
            for (key, address) in
                std::iter::once(("from", &email.from)).chain(email.to.iter().map(|to| ("to", to)))
            {
                if !address.contains('@') || address.contains(char::is_control) {
                    let message = format!("{address:?} in {this} is no address");
                    problem(key, message, "write it like ops@example.com");
                }
            }
            match (&email.username, &email.password) {
                (Some(_), None) => {
                    let remedy = "add password = { env = … }, or leave the name out";
                    problem("username", format!("{this} has a name, but no password"), remedy);
                }
                (None, Some(_)) => {
                    let remedy = "add username = \"…\", or leave the password out";
                    problem("password", format!("{this} has a password, but no name"), remedy);
                }
                (Some(_), Some(_)) if email.tls == SmtpTls::None => {
                    let message = format!("{this} would send its password in the open");
                    problem("tls", message, "write tls = \"starttls\" or \"implicit\"");
                }
                _ => {}
            }
        }
        _ => {}
    }
}
