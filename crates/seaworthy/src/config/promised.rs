//! Keys of later versions: refused by name until then, never ignored.

/// Keys and types of the file that this version does not support yet: their place (`*` is any name)
/// and their name.
const PROMISED: &[(&[&str], &[&str])] = &[];

const BUCKET_KEYS: &[&str] =
    &["access_key_id", "secret_access_key", "session_token", "key_id", "application_key"];

/// Keys that hold secrets in a part of the file that this version does not know in full.
const SECRETS: &[(&[&str], &[&str])] = &[
    (&["sink", "*"], BUCKET_KEYS),
    (&["sink", "*", "prune"], BUCKET_KEYS),
    (&["backup", "*", "sources", "*"], &["url", "password"]),
    (&["notify", "*"], &["url", "token", "password", "secret"]),
];

/// Whether `name`, a key of the table at `path` or a word given as its value, is from a later
/// version.
pub(super) fn comes_later(path: &[&str], name: &str) -> bool {
    is_listed(PROMISED, path, name)
}

/// Whether the key `name` of the table at `path` holds a secret.
pub(super) fn holds_a_secret(path: &[&str], name: &str) -> bool {
    is_listed(SECRETS, path, name)
}

fn is_listed(list: &[(&[&str], &[&str])], path: &[&str], name: &str) -> bool {
    let fits = |pattern: &[&str]| {
        pattern.len() == path.len()
            && pattern.iter().zip(path).all(|(p, key)| p == &"*" || p == key)
    };
    list.iter().any(|(pattern, names)| fits(pattern) && names.contains(&name))
}
