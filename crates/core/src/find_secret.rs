//! Reads secrets from the places in the file.

use std::{ffi::OsString, path::Path, time::Duration};

use crate::{Context, Error, ErrorKind, Result, Secret, SecretRef};

/// How long a command may take to print a secret; it may ask a person.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// The largest secret, in bytes.
const MAX_SECRET: usize = 1 << 20;

/// Reads the secret at `place`. `variable` looks up an environment variable; relative files are
/// relative to `base`. No error contains a part of the secret.
///
/// # Errors
/// [`ErrorKind::NotFound`] for a variable that is not set or a file that does not exist,
/// [`ErrorKind::InvalidInput`] for an empty secret or one that is not text, and the errors of
/// running a command.
pub async fn find_secret(
    place: &SecretRef,
    variable: &(dyn Fn(&str) -> Option<OsString> + Sync),
    base: &Path,
    cx: &Context,
) -> Result<Secret> {
    let (bytes, whence) = match place {
        SecretRef::Env(name) => {
            let value = variable(name).ok_or_else(|| {
                let message = format!("the environment variable {name} is not set");
                Error::new(ErrorKind::NotFound, "secret.find", message)
                    .remedy_is(format!("set {name}, or use another place in the file"))
            })?;
            (value.into_encoded_bytes(), format!("the environment variable {name}"))
        }
        SecretRef::File(path) => {
            let path = base.join(path);
            let fail = |e| {
                Error::io("secret.find", format!("cannot read the secret {}", path.display()), e)
            };
            let bytes = without_newline(std::fs::read(&path).map_err(fail)?);
            (bytes, path.display().to_string())
        }
        SecretRef::Command(command) => {
            let bytes = without_newline(command.run(cx, Some(COMMAND_LIMIT)).await?);
            (bytes, format!("the output of {command}"))
        }
    };
    let refuse = |what: &str| {
        Err(Error::new(ErrorKind::InvalidInput, "secret.find", format!("{whence} {what}")))
    };
    if bytes.is_empty() {
        return refuse("is empty: a secret was expected");
    }
    if bytes.len() > MAX_SECRET {
        return refuse("is too large for a secret");
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => refuse("is not UTF-8 text"),
    }
}

/// One trailing newline is not part of a secret.
fn without_newline(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommandLine;

    async fn find(place: SecretRef, base: &Path) -> Result<Secret> {
        let variable = |name: &str| match name {
            "SET" => Some(OsString::from("hunter2")),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        };
        find_secret(&place, &variable, base, &Context::new()).await
    }

    #[tokio::test]
    async fn is_found_in_each_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s"), "hunter2\n").unwrap();
        let command = CommandLine::new(["printf", "hunter2\\n"]).unwrap();
        for place in
            [SecretRef::Env("SET".into()), SecretRef::File("s".into()), SecretRef::Command(command)]
        {
            assert_eq!(find(place, folder.path()).await.unwrap().expose(), "hunter2");
        }
    }

    #[tokio::test]
    async fn what_is_missing_or_wrong_is_named_without_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad"), b"hunter2\xff").unwrap();
        for (place, word) in [
            (SecretRef::Env("UNSET".into()), "UNSET"),
            (SecretRef::Env("EMPTY".into()), "EMPTY"),
            (SecretRef::File("none".into()), "none"),
            (SecretRef::File("bad".into()), "bad"),
            (SecretRef::Command(CommandLine::new(["false"]).unwrap()), "false"),
        ] {
            let error = find(place, folder.path()).await.unwrap_err();
            let text = format!("{error:?} {}", error.chain());
            assert!(text.contains(word) && !text.contains("hunter2"), "{text}");
        }
    }
}
