//! Whether the sections about certificates are consistent.

use std::collections::HashMap;

use seaworthy_core::{Name, Section};
use seaworthy_tls::config::CertificateConfig;

use super::{
    Config,
    load::{Reader, section},
    problem::{Problem, suggestion},
};

/// Adds what is wrong with the certificates of `config` to the problems of `reader`.
pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    for (name, ca) in config.ca.iter() {
        let mut section = Section::new(["ca", name.as_str()]);
        ca.as_kind().check(&mut section);
        reader.add_faults(&section);
    }
    for (name, certificate) in config.certificate.iter() {
        check_certificate(config, name, certificate, reader);
    }
}

fn check_certificate(
    config: &Config,
    name: &Name,
    certificate: &CertificateConfig,
    reader: &mut Reader<'_>,
) {
    let at = ["certificate", name.as_str()];
    let this = section(&at);
    if certificate.names.is_empty() {
        let remedy = "write names = [\"www.example.com\"]";
        add(reader, &[at[0], at[1], "names"], format!("{this} has no names"), remedy);
    }
    let mut seen = HashMap::new();
    for (i, wanted) in certificate.names.iter().enumerate() {
        if seen.insert(wanted, i).is_some() {
            let place = [at[0], at[1], "names", &i.to_string()];
            add(reader, &place, format!("{this} lists {wanted} twice"), "list it once");
        }
    }
    if certificate.external.is_some() {
        for (key, there) in
            [("ca", !certificate.ca.is_empty()), ("challenge", certificate.challenge.is_some())]
        {
            if there {
                let message = format!("{this} is `external`, but also has `{key}`");
                add(
                    reader,
                    &[at[0], at[1], key],
                    message,
                    "another program issues it: remove the key",
                );
            }
        }
        return;
    }
    if certificate.ca.is_empty() {
        let remedy = "write ca = [\"letsencrypt\"], or external = { chain = …, key = … }";
        add(reader, &at, format!("{this} has no authority"), remedy);
    }
    let mut needed = false;
    for (i, ca) in certificate.ca.iter().enumerate() {
        let place = [at[0], at[1], "ca", &i.to_string()];
        match config.ca.get(ca.as_str()) {
            None => {
                let message = format!("{this} uses the ca {:?}, which does not exist", ca.as_str());
                let known = config.ca.names().map(Name::as_str);
                let remedy = suggestion(ca.as_str(), known).unwrap_or_else(|| {
                    format!("add {} with a type", section(&["ca", ca.as_str()]))
                });
                add(reader, &place, message, &remedy);
            }
            Some(ca) => needed |= ca.as_kind().needs_challenge(),
        }
    }
    match &certificate.challenge {
        Some(challenge) => {
            let mut section = Section::new(at);
            challenge.as_kind().check(&certificate.names, &mut section);
            reader.add_faults(&section);
        }
        None if needed => {
            let remedy = "write challenge = { type = \"http-01\", webroot = \"/var/www/acme\" }";
            add(reader, &at, format!("{this} has no `challenge`"), remedy);
        }
        None => {}
    }
}

fn add(reader: &mut Reader<'_>, place: &[&str], message: String, remedy: &str) {
    let problem = Problem::new(reader.place(place), message).remedy_is(remedy);
    reader.problems.push(problem);
}
