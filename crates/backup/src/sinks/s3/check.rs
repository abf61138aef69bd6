//! Whether what is said of a bucket matches.

use seaworthy_core::{ByteSize, Section};

use super::{S3Keys, S3SinkConfig, options::BucketConfig};

/// Says in `section` what is wrong with a bucket of either kind.
pub(super) fn check(config: &impl BucketConfig, section: &mut Section) {
    let options = config.without_secrets();
    if let Err(error) = options.check() {
        let key = error.context().find(|(name, _)| *name == "key").map_or("bucket", |(_, key)| key);
        section.error(&[key], &error);
    }
    if config.has_prune_keys() && !config.common().append_only {
        let message = format!("{section} has keys for `prune`, but is not append-only");
        section.fault(&["prune"], message, "add append_only = true, or leave the keys out");
    }
    // A backup that outgrows the largest object fails when all of it is nearly sent.
    if !options.parts_grow() {
        let largest = ByteSize::new(options.largest_object());
        let note = format!(
            "{section} uploads in equal parts, at most 10,000: the largest object is {largest}, and \
             each source becomes one object; a larger `part_size` raises it, for two parts more \
             memory"
        );
        section.note(note);
    }
}

/// Says in `section` which keys are wrong.
pub(super) fn check_keys(config: &S3SinkConfig, section: &mut Section) {
    for (below, keys) in [(None, Some(config.keys())), (Some("prune"), config.prune.clone())] {
        let Some((key, message, remedy)) = keys.as_ref().and_then(wrong_keys) else { continue };
        let path: Vec<&str> = below.into_iter().chain([key]).collect();
        let this = section.below(&path[..path.len() - 1]);
        section.fault(&path, format!("{this} {message}"), remedy);
    }
    if config.prune.as_ref().is_some_and(|keys| *keys == S3Keys::default()) {
        let message = format!("{} is empty", section.below(&["prune"]));
        section.fault(&["prune"], message, "name keys or a profile that may delete");
    }
}

/// Which of the keys does not match the others, and why.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(more: &str) -> Vec<String> {
        let config: S3SinkConfig =
            serde_json::from_str(&format!("{{\"bucket\": \"b\"{more}}}")).unwrap();
        let mut section = Section::new(["sink", "x"]);
        check(&config, &mut section);
        assert_eq!(section.faults(), []);
        section.notes().to_vec()
    }

    #[test]
    fn how_large_an_object_can_be_is_said_where_its_parts_do_not_grow() {
        assert!(notes("").is_empty());
        assert!(notes(", \"part_size\": \"64MiB\"")[0].contains("625 GiB"));
        let r2 = notes(", \"endpoint\": \"https://a.r2.cloudflarestorage.com\"");
        assert!(r2[0].contains("312 GiB"), "{r2:?}");
    }
}
