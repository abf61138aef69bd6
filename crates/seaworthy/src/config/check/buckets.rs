//! Whether what is said of a bucket fits together.

use seaworthy_backup::config::{S3Keys, SinkConfig};

use super::super::{
    load::{Reader, section},
    problem::Problem,
};
use crate::bucket;

/// Adds what is wrong with the sink `name`, a bucket, to the problems of `reader`.
pub(super) fn check(name: &str, sink: &SinkConfig, reader: &mut Reader<'_>) {
    let mut problem = |below: &[&str], message: String, remedy: &str| {
        let path: Vec<_> = ["sink", name].iter().chain(below).copied().collect();
        let problem = Problem::new(reader.place(&path), message);
        reader.problems.push(problem.remedy_is(remedy));
    };
    let this = section(&["sink", name]);
    if let Some(Err(error)) = bucket::without_secrets(sink).map(|options| options.check()) {
        let key = error.context().find(|(name, _)| *name == "key").map_or("bucket", |(_, key)| key);
        problem(&[key], error.to_string(), error.remedy().unwrap_or_default());
    }
    if let SinkConfig::S3(s3) = sink {
        for (below, keys) in [(None, Some(s3.keys())), (Some("prune"), s3.prune.clone())] {
            let Some((key, message, remedy)) = keys.as_ref().and_then(wrong_keys) else { continue };
            let path: Vec<&str> = below.into_iter().chain([key]).collect();
            let this = below.map_or(this.clone(), |below| section(&["sink", name, below]));
            problem(&path, format!("{this} {message}"), remedy);
        }
        if s3.prune.as_ref().is_some_and(|keys| *keys == S3Keys::default()) {
            let remedy = "name keys or a profile that may delete";
            problem(&["prune"], format!("{} is empty", section(&["sink", name, "prune"])), remedy);
        }
    }
    let has_prune = match sink {
        SinkConfig::S3(s3) => s3.prune.is_some(),
        SinkConfig::B2(b2) => b2.prune.is_some(),
        _ => false,
    };
    if has_prune && !sink.append_only() {
        let message = format!("{this} has keys for `prune`, but is not append-only");
        problem(&["prune"], message, "add append_only = true, or leave the keys out");
    }
}

/// Which of the keys does not fit the others, and why.
fn wrong_keys(keys: &S3Keys) -> Option<(&'static str, &'static str, &'static str)> {
    let together = "an id and a secret belong together";
    match (&keys.access_key_id, &keys.secret_access_key) {
        (Some(_), None) => Some(("access_key_id", "has no `secret_access_key`", together)),
        (None, Some(_)) => Some(("secret_access_key", "has no `access_key_id`", together)),
        (None, None) if keys.session_token.is_some() => {
            Some(("session_token", "has a token, but no key that it belongs to", together))
        }
        (Some(_), Some(_)) if keys.profile.is_some() => {
            Some(("profile", "names keys and a profile", "leave one of them out"))
        }
        _ if keys.profile_file.is_some() && keys.profile.is_none() => {
            Some(("profile_file", "names no profile", "add profile = \"default\""))
        }
        _ => None,
    }
}
