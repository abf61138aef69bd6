//! Whether the sections about certificates fit together.

use std::collections::HashMap;

use seaworthy_core::Name;
use seaworthy_tls::{
    ChallengeKind,
    config::{CaConfig, CertificateConfig, ChallengeConfig},
};

use super::{
    Config,
    load::{Reader, section},
    problem::{Problem, suggestion},
};

/// Adds what is wrong with the certificates of `config` to the problems of `reader`.
pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    for (name, ca) in config.ca.iter() {
        if let CaConfig::Acme(acme) = ca
            && !acme.agree_tos
        {
            let this = section(&["ca", name.as_str()]);
            add(
                reader,
                &["ca", name.as_str(), "agree_tos"],
                format!("{this} does not agree to the authority's terms"),
                "read them, then write agree_tos = true",
            );
        }
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
            add(reader, &place, format!("{this} names {wanted} twice"), "name it once");
        }
    }
    if certificate.external.is_some() {
        for (key, there) in
            [("ca", !certificate.ca.is_empty()), ("challenge", certificate.challenge.is_some())]
        {
            if there {
                let message = format!("{this} is `external`, and has `{key}` as well");
                add(reader, &[at[0], at[1], key], message, "somebody else issues it: leave it out");
            }
        }
        return;
    }
    if certificate.ca.is_empty() {
        let remedy = "write ca = [\"letsencrypt\"], or external = { chain = …, key = … }";
        add(reader, &at, format!("nobody issues {this}"), remedy);
    }
    let mut acme = false;
    for (i, ca) in certificate.ca.iter().enumerate() {
        let place = [at[0], at[1], "ca", &i.to_string()];
        match config.ca.get(ca.as_str()) {
            None => {
                let message = format!("{this} names the ca {:?}, which is not there", ca.as_str());
                let known = config.ca.names().map(Name::as_str);
                let remedy = suggestion(ca.as_str(), known).unwrap_or_else(|| {
                    format!("add {} with a type", section(&["ca", ca.as_str()]))
                });
                add(reader, &place, message, &remedy);
            }
            Some(CaConfig::Acme(_)) => acme = true,
            Some(_) => {}
        }
    }
    match &certificate.challenge {
        Some(challenge) => check_challenge(&at, certificate, challenge, reader),
        None if acme => {
            let remedy = "write challenge = { type = \"http-01\", webroot = \"/var/www/acme\" }";
            add(reader, &at, format!("{this} has no `challenge`"), remedy);
        }
        None => {}
    }
}

fn check_challenge(
    at: &[&str; 2],
    certificate: &CertificateConfig,
    challenge: &ChallengeConfig,
    reader: &mut Reader<'_>,
) {
    let place = [at[0], at[1], "challenge"];
    let mut one_of = |choices: [(&str, bool); 3], needed: bool| {
        let mut chosen = choices.iter().filter(|(_, there)| *there).map(|(name, _)| name);
        let [(a, _), (b, _), _] = choices;
        let (message, remedy) = match (chosen.next(), chosen.next()) {
            (Some(a), Some(b)) => {
                (format!("`challenge` has both `{a}` and `{b}`"), "keep one of them")
            }
            (None, _) if needed => {
                (format!("`challenge` has neither `{a}` nor `{b}`"), "write one of them")
            }
            _ => return,
        };
        add(reader, &place, message, remedy);
    };
    let custom = ("custom", challenge.custom().is_some());
    match challenge {
        ChallengeConfig::Http01(http) => {
            let webroot = ("webroot", http.webroot.is_some());
            one_of([webroot, ("standalone", http.standalone.is_some()), custom], true);
        }
        ChallengeConfig::Dns01(dns) => {
            let exec = ("exec", dns.exec.is_some());
            one_of([exec, ("rfc2136", dns.rfc2136.is_some()), custom], true);
        }
        ChallengeConfig::TlsAlpn01(tls) => {
            let standalone = ("standalone", tls.standalone.is_some());
            one_of([standalone, custom, ("", false)], false);
        }
        _ => {}
    }
    let is_dns = challenge.kind() == ChallengeKind::Dns01;
    for (i, name) in certificate.names.iter().enumerate() {
        let place = [at[0], at[1], "names", &i.to_string()];
        if name.is_wildcard() && !is_dns {
            let message = format!("{name} is a wildcard, which only dns-01 can prove");
            let remedy = "write challenge = { type = \"dns-01\", … }, or name each host";
            add(reader, &place, message, remedy);
        }
        if name.ip().is_some() && is_dns {
            let message = format!("{name} is an address, which dns-01 cannot prove");
            add(reader, &place, message, "use http-01 or tls-alpn-01 for addresses");
        }
    }
}

fn add(reader: &mut Reader<'_>, place: &[&str], message: String, remedy: &str) {
    let problem = Problem::new(reader.place(place), message).remedy_is(remedy);
    reader.problems.push(problem);
}
