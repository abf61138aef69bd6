//! Errors of an authority, with our messages.

use instant_acme::{Error as AcmeError, Problem};
use seaworthy_core::{Error, ErrorKind};

/// The last part of a problem's type, such as `rateLimited`.
pub(super) fn kind_of(problem: &Problem) -> &str {
    problem.r#type.as_deref().unwrap_or_default().rsplit(':').next().unwrap_or_default()
}

pub(super) fn is_bad_nonce(error: &AcmeError) -> bool {
    matches!(error, AcmeError::Api(problem) if kind_of(problem) == "badNonce")
}

/// Whether the authority does not know our account any more.
pub(super) fn account_is_gone(error: &AcmeError) -> bool {
    let AcmeError::Api(problem) = error else { return false };
    match kind_of(problem) {
        "accountDoesNotExist" => true,
        "unauthorized" => {
            problem.detail.as_deref().is_some_and(|d| d.to_ascii_lowercase().contains("account"))
        }
        // Pebble reports an unknown key like this.
        "malformed" => problem.detail.as_deref().is_some_and(|d| {
            let detail = d.to_ascii_lowercase();
            detail.contains("account") && detail.contains("not found")
        }),
        _ => false,
    }
}

/// `error` from the authority at `directory`, during `what`.
pub(super) fn explain(error: AcmeError, directory: &str, what: &str) -> Error {
    let operation = "acme.issue";
    match error {
        AcmeError::Api(problem) => {
            let kind = kind_of(&problem).to_owned();
            let error_kind = match (kind.as_str(), problem.status) {
                ("serverInternal", _) | (_, Some(500..)) => ErrorKind::Unavailable,
                ("rateLimited", _) => ErrorKind::Unavailable,
                _ => ErrorKind::PermissionDenied,
            };
            let message = format!("{directory} refuses: {what}: {}", words(&problem));
            let error = Error::new(error_kind, operation, message).with("problem", &kind);
            match remedy(&kind) {
                Some(remedy) => error.remedy_is(remedy),
                None => error,
            }
        }
        AcmeError::Other(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => {
                let message = format!("{directory}: {what} failed");
                Error::new(ErrorKind::Unavailable, operation, message).caused_by(other)
            }
        },
        AcmeError::Unsupported(feature) => {
            let message = format!("{directory} does not support {feature}");
            Error::new(ErrorKind::Unsupported, operation, message)
        }
        other => {
            let message = format!("{directory}: {what}: its response is invalid");
            Error::new(ErrorKind::Unavailable, operation, message).caused_by(other)
        }
    }
}

/// The text of a problem, with the details for each name.
pub(super) fn words(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_else(|| kind_of(problem).to_owned());
    for sub in &problem.subproblems {
        text.push_str(&format!("; {sub}"));
    }
    text.chars().filter(|c| !c.is_control()).collect()
}

pub(super) fn remedy(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "connection" => {
            "the authority could not connect: is port 80 open in the firewall, and does DNS \
             point to this machine?"
        }
        "unauthorized" => {
            "the authority reached a server without the challenge's answer: check each A and \
             AAAA record, and redirects"
        }
        "dns" => "the authority found no usable record: check the name in DNS",
        "caa" => "a CAA record forbids this authority: add one that allows it",
        "rejectedIdentifier" => "this authority does not issue for this name",
        "externalAccountRequired" => "this authority requires `eab` with a key id and an HMAC key",
        "badCSR" | "badPublicKey" => {
            "this authority does not accept such a key: try key = \"p256\""
        }
        "invalidContact" | "unsupportedContact" => "write contact = [\"mailto:you@example.com\"]",
        "userActionRequired" => "the authority's terms have changed: see its web page",
        "invalidProfile" => "this authority does not know the profile: remove `profile`",
        _ => return None,
    })
}
