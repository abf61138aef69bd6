//! Keys in a profile file of the Amazon tools.

use std::path::Path;

use seaworthy_core::{Error, ErrorKind, Result, Secret};

use super::S3Credentials;

/// The content of a profile.
pub(super) struct Profile {
    pub(super) credentials: S3Credentials,
    pub(super) region: Option<String>,
}

/// Reads the profile `name` in the file at `path`. No error shows a part of a secret.
pub(super) fn read(path: &Path, name: &str) -> Result<Profile> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::io("sink.open", format!("cannot read the profiles in {shown}"), e))?;
    let fail = |message: String, remedy: String| {
        Err(Error::new(ErrorKind::Config, "sink.open", message).remedy_is(remedy))
    };
    let Some(lines) = section(&text, name) else {
        return fail(
            format!("there is no profile {name:?} in {shown}"),
            format!("add [{name}] there, or use another profile"),
        );
    };
    let value = |key: &str| {
        let value = lines.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        value.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
    };
    match (value("aws_access_key_id"), value("aws_secret_access_key")) {
        (Some(id), Some(secret)) => Ok(Profile {
            credentials: S3Credentials::Key {
                id,
                secret: Secret::new(secret),
                session_token: value("aws_session_token").map(Secret::new),
            },
            region: value("region"),
        }),
        _ => fail(
            format!("the profile {name:?} in {shown} has no keys"),
            "Seaworthy reads aws_access_key_id and aws_secret_access_key; for a program that \
             prints the keys use access_key_id = { command = […] }"
                .into(),
        ),
    }
}

/// The settings of the section that is called `name`, or `profile name`.
fn section<'t>(text: &'t str, name: &str) -> Option<Vec<(&'t str, &'t str)>> {
    let mut found: Option<Vec<_>> = None;
    let mut inside = false;
    for line in text.lines() {
        if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default().trim();
            let header = header.strip_prefix("profile ").unwrap_or(header).trim();
            inside = header == name;
            if inside {
                found.get_or_insert_default();
            }
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            // Indented lines belong to the previous setting; `#` begins a comment line.
            let key = if line.starts_with([' ', '\t', '#', ';']) { "" } else { key.trim() };
            found.get_or_insert_default().push((key, value.trim()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=a=b\n\n\
                        [profile other]\nregion = eu-west-3\nAWS_ACCESS_KEY_ID = B\n\
                        aws_secret_access_key = c\naws_session_token = t\ns3 =\n  region = no\n\
                        [empty]\nrole_arn = x\n";

    fn profile(name: &str) -> Result<Profile> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), FILE).unwrap();
        read(file.path(), name)
    }

    #[test]
    fn each_profile_has_its_own_keys() {
        let keys = |name| match profile(name).unwrap().credentials {
            S3Credentials::Key { id, secret, session_token } => {
                (id, secret.expose().to_owned(), session_token.is_some())
            }
            _ => panic!("no keys"),
        };
        assert_eq!(keys("default"), ("A".into(), "a=b".into(), false));
        assert_eq!(keys("other"), ("B".into(), "c".into(), true));
        assert_eq!(profile("other").unwrap().region.as_deref(), Some("eu-west-3"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (name, word) in [("none", "no profile"), ("empty", "no keys")] {
            let Err(error) = profile(name) else { panic!("{name} was read") };
            assert!(error.to_string().contains(word) && error.remedy().is_some(), "{error}");
        }
        assert!(read(Path::new("/nonexistent/x"), "default").is_err());
    }
}
